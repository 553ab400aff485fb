"""The mode of an installation for which no option requests one.

So `dokku plugin:install` and `plugin:update` install: they pass no options on.
"""

from dokku_registryd import config, errors
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.install import host_state
from dokku_registryd.verbs.host import installing


def choose(
    host: installing.Host, facts: host_state.Facts
) -> tuple[host_state.Mode, str]:
    """Return the mode, and what to say about it; see `host_state.choose_mode`.

    Raises:
        InstallationError: The variable has another value than a mode.
        UnreadableError: A property that decides is unreadable.
    """
    pushing = _pushing(host, host.apps()) if facts.is_core_enabled else []
    try:
        return host_state.choose_mode(
            host.asked_mode, facts.noted_mode, host.preset_mode, pushing
        )
    except ValueError:
        modes = " or ".join(host_state.Mode)
        raise installing.InstallationError(
            f"cannot install: {config.MODE_VARIABLE} is invalid: set it to {modes}"
        ) from None


def is_pushing(host: installing.Host) -> bool | None:
    """Return whether an app pushes its releases; None if that cannot be read."""
    try:
        return bool(_pushing(host, host.files.apps()))
    except errors.TransientError:
        return None


def _pushing(host: installing.Host, apps: list[str]) -> list[str]:
    """Return those of some apps that push each release."""
    defaults = dokku_policy.Defaults()
    return [
        app
        for app in apps
        if dokku_policy.resolve(app, host.files.get, defaults).push_on_release
    ]
