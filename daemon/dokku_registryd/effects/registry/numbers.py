"""Numbers: their owner in the registry, the next free one, and the one Dokku uses.

A number is never overwritten: a release whose number is taken gets another one. The
number that Dokku was told to deploy does not change by that: a deploy reads the name
once and creates containers from it later, and the registry would answer with a foreign
image. So the names of that number stay on this host until the deploy has ended.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import numbering
from dokku_registryd.core.release.releases import DeployedRelease, Release
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import registry_session

# Numbers to try if others push to the same repository at the same time.
MOST_NUMBERS: Final = 10

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The registry's answer for a number, and its history."""

    digest: str
    method: str = ""
    manifest: images.Manifest | None = None
    """The manifest, if it was read on the way, so that it is not fetched again."""
    evidence: parts.Evidence = parts.NOTHING
    """What else the registry has shown to have in this attempt."""
    unseen: str = ""
    """Why only the answer to the push counts: the registry refused to be read."""


TAKEN: Final = Sent(digest="")


def find(
    release: Release, session: registry_session.RegistrySession, context: ports.Context
) -> Sent | None:
    """Return the owner of our number: our image, another one, or None.

    None means that the number is free, as far as the registry tells. The lookup is only
    a safeguard, so a refusal decides nothing: some logins may push but not read, and
    some registries return no image before it is scanned or signed. The push decides.
    """
    image = reference.parse(release.reference)
    try:
        manifest = session.call(partial(_read, image, context))
    except (errors.ForeignManifestError, errors.DigestMismatchError):
        return TAKEN
    except errors.RateLimitedError as error:
        # Docker Hub counts a GET as a pull, but not a HEAD, so a limit on pulls need
        # not delay a push.
        is_free = error.is_of_reading and session.call(
            partial(_is_absent, image, context)
        )
        if not is_free:
            raise
        return None
    except errors.PermanentError as error:
        if not error.status:
            raise
        note_unknown(release, error)
        return None
    if manifest is None:
        return None
    if not manifest.names_image(release.image_id) and not _is_platform_of(
        release, manifest.digest, context
    ):
        return TAKEN
    return Sent(digest=manifest.digest, method="found", manifest=manifest)


def note_unknown(release: Release, error: errors.PermanentError) -> None:
    """Log that the registry does not tell the owner of a number."""
    structlog.get_logger().info(
        "number.undisclosed",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        error=str(error),
    )


def next_free(
    release: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
    *,
    go_on: Callable[[], None],
) -> int:
    """Return the nearest free number above ours, as far as is known.

    Each candidate is looked up. The list of tags only avoids lookups: not every login
    may read it, and some registries cannot return it.

    Args:
        release: The release.
        session: Its registry.
        context: The host.
        go_on: Called before each of up to `numbering.MOST_AHEAD` lookups; it raises
            once the number is needed no more.

    Raises:
        DigestMismatchError: All of them are taken.
    """
    image = reference.parse(release.reference)
    taken: frozenset[int] = frozenset()
    with contextlib.suppress(errors.TransientError, errors.PermanentError):
        taken = numbering.near(
            session.call(partial(_tags, image, context)), release.number
        )
    for number in numbering.candidates(release.number, taken):
        go_on()
        found = find(replace(release, number=number), session, context)
        if found is None or found.digest:
            return number
    raise errors.DigestMismatchError(
        f"cannot push {release.reference}: the next {numbering.MOST_AHEAD} numbers are"
        " also taken by other images. Set another image-repo for the app with dokku"
        " registry:set"
    )


def take_next(
    release: Release,
    number: int,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    """Give a release the given number, or the next one that no other release has.

    The names of the old number are removed, unless Dokku was told that number.
    """
    older = release
    release = context.ledger.renumber(release.job_id, at_least=number)
    reply.detail(
        f"Tag {older.number} is taken by another image, bumping tag to {release.number}"
    )
    structlog.get_logger().warning(
        "release.renumbered",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        previous=older.number,
    )
    for name in release.names:
        context.engine.tag(release.image_id, name)
    is_told = older.is_deploy_continued and not older.previous_number
    for name in () if is_told else older.names:
        context.engine.untag(name)
    return release


def secure(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> Release:
    """Look a number up before Dokku is told of it; take another one if it is taken.

    A registry that does not answer within `look_seconds` does not delay the deploy.
    """
    image = reference.parse(release.reference)
    is_told = threading.Event()
    session = registry_session.RegistrySession(
        context,
        app=release.app,
        domain=image.domain,
        direction=backoff.Direction.PUSH,
        check=partial(_stop_at, is_told),
    )
    for _ in range(MOST_NUMBERS):
        found = _ask(partial(find, release, session, context), context)
        if found is None or found.digest:
            break
        over = threading.Event()
        go_on = partial(_stop_at, over)
        search = partial(next_free, release, session, context, go_on=go_on)
        number = _ask(search, context)
        over.set()
        release = take_next(release, number or release.number + 1, context, reply)
    is_told.set()
    for name in release.stale_names:
        # An attempt died before it had removed them; Dokku was not told of them.
        context.engine.untag(name)
    return release


def note_live(app: str, context: ports.Context) -> None:
    """Record that the deploy of the told number has ended, so it may change."""
    told = context.deployed.deployed(app)
    row = next((row for row in context.ledger.releases(app) if row.goes_by(told)), None)
    if row is None:
        return
    if not row.live_at:
        row = context.ledger.update_release(row.job_id, live_at=context.clock.now())
    show(row, context)


def show(release: Release, context: ports.Context) -> None:
    """Tell Dokku the present number, unless a deploy still uses another one."""
    told = context.deployed.deployed(release.app)
    if told != release.deployed and release.goes_by(told) and not release.live_at:
        return
    record(release.app, release.deployed, context)


def record(app: str, deployed: DeployedRelease, context: ports.Context) -> None:
    """Answer Dokku with a release, unless Dokku's own plugin answers."""
    if not context.is_companion():
        context.deployed.record_deployed(app, deployed)


def _is_platform_of(release: Release, digest: str, context: ports.Context) -> bool:
    """Return whether a digest is that of the platform that our local image has.

    The Engine pushes only that platform of an index.
    """
    image = context.engine.image(release.image_id)
    return image is not None and digest in image.manifests


def _read(
    image: reference.ImageReference,
    context: ports.Context,
    auth: logins.AuthConfig | None,
) -> images.Manifest | None:
    # Absence is expected here, and only GET proves it.
    return context.registry.manifest(image, auth=auth, for_push=True)


def _is_absent(
    image: reference.ImageReference,
    context: ports.Context,
    auth: logins.AuthConfig | None,
) -> bool:
    return context.registry.digest(image, auth=auth, for_push=True) is None


def _tags(
    image: reference.ImageReference,
    context: ports.Context,
    auth: logins.AuthConfig | None,
) -> list[str]:
    return context.registry.tags(image, auth=auth, for_push=True)


def _stop_at(over: threading.Event) -> None:
    """Raise once an answer comes too late."""
    if over.is_set():
        raise errors.RegistryUnavailableError("no answer came in time")


def _ask(question: Callable[[], _Answer], context: ports.Context) -> _Answer | None:
    """Return an answer; None if it is an error or does not arrive in time."""
    pool = ThreadPoolExecutor(1, "number")
    asked = pool.submit(question)
    pool.shutdown(wait=False)  # A late answer is discarded.
    try:
        return asked.result(context.look_seconds)
    except (errors.RegistrydError, TimeoutError) as error:
        structlog.get_logger().debug("number.unchecked", error=str(error))
        return None
