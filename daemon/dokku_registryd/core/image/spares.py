"""Local images of superseded releases that may be freed when the disk runs full.

They are kept for a fast return (`keep-releases`), or wait until Dokku retires them. If
their registry has all parts of them, a heal or a rollback can bring them back, so on a
full disk they go first, the ones that were superseded longest ago before the others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import prunes
from dokku_registryd.core.release.completeness import Record, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """The local image of one superseded release."""

    app: str
    job_id: str
    reference: str
    image_id: str
    digest: str
    names: tuple[str, ...]
    """The names that we gave it, as the Engine lists them."""
    superseded_at: float
    """Seconds since the epoch."""


def spares_of(state: wanted.AppState) -> list[Spare]:
    """Return the superseded releases of an app whose digest is recorded."""
    deployed = wanted.deployed_of(state)
    current = wanted.release_of(state, deployed) if deployed else None
    if current is None:
        return []
    return [
        Spare(
            app=row.app,
            job_id=row.job_id,
            reference=row.reference,
            image_id=row.image_id,
            digest=row.digest,
            names=tuple(map(wanted.engine_name, row.names)),
            superseded_at=ended_at,
        )
        for row, ended_at in prunes.superseded_at(state.releases, current)
        if row.digest and row.number not in state.policy.holds.numbers
    ]


def freeable(
    spares: Iterable[Spare],
    observed: wanted.Observed,
    needed: Collection[str],
    checks: Mapping[str, Record],
    removed: Collection[str],
) -> list[Spare]:
    """Return what may be freed, each image once, superseded longest ago first.

    Args:
        spares: The images of superseded releases.
        observed: The state of this host.
        needed: Image IDs and references that a container, any app or a push needs.
        checks: What is known about releases in their registries, by job.
        removed: The jobs of releases that are removed from their registry.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for name, image_id in observed.names.items():
        names[image_id].add(name)
    ours: defaultdict[str, set[str]] = defaultdict(set)
    latest: dict[str, Spare] = {}
    safe: set[str] = set()
    for spare in spares:
        ours[spare.image_id].update(spare.names)
        known = latest.get(spare.image_id)
        if known is None or spare.superseded_at > known.superseded_at:
            latest[spare.image_id] = spare
        if spare.job_id not in removed and _is_complete(spare, checks):
            safe.add(spare.image_id)
    found = [
        replace(spare, names=tuple(sorted(names[image_id])))
        for image_id, spare in latest.items()
        if image_id in safe
        and image_id not in needed
        and names[image_id]
        # A name of another owner keeps the image, so nothing would be freed.
        and names[image_id] <= ours[image_id]
        and names[image_id].isdisjoint(needed)
    ]
    found.sort(key=lambda spare: (spare.superseded_at, spare.image_id))
    return found


def _is_complete(spare: Spare, checks: Mapping[str, Record]) -> bool:
    record = checks.get(spare.job_id)
    return (
        record is not None
        and record.digest == spare.digest
        and record.standing is Standing.COMPLETE
    )
