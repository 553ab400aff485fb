"""What `registry:login` and `registry:logout` share."""

from pathlib import Path
from typing import Final

from dokku_registryd.core.dokku import app_names, login_arguments, pflag
from dokku_registryd.verbs.dokku import apps
from dokku_registryd.verbs.dokku import call as dokku_call

GLOBAL_SWITCH: Final = "global"
_HINT: Final = " !     "  # Dokku marks each line of a complaint


def read_arguments(call: dokku_call.Call, flags: pflag.FlagSet) -> pflag.Parsed:
    """Sort the arguments.

    Raises:
        DokkuError: They contradict each other, or are none that the command has.
    """
    try:
        parsed = flags.parse(call.arguments)
    except pflag.UsageError as error:
        if error.status == 0:
            raise dokku_call.DokkuError(str(error), status=0, is_raw=True) from None
        # pflag would repeat the argument, which may be a password.
        raise dokku_call.DokkuError(
            f"{flags.usage()}\nunknown flag; what begins with - and is no flag goes"
            " behind --",
            status=dokku_call.MISUSED,
            is_raw=True,
        ) from None
    app = call.environ.get("DOKKU_APP_NAME", "")
    if app and is_global(parsed):
        raise dokku_call.DokkuError(f"--app {app} and --global exclude each other")
    return parsed


def is_global(parsed: pflag.Parsed) -> bool:
    """Tell whether the global auth config is meant for sure."""
    return GLOBAL_SWITCH in parsed.switches


def is_app(call: dokku_call.Call, name: str) -> bool:
    """Tell whether there is such an app."""
    return app_names.is_app_name(name) and Path(call.dokku_root, name).is_dir()


def check_app(call: dokku_call.Call, app: str) -> None:
    """Refuse what is no app of this user, in Dokku's words.

    Raises:
        DokkuError: It is none.
    """
    try:
        apps.verify(call, app)
    except dokku_call.DokkuError as error:
        if not login_arguments.is_host(app):
            raise
        raise dokku_call.DokkuError(
            f"{error}\n{_HINT}for a registry of that name say --global",
            status=error.status,
        ) from None


def missing(call: dokku_call.Call, what: str, app: str) -> dokku_call.DokkuError:
    """Build the complaint about an argument that is not there.

    Args:
        call: The call.
        what: The argument.
        app: What the first argument was taken for.
    """
    hint = ""
    if is_app(call, app):
        if login_arguments.is_host(app):
            hint = f"\n{_HINT}{app} is an app; for a registry of that name say --global"
        elif what == "server":
            hint = f"\n{_HINT}{app} is an app: name the registry behind it"
    return dokku_call.DokkuError(f"Missing {what} argument{hint}")


def login_failure(reason: str) -> dokku_call.DokkuError:
    """Build the complaint about a login that was not done."""
    return dokku_call.DokkuError(f"Unable to run docker login: {reason}")
