"""`registry:login`: check a login with the registry itself, then store it.

The login is stored, and plugins are told, only after the registry has accepted it. The
password stays in this process and in the auth config or its helper, except for the
trigger `post-registry-login`, whose plugins receive it.
"""

import getpass
import resource
import sys
from typing import Final

from dokku_registryd import errors, verbs
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.dokku import login_arguments, pflag
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import hosts
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import login_scene

_STDIN_SWITCH: Final = "password-stdin"
_FLAGS: Final = pflag.FlagSet(
    "registry:login",
    (
        pflag.Flag(
            name=login_scene.GLOBAL_SWITCH,
            usage="--global: login globally instead of per-app",
        ),
        pflag.Flag(
            name=_STDIN_SWITCH, usage="--password-stdin: read password from stdin"
        ),
    ),
)
_MAX_PASSWORD_BYTES: Final = 64 << 10  # a key file as password has a few thousand


def perform(call: dokku_call.Call) -> int:
    """Log in."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # no password in a core dump
    parsed = login_scene.read_arguments(call, _FLAGS)
    from_stdin = _STDIN_SWITCH in parsed.switches
    login = login_arguments.parse_login(
        parsed.positional,
        is_global=login_scene.is_global(parsed),
        from_stdin=from_stdin,
        is_app=lambda name: login_scene.is_app(call, name),
    )
    if login.is_deprecated:
        call.warn("Deprecated: please use --global flag for global registry login")
    password = login.password
    if from_stdin and not _is_at_terminal():
        password = _read_password()
    _check_names(call, login)
    if not password and _is_at_terminal():
        password = Secret(getpass.getpass("Password: ").strip())
    _check_password(call, login, password)
    steps = verbs.load("dokku_registryd.verbs.dokku.login_steps")
    steps.log_in(call, login, password)
    call.warn(f"Login Succeeded for {login.app or 'global registry'}")
    return int(steps.tell_plugins(call, login, password))


def _is_at_terminal() -> bool:
    return bool(sys.stdin) and sys.stdin.isatty()


def _read_password() -> Secret:
    if not sys.stdin:
        return Secret("")  # closed by the caller
    content = sys.stdin.buffer.read(_MAX_PASSWORD_BYTES + 1)
    if len(content) > _MAX_PASSWORD_BYTES:
        raise dokku_call.DokkuError("The password on stdin is too long")
    return Secret(content.decode("utf-8", "surrogateescape").strip())


def _check_names(call: dokku_call.Call, login: login_arguments.Login) -> None:
    for what, value in (("server", login.server), ("username", login.username)):
        if not value:
            raise login_scene.missing(call, what, login.app)
    if login.app:
        login_scene.check_app(call, login.app)
    if ":" in login.username or not login.username.isprintable():
        raise login_scene.login_failure(
            "a user name must not contain a colon or control characters"
        )
    try:
        hosts.check_host(reference.normalize_domain(login.server))
    except errors.InvalidRequestError:
        raise login_scene.login_failure(
            f"{login.server!r} is not a host or host:port"
        ) from None


def _check_password(
    call: dokku_call.Call, login: login_arguments.Login, password: Secret
) -> None:
    if not password:
        raise login_scene.missing(call, "password", login.app)
    if "\0" in password.reveal() or not _is_text(password):
        raise dokku_call.DokkuError("The password is not valid UTF-8")


def _is_text(password: Secret) -> bool:
    # Invalid UTF-8 was read as lone surrogates. No exception contains the text.
    return not any("\ud800" <= mark <= "\udfff" for mark in password.reveal())
