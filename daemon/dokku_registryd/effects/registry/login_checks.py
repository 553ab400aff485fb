"""Asks registries about the logins of apps, before a deploy needs them."""

import contextlib

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.notify.login_checks import Standing
from dokku_registryd.core.registry import backoff
from dokku_registryd.effects.app import app_state


def targets(context: ports.Context) -> set[tuple[str, str]]:
    """Return app and registry of each login that a push or a heal will need.

    Raises:
        TransientError: The apps cannot be listed.
    """
    is_companion = context.is_companion()
    found: set[tuple[str, str]] = set()
    for app in context.properties.apps():
        # What cannot be read or parsed fails a release, which says so.
        with contextlib.suppress(errors.UnreadableError):
            policy = app_state.policy_of(context, app)
            deployed = None if is_companion else context.deployed.deployed(app)
            names = (
                [] if deployed is None or deployed.is_local else [deployed.reference]
            )
            if policy.push_on_release:
                names.append(f"{policy.server}{policy.image_repo}:1")
            found.update((app, domain) for domain in map(_domain, names) if domain)
    return found


def _domain(name: str) -> str:
    try:
        return reference.normalize_domain(reference.parse(name).domain)
    except errors.InvalidReferenceError:
        return ""


def ask(domain: str, auth: AuthConfig, context: ports.Context) -> tuple[Standing, str]:
    """Return what a registry says about a login, and why.

    It is one request, and none while the registry asks for fewer.
    """
    now = context.clock.now()
    for direction in backoff.Direction:
        key = backoff.key_of(
            domain=domain,
            owner=auth.owner,
            username=auth.username,
            direction=direction,
        )
        pause = context.ledger.pause_of(key)
        if pause is not None and pause.remaining(now):
            return Standing.UNKNOWN, "the registry asks for fewer requests"
    try:
        context.registry.ping(domain, auth=auth)
    except errors.AuthenticationError as error:
        return Standing.REFUSED, ways_out.complete(str(error), auth.owner, domain, auth)
    except errors.AccessDeniedError:
        return Standing.ACCEPTED, ""
    except errors.RegistrydError as error:
        return Standing.UNKNOWN, str(error)
    return Standing.ACCEPTED, ""
