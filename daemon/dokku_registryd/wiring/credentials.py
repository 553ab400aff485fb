"""Builds what finds and stores logins."""

import os
from collections.abc import Callable

from dokku_registryd import config
from dokku_registryd.adapters.auth import helpers, resolver
from dokku_registryd.core.dokku import policy
from dokku_registryd.runtime import login_watch


def build_credentials(settings: config.Settings) -> resolver.AuthConfigs:
    """Build the resolver of logins."""
    return resolver.AuthConfigs(
        config_root=settings.config_root / policy.CORE,
        global_dir=settings.docker_config_dir,
        helper_timeout=settings.registry.helper_timeout_seconds,
        helper_path=settings.paths.helper_path,
        helper_environ=helpers.chosen(os.environ, settings.registry.helper_variables),
    )


def build_locator(
    settings: config.Settings,
) -> Callable[[str, str], login_watch.Found | None]:
    """Build what finds the login of an app for the login watch."""
    configs = build_credentials(settings)

    def locate(app: str, domain: str) -> login_watch.Found | None:
        found = configs.locate(app, domain)
        if found is None:
            return None
        return login_watch.Found(found.auth, is_renewed=bool(found.helper))

    return locate
