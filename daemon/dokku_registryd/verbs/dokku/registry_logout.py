"""`registry:logout`: remove a login from the auth config and from its helper."""

from typing import Final

from dokku_registryd import verbs
from dokku_registryd.core.dokku import login_arguments, pflag
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import login_scene

_FLAGS: Final = pflag.FlagSet(
    "registry:logout",
    (
        pflag.Flag(
            name=login_scene.GLOBAL_SWITCH,
            usage="--global: logout globally instead of per-app",
        ),
    ),
)


def perform(call: dokku_call.Call) -> int:
    """Log out; print nothing on success, as in core."""
    parsed = login_scene.read_arguments(call, _FLAGS)
    logout = login_arguments.parse_logout(
        parsed.positional,
        is_global=login_scene.is_global(parsed),
        is_app=lambda name: login_scene.is_app(call, name),
    )
    if not logout.server:
        raise login_scene.missing(call, "server", logout.app)
    if logout.app:
        login_scene.check_app(call, logout.app)
    verbs.load("dokku_registryd.verbs.dokku.login_steps").log_out(call, logout)
    return 0
