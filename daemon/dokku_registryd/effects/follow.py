"""Follow: keep what other hosts run on this host, by digest, and deploy nothing.

The service's follower reads the records and requests one job for each image that
lacks. The job pulls it from the repository where its record was read, and gives it a
name (`core.release.followed_names`), so that a prune of images without names leaves it,
and a heal, restore or deploy finds its layers here. No job waits for it: it ends for
deploys and heals of this host, and no answer of a registry makes it fail.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import follow_property, policy
from dokku_registryd.core.engine import messages
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release import followed_names, following
from dokku_registryd.core.release.followed_names import Kept
from dokku_registryd.effects import follow_look
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import discretion

_LATER_SECONDS: Final = 3600.0
"""The least time to the next attempt after a refusal, or for lack of room."""
_SHOWN: Final = 80  # characters of a part that is not understood


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What the property says."""

    repositories: tuple[str, ...]
    """Each with its registry."""
    wrong: tuple[str, ...] = ()
    """The parts that are not understood."""
    doubt: str = ""
    """Why more may be followed than that, so that nothing of others goes; empty if it
    is all."""


def followed(context: ports.Context) -> Followed:
    """Return the followed repositories.

    A host without apps has no other sign of a disk that is not mounted than the folder
    of the property.

    Raises:
        UnreadableError: The property cannot be read.
    """
    text = context.properties.get(policy.OURS, policy.GLOBAL, follow_property.NAME)
    found, wrong = follow_property.parse(text)
    doubt = ""
    if wrong:
        doubt = (
            f"the property follow has {wrong[0][:_SHOWN]!r}, which is not"
            " SERVER/REPOSITORY, or one too many. Images of repositories that it does"
            " not name stay until it is set again: dokku registryd:set --global follow"
            " VALUE"
        )
    elif not text and not context.properties.has_folder(policy.OURS, policy.GLOBAL):
        doubt = (
            "the folder of the property follow is missing, although images are kept"
            " for it. Is its disk mounted? To remove them: dokku registryd:set --global"
            " follow off"
        )
    return Followed(repositories=found, wrong=wrong, doubt=doubt)


def owners(context: ports.Context) -> Mapping[str, str]:
    """Return the apps of this host by the repository that they push to.

    The login of such an app is used; for other repositories it is the global one.

    Raises:
        TransientError: The apps cannot be listed.
    """
    found: dict[str, str] = {}
    for app in sorted(context.properties.apps()):
        try:
            values = app_state.policy_of(context, app)
            place = reference.parse(f"{values.server}{values.image_repo}").repository
        except (errors.UnreadableError, errors.InvalidReferenceError):
            continue
        found.setdefault(place, app)
    return found


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Have one image here, under the name that keeps it.

    Raises:
        PreemptedError: Another job goes first.
        EngineUnavailableError: The Engine does not answer.
        UnreadableError: The property cannot be read.
    """
    del reply  # No hook waits for it.
    target, name = job.trigger.image, job.trigger.tag
    image = reference.parse(target)
    facts = {"reference": target, "digest": image.digest}
    if reason := _why_needless(target, name, context):
        return outcomes.skipped(reason, **facts)
    local = _local(target, image.digest, context)
    if local is not None:
        _keep(local, name, job, context, is_pulled=False)
        return outcomes.done("it was here", image_id=local.image_id, **facts)
    tried = context.following.attempts.get(name)
    now = context.clock.monotonic()
    if not following.is_due(tried, now):  # Requested while the attempt before ran.
        known = following.why_not(tried, now)
        return outcomes.skipped(f"the next attempt is not due: {known}", **facts)
    discreet = discretion.Discretion()
    try:
        local = _pull(target, image, discreet.over(context))
    except (errors.PreemptedError, errors.EngineUnavailableError, errors.LedgerError):
        raise
    except (errors.TransientError, errors.PermanentError) as error:
        _note_failure(name, target, job, discreet.error(error), context)
        return outcomes.skipped(f"not pulled: {error}", **facts)
    _keep(local, name, job, context, is_pulled=True)
    return outcomes.done(outcomes.PULLED, image_id=local.image_id, **facts)


def remove(names: Iterable[Kept], context: ports.Context) -> int:
    """Remove names that nothing needs; return how many went.

    An image without another name goes with it. So its digest in the repository is
    removed first: after a death in between, the name still says what is left to do.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    gone = 0
    listed = list(names)
    going = {one.name for one in listed}
    for one in listed:
        if going.issuperset(one.others):
            for digest in filter(partial(_is_of, one), one.digests):
                context.engine.untag(digest)
        if context.engine.untag(one.name):
            gone += 1
            structlog.get_logger().info("follow.removed", reference=one.name)
    return gone


def _why_needless(target: str, name: str, context: ports.Context) -> str:
    """Return why an image need not come, after removal of what has no name."""
    repository = reference.parse(target).repository
    wanted = context.following.wanted.get(repository)
    said = followed(context)
    if repository not in said.repositories:
        if not said.doubt:
            _drop_bare(target, context)
        return "it is no longer followed"
    if wanted is not None and name not in wanted:
        _drop_bare(target, context)
        return "a newer release is followed by now"
    return "it is here" if context.engine.image(name) is not None else ""


def _is_of(one: Kept, digest: str) -> bool:
    """Return whether a name by digest is in the repository of a kept name."""
    repository = reference.parse(digest).repository
    return followed_names.mark_of_repository(repository) == one.repository


def _local(
    target: str, digest: str, context: ports.Context
) -> images.LocalImage | None:
    """Return the image if it is on this host, under any name."""
    found = context.engine.image(target)
    if found is not None:
        return found
    listed = context.engine.images()
    return next((one for one in listed if messages.holds(one, digest)), None)


def _pull(
    target: str, image: reference.ImageReference, context: ports.Context
) -> images.LocalImage:
    high, low = context.disk_percents
    # Between both marks a sweep is about to free images of this host.
    _check_room(target, context, most_percent=low if high else 0)
    owner = owners(context).get(image.repository, "")

    def give_way() -> None:
        if context.is_busy():
            raise errors.PreemptedError("deploys and heals of this host go first")
        _check_room(target, context, most_percent=high)

    give_way()
    session = follow_look.session_of(image.repository, owner, context, give_way)
    return session.call(
        lambda auth: context.engine.pull(target, auth=auth, give_way=give_way),
        is_paced=False,
    )


def _check_room(target: str, context: ports.Context, *, most_percent: int) -> None:
    """Raise if the Engine's disk is too full, before or during a pull.

    Args:
        target: The image.
        context: The host.
        most_percent: How much of the disk may be used; 0 for no limit.
    """
    folder = context.engine.facts().root_dir
    free = context.free_bytes(folder)
    used = context.used_percent(folder) if most_percent else 0.0
    if free < context.min_free_bytes:
        reason = (
            f"{free >> 20} MB are free for {folder}, less than heal.min_free_disk_mb"
            f" ({context.min_free_bytes >> 20})"
        )
    elif most_percent and used >= most_percent:
        reason = f"{used:.0f} % of the disk of {folder} are used, of {most_percent} %"
    else:
        return
    raise errors.TransientError(
        f"cannot pull {target}: {reason}. Free disk space",
        retry_after=_LATER_SECONDS,
    )


def _keep(
    local: images.LocalImage,
    name: str,
    job: jobs.Job,
    context: ports.Context,
    *,
    is_pulled: bool,
) -> None:
    context.engine.tag(local.image_id, name)
    memory = context.following
    memory.may_have_names = True
    known = memory.attempts.get(name)
    memory.attempts[name] = following.pulled(known, context.clock.monotonic())
    structlog.get_logger().info(
        "follow.kept",
        app=job.app,
        reference=name,
        target=job.trigger.image,
        image_id=local.image_id,
        pulled=is_pulled,
    )


def _note_failure(
    name: str,
    target: str,
    job: jobs.Job,
    error: errors.RegistrydError,
    context: ports.Context,
) -> None:
    memory = context.following
    known = memory.attempts.get(name) or following.Attempt()
    delay = context.delay(known.failures + 1, error)
    if isinstance(error, errors.PermanentError):
        delay = max(delay, _LATER_SECONDS)
    memory.attempts[name] = following.failed(
        known, str(error), delay=delay, now=context.clock.monotonic()
    )
    structlog.get_logger().warning(
        "follow.failed",
        app=job.app,
        reference=name,
        target=target,
        failures=known.failures + 1,
        delay_seconds=round(delay, 1),
        error=str(error),
    )


def _drop_bare(target: str, context: ports.Context) -> None:
    """Remove an image that a process which died has pulled, but not named."""
    found = context.engine.image(target)
    if found is not None and not found.references:
        context.engine.untag(target)
