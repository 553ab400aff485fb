"""Shared by `registry:login` and `registry:logout`."""

from pathlib import Path
from typing import Final

from dokku_registryd.core.dokku import app_names, login_arguments, pflag
from dokku_registryd.verbs.dokku import apps
from dokku_registryd.verbs.dokku import call as dokku_call

GLOBAL_SWITCH: Final = "global"
_HINT: Final = " !     "  # Dokku's prefix of each line of an error


def read_arguments(call: dokku_call.Call, flags: pflag.FlagSet) -> pflag.Parsed:
    """Parse the arguments.

    Raises:
        DokkuError: They contradict each other, or are unknown.
    """
    try:
        parsed = flags.parse(call.arguments)
    except pflag.UsageError as error:
        if error.status == 0:
            raise dokku_call.DokkuError(str(error), status=0, is_raw=True) from None
        # pflag would repeat the argument, which may be a password.
        raise dokku_call.DokkuError(
            f"{flags.usage()}\nunknown flag; put arguments that begin with - behind --",
            status=dokku_call.MISUSED,
            is_raw=True,
        ) from None
    app = call.environ.get("DOKKU_APP_NAME", "")
    if app and is_global(parsed):
        raise dokku_call.DokkuError(f"--app {app} and --global are mutually exclusive")
    return parsed


def is_global(parsed: pflag.Parsed) -> bool:
    """Return whether the flag selects the global auth config."""
    return GLOBAL_SWITCH in parsed.switches


def is_app(call: dokku_call.Call, name: str) -> bool:
    """Return whether the app exists."""
    return app_names.is_app_name(name) and Path(call.dokku_root, name).is_dir()


def check_app(call: dokku_call.Call, app: str) -> None:
    """Require an app that this user may use, with Dokku's messages.

    Raises:
        DokkuError: There is no such app.
    """
    try:
        apps.verify(call, app)
    except dokku_call.DokkuError as error:
        if not login_arguments.is_host(app):
            raise
        raise dokku_call.DokkuError(
            f"{error}\n{_HINT}to log in to a registry of that name, use --global",
            status=error.status,
        ) from None


def missing(call: dokku_call.Call, what: str, app: str) -> dokku_call.DokkuError:
    """Return the error for a missing argument.

    Args:
        call: The call.
        what: The argument.
        app: The first argument, if it was read as an app.
    """
    hint = ""
    if is_app(call, app):
        if login_arguments.is_host(app):
            hint = f"\n{_HINT}{app} is an app; for a registry of that name use --global"
        elif what == "server":
            hint = f"\n{_HINT}{app} is an app: add the registry after it"
    return dokku_call.DokkuError(f"Missing {what} argument{hint}")


def login_failure(reason: str) -> dokku_call.DokkuError:
    """Return the error for a failed login."""
    return dokku_call.DokkuError(f"Unable to run docker login: {reason}")
