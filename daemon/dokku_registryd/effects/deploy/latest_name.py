"""The name `dokku/APP:latest` of a release that repeats an earlier one.

Dokku builds on the image with this name: the next `config:set` releases it. So a repeat
gets the name before its deploy begins, and gives it back if that fails. The image that
had the name is recorded before it moves. From then on the name is taken from no other
image: a build whose deploy has begun meanwhile would start the repeat instead.
"""

import structlog

from dokku_registryd import ports
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import reply_writer


def give(release: Release, context: ports.Context) -> None:
    """Give the name to a repeat; other releases have it from their build.

    Raises:
        TransientError: The Engine does not answer.
    """
    if release.scheduler not in context.schedulers:
        return
    repeat = context.ledger.repeat_of(release.job_id)
    if repeat is None:
        return
    name = _name(release)
    named = context.engine.image(name)
    before = "" if named is None else named.image_id
    if repeat.latest_before is None:
        context.ledger.note_latest_before(release.job_id, before)
    elif repeat.latest_before != before:
        return
    if before != release.image_id:
        context.engine.tag(release.image_id, name)


def give_back(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> None:
    """Let the name be as before a repeat, unless a build has taken it meanwhile.

    Raises:
        TransientError: The Engine does not answer.
    """
    repeat = context.ledger.repeat_of(release.job_id)
    if repeat is None or repeat.latest_before in {None, release.image_id}:
        return
    name = _name(release)
    named = context.engine.image(name)
    if named is None or named.image_id != release.image_id:
        return
    if not repeat.latest_before:
        context.engine.untag(name)
    elif context.engine.image(repeat.latest_before) is not None:
        context.engine.tag(repeat.latest_before, name)
    else:
        reply.warning(
            f"{name} stays at the image of release {release.number}: the one that had"
            " the name before is no longer on this host"
        )
        return
    structlog.get_logger().info(
        "latest.returned",
        app=release.app,
        reference=name,
        image_id=repeat.latest_before,
    )


def _name(release: Release) -> str:
    return f"dokku/{release.app}:latest"
