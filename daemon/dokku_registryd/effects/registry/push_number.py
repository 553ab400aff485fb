"""Pushes a reserved number; the registry confirms it.

A number is never overwritten. If the registry has the same image under it, that is a
success (an earlier attempt died); if it has another image (a recreated app, a clone, a
second host), the release gets the next free number. Other clients may push at the same
time, and an upload takes long: so our client puts the manifest under the number last,
right after it has looked the number up once more (`sending`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import orders, precedence, reply_writer
from dokku_registryd.effects.registry import (
    checks,
    extra_tags,
    numbers,
    push_progress,
    registry_session,
    sending,
)

# If known content cannot be tagged, the Engine finds out what is missing.
_UNFIT = (
    errors.ImageNotFoundError,
    errors.InvalidRequestError,
    errors.RegistryUnavailableError,
    errors.RateLimitedError,
)


def tag(release: Release, context: ports.Context) -> None:
    """Tag the image with its names on this host."""
    for name in release.names:
        context.engine.tag(release.image_id, name)


def push(
    release: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    tags: Sequence[str] = (),
    digest: str = "",
) -> tuple[Release, numbers.Sent]:
    """Push under a reserved number; return once the registry has confirmed it.

    Each request costs a round trip, and the deploy waits for all of them. So the
    manifest that extra tags need comes with the confirmation, and the present digests
    of those tags are read in parallel; a known manifest is fetched while the registry
    looks the number up. Meanwhile the image is tagged on this host, and the Engine
    begins to push it to the relay, unless its manifest is known. Before that lookup has
    succeeded, the registry is asked for nothing else.

    Args:
        release: The release.
        session: Its registry.
        context: The host.
        reply: The reply.
        tags: The extra tags that will move to it.
        digest: The digest under which the repository has the image; empty if only the
            ledger may know it.

    Returns:
        The release, and the registry's answer for it.

    If the image is gone from this host but the registry has it, that is not a failure:
    an earlier attempt died before it could say so, and a heal restores the names.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses.
    """
    is_named = False
    missing: errors.ImageNotFoundError | None = None
    for _ in range(numbers.MOST_NUMBERS):
        precedence.give_way(release.app, release.reference, context)
        digest = digest or _known_digest(release, context)
        begun: Future[sending.Handed | None] | None = None
        with ThreadPoolExecutor(max_workers=3) as aside:
            found = aside.submit(numbers.find, release, session, context)
            # A thread takes as long as a request on the same host.
            known = (
                aside.submit(_known_manifest, release, digest, session, context)
                if digest
                else None
            )
            try:
                if not is_named:
                    tag(release, context)
            except errors.ImageNotFoundError as error:
                missing = error
            if not digest and missing is None and not _has_failed(found):
                reply.detail(f"Pushing {release.reference}")
                errand = _errand(release, context, reply, wait=found.result)
                begun = aside.submit(sending.hand_over, errand, session, context)
        sent = found.result()
        if missing is not None and (sent is None or not sent.digest):
            raise missing
        if sent is None:
            if begun is None:
                reply.detail(f"Pushing {release.reference}")
            sent = _send(
                release,
                session,
                context,
                reply,
                known=None if known is None else known.result(),
                begun=begun,
                tags=tags,
            )
        if sent.digest:
            return _confirm(release, sent, context), sent
        go_on = partial(_give_way, release, context)
        number = numbers.next_free(release, session, context, go_on=go_on)
        release, is_named = numbers.take_next(release, number, context, reply), True
    raise errors.DigestMismatchError(
        f"cannot push {release.reference}: {numbers.MOST_NUMBERS} numbers in a row"
        " were taken by other images. Find out who else pushes to this repository, or"
        " set another image-repo for the app with dokku registry:set"
    )


def _has_failed(asked: "Future[numbers.Sent | None]") -> bool:
    return asked.done() and asked.exception() is not None


def _errand(
    release: Release,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    wait: Callable[[], object] = lambda: None,
) -> sending.Errand:
    return sending.Errand(
        name=release.reference,
        image_id=release.image_id,
        on_progress=push_progress.Progress(release, context, reply).note,
        give_way=partial(_give_way, release, context),
        wait=wait,
    )


def _give_way(release: Release, context: ports.Context) -> None:
    """Raise unless the push may continue: its app exists and its deploy waits."""
    precedence.give_way(release.app, release.reference, context)
    orders.check(release, context)


def _send(
    release: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    known: images.Manifest | None,
    begun: "Future[sending.Handed | None] | None",
    tags: Sequence[str],
) -> numbers.Sent:
    """Send the image and ask for it; the registry must answer with the sent digest.

    If the registry accepts the push but refuses to be read, its acceptance counts.
    """
    try:
        if known is not None and _put_known(release, known, session, context):
            sent = numbers.Sent(digest=known.digest, method="named", manifest=known)
        else:
            sent = _push(release, begun, session, context, reply)
    except errors.TagImmutableError:
        # A PUT whose first answer was lost is refused when it is repeated.
        return numbers.find(release, session, context) or numbers.TAKEN
    if sent.method == "found" or not sent.digest:
        return sent
    is_asked_for = bool(tags) and sent.manifest is None
    with ThreadPoolExecutor(max_workers=1) as aside:
        noted = (
            aside.submit(extra_tags.note, release, tags, session, context)
            if tags
            else None
        )
        question = partial(_read if is_asked_for else _look_up, release, context)
        stored, unseen = _ask_back(release, question, session)
        if noted is not None:
            noted.result()
    if unseen:
        return replace(sent, unseen=unseen)
    if stored is None:
        raise errors.RegistryUnavailableError(
            f"the registry accepted {release.reference}, but does not return it"
        )
    if stored.digest != sent.digest:
        return numbers.TAKEN
    return replace(sent, manifest=stored.manifest or sent.manifest)


def _ask_back(
    release: Release,
    question: Callable[..., numbers.Sent | None],
    session: registry_session.RegistrySession,
) -> tuple[numbers.Sent | None, str]:
    """Return the registry's manifest for the number, or why it refuses to tell."""
    try:
        return session.call(question), ""
    except errors.ForeignManifestError:
        return numbers.TAKEN, ""
    except errors.PermanentError as error:
        if not error.status:
            raise
        structlog.get_logger().warning(
            "release.presumed",
            job_id=release.job_id,
            app=release.app,
            reference=release.reference,
            number=release.number,
            error=str(error),
        )
        return None, str(error)


def _push(
    release: Release,
    begun: "Future[sending.Handed | None] | None",
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> numbers.Sent:
    """Upload the image and put it under its number, if that is still free."""
    errand = _errand(release, context, reply)
    if begun is not None:
        handed = begun.result()
    else:
        handed = sending.hand_over(errand, session, context)
    if handed is None:
        digest = sending.push_directly(errand, session, context)
        return numbers.Sent(digest=digest, method="pushed")
    manifest = handed.manifest
    found = numbers.find(release, session, context)
    if found is not None:
        return replace(found, evidence=handed.evidence.plus(found.digest))
    _give_way(release, context)
    sending.put(reference.parse(release.reference), manifest, session, context)
    return numbers.Sent(
        digest=manifest.digest,
        method="pushed",
        manifest=manifest,
        evidence=handed.evidence.plus(manifest.digest),
    )


def _look_up(
    release: Release, context: ports.Context, auth: logins.AuthConfig | None
) -> numbers.Sent | None:
    image = reference.parse(release.reference)
    digest = context.registry.digest(image, auth=auth, for_push=True)
    return None if digest is None else numbers.Sent(digest=digest)


def _read(
    release: Release, context: ports.Context, auth: logins.AuthConfig | None
) -> numbers.Sent | None:
    image = reference.parse(release.reference)
    found = context.registry.manifest(image, auth=auth, for_push=True)
    return None if found is None else numbers.Sent(digest=found.digest, manifest=found)


def _known_manifest(
    release: Release,
    digest: str,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> images.Manifest | None:
    """Fetch the manifest of an image that the repository has; None if it does not."""
    image = reference.parse(release.reference).with_digest(digest)
    try:
        return session.call(
            lambda auth: context.registry.manifest(image, auth=auth, for_push=True)
        )
    except _UNFIT:
        return None
    except errors.PermanentError as error:
        if not error.status:
            raise
        return None


def _put_known(
    release: Release,
    known: images.Manifest,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> bool:
    """Tag content that the repository already has; False if it must be pushed."""
    try:
        extra_tags.put(reference.parse(release.reference), known, session, context)
    except _UNFIT:
        return False
    return True


def _known_digest(release: Release, context: ports.Context) -> str:
    """Return the digest under which the repository has the image; empty if unknown.

    A release that lost parts is none: the Engine has to send these again.
    """
    for known in context.ledger.releases_of_image(release.image_id):
        if known.digest and known.repository == release.repository:
            check = context.ledger.check_of(known.job_id)
            if check is None or not check.lacking:
                return known.digest
    return ""


def _confirm(release: Release, sent: numbers.Sent, context: ports.Context) -> Release:
    confirmed = context.ledger.update_release(
        release.job_id, state=ReleaseState.CONFIRMED, digest=sent.digest
    )
    structlog.get_logger().info(
        "release.confirmed",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        digest=sent.digest,
        method=sent.method,
    )
    checks.note_shown(confirmed, sent.manifest, sent.evidence, context)
    return confirmed
