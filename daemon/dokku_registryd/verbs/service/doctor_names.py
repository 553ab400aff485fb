"""The checks of `doctor` on the names of an app's images on this host.

They compare as a sweep and `heal --dry-run` do.
"""

import dataclasses
from collections.abc import Iterator

from dokku_registryd import errors, ports
from dokku_registryd.core.image import leftovers, wanted
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.effects.app import sight


def examine(
    context: ports.Context,
    state: wanted.AppState,
    *,
    is_healing: bool,
    is_gone: bool = False,
) -> Iterator[Finding]:
    """Yield findings about local names; the host checks report a silent Engine.

    Args:
        context: The host.
        state: The app.
        is_healing: Whether the service runs, and restores names by itself.
        is_gone: Whether another finding says that the registry lacks the image.
    """
    app = state.policy.app
    kept_by = leftovers.kept_by(state, context.schedulers)
    if state.releases and kept_by:
        yield findings.ok(
            "names",
            f"superseded releases keep their names: {kept_by}. Keep fewer with: dokku"
            f" registryd:set {app} keep-releases NUMBER",
            app=app,
        )
    healed = dataclasses.replace(
        state, policy=dataclasses.replace(state.policy, heal=True)
    )
    entries = wanted.wanted_of(healed, context.schedulers)
    try:
        gaps = sight.gaps(entries, context)
    except errors.EngineUnavailableError:
        return
    moved = [gap for gap in gaps if gap.leads_to]
    for gap in moved:
        yield findings.fail(
            "image",
            f"{gap.wanted.reference} points to another image on this host than was"
            f" released ({gap.leads_to}). Restore it with: {_heal(state)}",
            app=app,
        )
    missing = [gap for gap in gaps if not gap.leads_to]
    if missing and not is_gone:
        yield _missing(state, missing, is_healing=is_healing and state.policy.heal)
    elif entries and not gaps:
        yield findings.ok(
            "image",
            f"{entries[0].source} does not point to another image",
            app=app,
        )


def _missing(
    state: wanted.AppState, gaps: list[wanted.Gap], *, is_healing: bool
) -> Finding:
    """Return the finding about names that no image has."""
    app = state.policy.app
    pulled = [gap for gap in gaps if isinstance(gap, wanted.Pull)]
    tagged = [gap for gap in gaps if isinstance(gap, wanted.Retag)]
    # Names that only a retag makes are lost until the image is pulled.
    (first, *more) = [gap.wanted.reference for gap in pulled or tagged or gaps]
    names = f"{first} and {len(more)} more are" if more else f"{first} is"
    if pulled:
        return findings.warn(
            "image",
            f"{names} missing on this host; only the registry has the image. Restore"
            f" it with: {_heal(state)}",
            app=app,
        )
    if not tagged:
        return findings.fail(
            "image",
            f"{names} missing on this host, and cannot be restored. Rebuild the app"
            f" with: dokku ps:rebuild {app}",
            app=app,
        )
    if is_healing:
        return findings.ok(
            "image",
            f"{names} missing on this host; the service adds them to the image",
            app=app,
        )
    return findings.warn(
        "image",
        f"{names} missing on this host; the image is here. Add them with:"
        f" {_heal(state)}",
        app=app,
    )


def _heal(state: wanted.AppState) -> str:
    app = state.policy.app
    if state.policy.heal:
        return f"dokku registryd:heal {app}"
    return f"dokku registryd:set {app} heal on (it is off)"
