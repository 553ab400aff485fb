"""The check of `doctor` for the mirror of an app: would a copy succeed now?

No finding here is a failure: no deploy needs a mirror.
"""

from collections.abc import Callable, Iterator

from dokku_registryd import errors, ports
from dokku_registryd.adapters.auth import resolver
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.release import mirrors
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding

Ping = Callable[[str, AuthConfig | None], errors.RegistrydError | None]
_CHECK = "mirror"


def examine(
    state: wanted.AppState,
    context: ports.Context,
    *,
    credentials: resolver.AuthConfigs,
    registry: client.RegistryClient,
    ping: Ping,
) -> Iterator[Finding]:
    """Yield the findings about an app's mirror; none if it has no mirror.

    Args:
        state: The app.
        context: The host.
        credentials: The logins.
        registry: The client.
        ping: Returns why a registry refuses a login; None if it accepts it.
    """
    app, mirror = state.policy.app, state.policy.mirror
    if not mirror:
        return
    image = reference.parse(f"{mirror}:1")
    reason = _reason(app, image, credentials=credentials, registry=registry, ping=ping)
    if reason:
        yield findings.warn(_CHECK, f"{mirror}: {reason}", app=app)
        return
    found = mirrors.wanted_of(state)
    known = context.ledger.copies_of(entry.release.job_id for entry in found)
    copies = [known.get(entry.release.job_id) for entry in found]
    lacking = [copy for copy in copies if copy is None or not copy.copied_at]
    if not lacking:
        yield findings.ok(_CHECK, f"{mirror} has what it should have", app=app)
        return
    said = next((copy.error for copy in lacking if copy and copy.error), "")
    yield findings.warn(
        _CHECK,
        f"{mirror} lacks {len(lacking)} of {len(found)}: "
        + (said or "the service copies them when no other job waits"),
        app=app,
    )


def _reason(
    app: str,
    image: reference.ImageReference,
    *,
    credentials: resolver.AuthConfigs,
    registry: client.RegistryClient,
    ping: Ping,
) -> str:
    """Return why a copy would fail; empty if it would not."""
    login = None
    try:
        located = credentials.locate(app, image.domain)
        login = located.auth if located else None
        refusal = ping(image.domain, login)
        if refusal is not None:
            return ways_out.complete(str(refusal), app, image.domain, login)
        actions = registry.actions(image, auth=login)
    except errors.RegistrydError as error:
        return ways_out.complete(str(error), app, image.domain, login)
    lacking = [
        action
        for action in ("pull", "push")
        if actions is not None and action not in actions
    ]
    if not lacking:
        return ""
    return (
        f"the login may not {' or '.join(lacking)}. Grant it in the registry, or log in"
        f" as another user with: {ways_out.log_in_as_other(app, image.domain)}"
    )
