"""Names of superseded releases: which there may be, and which may be taken away.

Of each superseded image one name stays, so that Dokku's own retirement can remove it:
an image with two names it never removes. Nobody retires what was built for an app that
was renamed since, so of that every name goes. Where the scheduler runs nothing on this
host nothing is retired either, so there the release before stays, as in Dokku's own
plugin, and of the others every name goes. An image that a container uses, or that any
app's wanted set or unconfirmed push needs, keeps its names. Of an image that is needed
only those names go that it had under a number that was found to be taken, once the
deploy that was told of it is over. While the ledger lacks what
the app runs (Dokku's own plugin counts before it pushes) nothing is known to be
superseded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState

_KEPT_ELSEWHERE = 1  # beyond the deployed one (Dokku's registry/functions.go)
_ENDED_BADLY = frozenset({ReleaseState.FAILED, ReleaseState.DROPPED})


@dataclass(frozen=True, slots=True)
class Leftover:
    """One image of an app's superseded releases, and the names that we gave it."""

    app: str
    image_id: str
    names: tuple[str, ...]
    """As the Engine lists them."""
    is_local: bool
    """Whether Dokku runs the app on this host, and so retires its images here."""
    is_stale: bool = False
    """Whether only the names are spare, and the image may be needed."""


def leftovers_of(state: wanted.AppState, schedulers: Sequence[str]) -> list[Leftover]:
    """Return what superseded releases of one app may have left.

    Args:
        state: The app.
        schedulers: Those that keep images on this host.
    """
    deployed = wanted.deployed_of(state)
    current = wanted.release_of(state, deployed) if deployed else None
    if deployed is not None and current is None:
        return []
    is_local = current is None or current.scheduler in schedulers
    least = 0 if is_local else _KEPT_ELSEWHERE
    # One image may have been released twice.
    names_of: dict[str, list[str]] = {}
    superseded = _superseded(state, deployed, least=least)
    for entry in superseded:
        ours = names_of.setdefault(entry.image_id, [])
        ours += map(wanted.engine_name, (*entry.names, *_stale_names(entry, state)))
    app = state.policy.app
    found = [
        Leftover(app, image_id, tuple(ours), is_local)
        for image_id, ours in names_of.items()
    ]
    for entry in state.releases:
        stale = tuple(map(wanted.engine_name, _stale_names(entry, state)))
        if stale and entry not in superseded:
            found.append(Leftover(app, entry.image_id, stale, is_local, is_stale=True))
    return found


def removable_names(
    left: Iterable[Leftover], observed: wanted.Observed, needed: frozenset[str]
) -> list[str]:
    """Return the names that may be taken away.

    Args:
        left: What superseded releases may have left.
        observed: What is on this host.
        needed: Image IDs and references that a container, any app or a push needs.
    """
    found: list[str] = []
    for entry in left:
        ours = [
            name
            for name in entry.names
            if observed.names.get(name) == entry.image_id
            and name not in needed
            and (entry.is_stale or entry.image_id not in needed)
        ]
        if entry.is_stale:
            found += [] if _is_bare(entry, ours, observed) else ours
            continue
        is_last_kept = entry.is_local and _is_retired(entry, observed)
        found += ours[:-1] if is_last_kept and _is_bare(entry, ours, observed) else ours
    return found


def _superseded(
    state: wanted.AppState, deployed: DeployedRelease | None, *, least: int
) -> list[Release]:
    number = deployed.number if deployed else 0
    pushed = [
        entry
        for entry in state.releases
        if entry.number < number
        and entry.state is ReleaseState.PUSHED
        and not entry.failed_at
    ]
    kept = max(state.policy.keep_releases, least)
    # What failed lost its names at once, unless the Engine did not answer then.
    # Of one whose deploy failed no container will be made any more.
    ended = [
        entry
        for entry in state.releases
        if (entry.state in _ENDED_BADLY or entry.failed_at) and entry.number != number
    ]
    return [*pushed[kept:], *ended]


def _stale_names(entry: Release, state: wanted.AppState) -> tuple[str, ...]:
    """Return the names of a number that was taken, once no deploy may use them."""
    told = state.deployed
    if told is not None and told != entry.deployed and entry.goes_by(told):
        return ()
    is_over = (
        not entry.is_deploy_continued
        or entry.live_at > 0
        or entry.state in _ENDED_BADLY
        or any(
            later.sequence > entry.sequence and later.state is ReleaseState.PUSHED
            for later in state.releases
        )
    )
    return entry.stale_names if is_over else ()


def _is_retired(entry: Leftover, observed: wanted.Observed) -> bool:
    """Tell whether Dokku removes an image once nothing runs it: it goes by a label."""
    return observed.apps.get(entry.image_id, entry.app) == entry.app


def _is_bare(entry: Leftover, ours: Iterable[str], observed: wanted.Observed) -> bool:
    """Tell whether an image would have no name without ours."""
    return observed.name_counts[entry.image_id] == len(set(ours))
