"""Frees local images of superseded releases when the Engine's disk runs full.

Two settings are its thresholds, as those of kubelet's image collection: above
`disk.high_percent` images are freed until less than `disk.low_percent` is used. The
registry must have all parts of an image, so a heal can bring it back.
"""

from collections.abc import Collection, Iterable

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import needs, spares, wanted
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects.app import app_state

_UNCONFIRMED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


def freeable(
    found: Iterable[needs.Need],
    observed: wanted.Observed,
    needed: Collection[str],
    context: ports.Context,
) -> list[spares.Spare]:
    """Return the images that a full disk would free, in their order."""
    local = [spare for need in found for spare in need.superseded]
    if not local:
        return []
    job_ids = [spare.job_id for spare in local]
    removed = context.ledger.removed_of(job_ids)
    checks = context.ledger.checks_of(job_ids)
    return spares.freeable(local, observed, needed, checks, removed)


def relieve(found: Iterable[spares.Spare], context: ports.Context) -> int:
    """Free images while too much of the disk is used; return how many.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    if not context.disk_percents[0] or not context.is_service:
        return 0
    high, low = context.disk_percents
    folder = context.engine.facts().root_dir
    used = context.used_percent(folder)
    if used < high:
        return 0
    in_use = {entry.image_id for entry in context.engine.containers()}
    freed = 0
    for spare in found:
        if spare.image_id in in_use or _is_needed(spare, context):
            continue
        gone = [name for name in spare.names if context.engine.untag(name)]
        if not gone:
            continue
        freed += 1
        structlog.get_logger().info(
            "disk.freed",
            app=spare.app,
            reference=spare.reference,
            image_id=spare.image_id,
            digest=spare.digest,
            used_percent=round(used, 1),
        )
        used = context.used_percent(folder)
        if used < low:
            break
    if freed and used >= low:
        structlog.get_logger().warning(
            "disk.exhausted", used_percent=round(used, 1), low_percent=low, freed=freed
        )
    return freed


def _is_needed(spare: spares.Spare, context: ports.Context) -> bool:
    """Return whether a deploy or push needs the image since the sweep has looked."""
    try:
        state = app_state.state_of(context, spare.app)
    except errors.UnreadableError:
        return True
    if state.policy.unread:
        return True
    if any(
        row.state in _UNCONFIRMED
        for row in context.ledger.releases_of_image(spare.image_id)
    ):
        return True  # Another app may be promoted to it.
    told = [wanted.deployed_of(state), *state.deploying]
    running = [wanted.release_of(state, one) for one in told if one is not None]
    return spare.image_id in {
        *(row.image_id for row in running if row is not None),
        *(one.image_id for one in told if one is not None),
    }
