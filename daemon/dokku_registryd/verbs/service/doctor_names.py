"""The checks of `doctor` on the names of an app's images on this host."""

from collections.abc import Iterator

from dokku_registryd import errors, ports
from dokku_registryd.core.image import leftovers, wanted
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.effects.app import sight


def examine(context: ports.Context, state: wanted.AppState) -> Iterator[Finding]:
    """Yield findings about local names; the host checks report a silent Engine."""
    app = state.policy.app
    kept_by = leftovers.kept_by(state, context.schedulers)
    if state.releases and kept_by:
        yield findings.ok(
            "names",
            f"superseded releases keep their names: {kept_by}. Keep fewer with: dokku"
            f" registryd:set {app} keep-releases NUMBER",
            app=app,
        )
    entries = wanted.wanted_of(state, context.schedulers)
    try:
        gaps = sight.gaps(entries, context)
    except errors.EngineUnavailableError:
        return
    moved = [gap for gap in gaps if gap.leads_to]
    for gap in moved:
        yield findings.fail(
            "image",
            f"{gap.wanted.reference} points to another image on this host than was"
            f" released ({gap.leads_to}). Restore it with: dokku registryd:heal {app}",
            app=app,
        )
    if entries and not moved:
        lacking = f": {len(gaps)} of its names are missing" if gaps else ""
        yield findings.ok(
            "image",
            f"{entries[0].source} does not point to another image{lacking}",
            app=app,
        )
