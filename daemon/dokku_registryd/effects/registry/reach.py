"""Asks registries whether they answer, between the releases that need them."""

from dokku_registryd import errors, ports
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.text import foreign_text
from dokku_registryd.effects.registry import login_checks

MOST_OF_REASON = 500  # characters


def domains(context: ports.Context) -> set[str]:
    """Return the registries that a push or a heal will need.

    Raises:
        TransientError: The apps cannot be listed.
    """
    return {domain for _, domain in login_checks.targets(context)}


def ask(domain: str, context: ports.Context) -> str | None:
    """Return why a registry does not answer, with one request without a login.

    It gets none while it asks for fewer.

    Returns:
        The reason; empty if it answers, None if that is unknown.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    paused = context.ledger.paused_registries()
    if domain in backoff.longest(paused, context.clock.now()):
        return None
    try:
        context.registry.reach(domain)
    except (errors.EngineUnavailableError, errors.ExhaustedError):
        return None  # The fault is on this host.
    except errors.RegistrydError as error:
        return foreign_text.shorten(str(error), first=MOST_OF_REASON)
    return ""
