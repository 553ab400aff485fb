"""Local names of superseded releases: which exist, and which may be removed.

One name of each superseded image stays, so that Dokku's own retirement can remove the
image: it never removes an image with two names. Dokku does not retire images that were
built under an app's old name, so all their names are removed. If the scheduler runs
nothing on this host, nothing is retired here, so the previous release stays, as in
Dokku's own plugin, and all names of older ones are removed. Where Dokku's cleanup is
switched off (`skip-cleanup`), superseded images on this host keep all names, so that an
operator can return to them, and so do held releases anywhere. An image that a container
uses, or that any app's wanted set or unconfirmed push needs, keeps its names. The
exception is the names of a number that turned out to be taken: they are removed once
the deploy that was told the number has ended. While the ledger lacks the deployed
release (Dokku's own plugin counts before it pushes), no release counts as superseded.
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
    """Whether only the names are removable, and the image may be needed."""
    kept_until: float = 0.0
    """Until when they are kept, in seconds since the epoch; 0 if they are not."""


def leftovers_of(state: wanted.AppState, schedulers: Sequence[str]) -> list[Leftover]:
    """Return the images and names that superseded releases of one app may have left.

    Args:
        state: The app.
        schedulers: The schedulers that keep images on this host.
    """
    deployed = wanted.deployed_of(state)
    current = wanted.release_of(state, deployed) if deployed else None
    if deployed is not None and current is None:
        return []
    is_local = _is_local(current, schedulers)
    # One image may belong to two releases.
    names_of: dict[str, list[str]] = {}
    kept_until: dict[str, float] = {}
    superseded = _superseded(state, deployed, current, is_local=is_local)
    for entry, until in superseded:
        ours = names_of.setdefault(entry.image_id, [])
        stale = () if until else _stale_names(entry, state)
        ours += map(wanted.engine_name, (*entry.names, *stale))
        kept_until[entry.image_id] = max(until, kept_until.get(entry.image_id, 0.0))
    app = state.policy.app
    found = [
        Leftover(app, image_id, tuple(ours), is_local, kept_until=kept_until[image_id])
        for image_id, ours in names_of.items()
    ]
    unkept = [entry for entry, until in superseded if not until]
    for entry in state.releases:
        stale = tuple(map(wanted.engine_name, _stale_names(entry, state)))
        if stale and entry not in unkept:
            found.append(Leftover(app, entry.image_id, stale, is_local, is_stale=True))
    return found


def kept_by(state: wanted.AppState, schedulers: Sequence[str]) -> str:
    """Return why superseded releases keep all their names; empty if they do not.

    Args:
        state: The app.
        schedulers: The schedulers that keep images on this host.
    """
    deployed = wanted.deployed_of(state)
    current = wanted.release_of(state, deployed) if deployed else None
    return state.policy.names_kept_by if _is_local(current, schedulers) else ""


def removable_names(
    left: Iterable[Leftover],
    observed: wanted.Observed,
    needed: frozenset[str],
    *,
    now: float,
) -> list[str]:
    """Return the names to remove.

    Args:
        left: The images and names that superseded releases may have left.
        observed: The state of this host.
        needed: Image IDs and references that a container, any app or a push needs.
        now: Seconds since the epoch.
    """
    found: list[str] = []
    for entry in left:
        if now < entry.kept_until:
            continue
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


def _is_local(current: Release | None, schedulers: Sequence[str]) -> bool:
    return current is None or current.scheduler in schedulers


def _superseded(
    state: wanted.AppState,
    deployed: DeployedRelease | None,
    current: Release | None,
    *,
    is_local: bool,
) -> list[tuple[Release, float]]:
    """Return the superseded releases, and until when each one's names are kept."""
    number = deployed.number if deployed else 0
    pushed = [
        entry
        for entry in state.releases
        if entry.number < number
        and entry.state is ReleaseState.PUSHED
        and not entry.failed_at
    ]
    kept = max(state.policy.keep_releases, 0 if is_local else _KEPT_ELSEWHERE)
    if is_local and state.policy.names_kept_by:
        kept = len(pushed)
    # Failed releases lost their names at once, unless the Engine did not answer. No new
    # container will be created for a release whose deploy failed.
    ended = [
        (entry, 0.0)
        for entry in state.releases
        if (entry.state in _ENDED_BADLY or entry.failed_at) and entry.number != number
    ]
    age = state.policy.keep_seconds
    # Each one was superseded by the next later one.
    later: list[Release | None] = [current, *pushed]
    aged = [
        (entry, _began(after) + age if age and after is not None else 0.0)
        for entry, after in zip(pushed, later, strict=False)
    ]
    latest = _latest(pushed, current, kept)
    spare = [(row, until) for row, until in aged[kept:] if row.job_id not in latest]
    held = state.policy.holds.numbers
    return [(row, until) for row, until in (*spare, *ended) if row.number not in held]


def _latest(
    pushed: Iterable[Release], current: Release | None, count: int
) -> frozenset[str]:
    """Return the jobs of the latest releases of so many other images.

    A release that repeats an image leaves nothing to return to.
    """
    found: dict[str, str] = {}
    running = current.image_id if current is not None else ""
    for row in pushed:
        if len(found) < count and row.image_id not in {"", running}:
            found.setdefault(row.image_id, row.job_id)
    return frozenset(found.values())


def _began(release: Release) -> float:
    """Return when a release began to run, as far as is known."""
    return release.live_at or release.pushed_at or release.created_at


def _stale_names(entry: Release, state: wanted.AppState) -> tuple[str, ...]:
    """Return the names of a taken number that no deploy can use any more."""
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
    """Return whether Dokku removes the image when it is unused: a label decides."""
    return observed.apps.get(entry.image_id, entry.app) == entry.app


def _is_bare(entry: Leftover, ours: Iterable[str], observed: wanted.Observed) -> bool:
    """Return whether an image would have no name without ours."""
    return observed.name_counts[entry.image_id] == len(set(ours))
