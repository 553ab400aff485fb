"""Logging in and out, with valid arguments.

Separate from the commands, because these imports are too slow for a usage error.
"""

import os
from pathlib import Path
from typing import Final

from dokku_registryd import config, errors
from dokku_registryd.adapters.auth import writer as auth_writer
from dokku_registryd.adapters.dokku import plugn
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.dokku import login_arguments, policy
from dokku_registryd.core.image import reference
from dokku_registryd.verbs import identity
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import login_scene
from dokku_registryd.verbs.service import registries
from dokku_registryd.wiring import credentials

_TRIGGER: Final = "post-registry-login"
# The usual hint of an authentication error makes no sense for a login.
_ADVICE: Final = ". Log in again with dokku registry:login"


def log_in(
    call: dokku_call.Call, login: login_arguments.Login, password: Secret
) -> None:
    """Check a login with the registry, then store it.

    Raises:
        DokkuError: The registry refuses it, or it cannot be stored.
    """
    settings = _enter(call)
    auth = AuthConfig(
        domain=reference.normalize_domain(login.server),
        username=login.username,
        password=password,
    )
    writer = auth_writer.AuthWriter(credentials.build_credentials(settings))
    try:
        writer.check(login.app)
        with registries.opened(settings) as registry:
            registry.ping(auth.domain, auth=auth)
        writer.log_in(login.app, auth)
    except errors.RegistrydError as error:
        reason = str(error).removesuffix(_ADVICE)
        raise login_scene.login_failure(reason) from None


def tell_plugins(
    call: dokku_call.Call, login: login_arguments.Login, password: Secret
) -> int:
    """Fire the trigger that tells other plugins about a login.

    Returns:
        The exit status; the login stays even if a plugin fails, as in core.
    """
    folder = call.environ.get("PLUGIN_PATH") or f"{call.lib_root}/plugins"
    plugins = plugn.Plugn(Path(folder), call.environ)
    if not plugins.answers(_TRIGGER):
        return 0
    if not plugn.is_safe(password):
        call.warn(
            f"The trigger {_TRIGGER} was not called: plugn would corrupt or execute"
            " this password. Only printable ASCII without backslashes is safe"
        )
        return 0
    try:
        status, said = plugins.call(
            _TRIGGER, login.server, login.username, DOCKER_REGISTRY_PASS=password
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise dokku_call.DokkuError(
            f"Cannot call the trigger {_TRIGGER}: plugn: {reason}"
        ) from error
    if status and said.strip():
        call.warn(said.rstrip("\n"))
    return dokku_call.FAILED if status else 0


def log_out(call: dokku_call.Call, logout: login_arguments.Logout) -> None:
    """Remove a login, and warn if a credential helper has to keep it.

    Raises:
        DokkuError: It cannot be removed.
    """
    settings = _enter(call)
    own = settings.config_root / policy.CORE / logout.app
    if logout.app and not own.is_dir():
        raise dokku_call.DokkuError(
            f"No registry credentials found for app {logout.app}"
        )
    writer = auth_writer.AuthWriter(credentials.build_credentials(settings))
    domain = reference.normalize_domain(logout.server)
    try:
        kept = writer.log_out(logout.app, domain)
    except errors.RegistrydError as error:
        raise dokku_call.DokkuError(f"Unable to run docker logout: {error}") from None
    for helper in dict.fromkeys(held.helper for held in kept):
        call.warn(
            f"The login for {domain} stays in docker-credential-{helper}: another app,"
            " or the global auth config, uses it too"
        )


def _enter(call: dokku_call.Call) -> config.Settings:
    """Load the settings, and become the user that runs Dokku."""
    settings = config.load(
        file=None,
        overrides={
            "paths.dokku_root": call.dokku_root,
            "paths.dokku_lib_root": call.lib_root,
        },
        environ=call.environ,
    )
    identity.become_owner(Path(call.dokku_root), call.environ)
    return settings
