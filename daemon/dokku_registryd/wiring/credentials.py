"""Builds what finds and stores logins."""

import os

from dokku_registryd import config
from dokku_registryd.adapters.auth import helpers, resolver
from dokku_registryd.core.dokku import policy


def build_credentials(settings: config.Settings) -> resolver.AuthConfigs:
    """Build the resolver of logins."""
    return resolver.AuthConfigs(
        config_root=settings.config_root / policy.CORE,
        global_dir=settings.docker_config_dir,
        helper_timeout=settings.registry.helper_timeout_seconds,
        helper_path=settings.paths.helper_path,
        helper_environ=helpers.chosen(os.environ, settings.registry.helper_variables),
    )
