"""The manifest of a repeated release in the repository of the app that repeats it.

If that is another repository, the manifest is copied there with all its parts, from
registry to registry and never through the Engine, so that it has the same digest. The
app that repeats a release needs its own login for its registry only: the source is read
with the login of the app that pushed it.
"""

from collections.abc import Callable

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import copying, registry_session

_PARALLEL = 3  # as an Engine pushes


def carry(
    release: Release,
    source: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    give_way: Callable[[], None],
) -> str:
    """Have the manifest of a release in another repository, by its digest.

    Args:
        release: The release that repeats it.
        source: The release that is repeated.
        session: The registry of `release`.
        context: The host.
        reply: For the user.
        give_way: Raises if it should end.

    Returns:
        The digest; empty if the Engine has to send the image. That is only for a
        release of the same app, if it has moved to another repository or the registry
        lost parts: bytes of another app are never sent with another digest.

    Raises:
        TransientError: A registry does not answer.
        PermanentError: A registry refuses, or the source lost the image.
    """
    if release.repository == source.repository:
        return _digest_there(release, source, session, context)
    target = reference.parse(release.reference)
    reply.detail(f"Copying {source.repository}@{source.digest} to {release.repository}")
    started = context.clock.monotonic()
    try:
        copied = copying.copy(
            source.digest,
            copying.place_of(
                reference.parse(source.reference),
                source.app,
                context,
                backoff.Direction.PULL,
            ),
            copying.Place(
                image=target,
                session=session,
                login=lambda: context.credentials.resolve(release.app, target.domain),
            ),
            context,
            give_way=give_way,
            parallel=_PARALLEL,
        )
    except (errors.PreemptedError, errors.CancelledError):
        raise
    except (errors.TransientError, errors.PermanentError) as error:
        if source.app != release.app:
            raise
        reply.warning(f"{error}. The image is sent from this host")
        return ""
    structlog.get_logger().info(
        "release.copied",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        source=source.reference,
        digest=source.digest,
        blobs=copied.blobs,
        mounted=copied.mounted,
        sent_bytes=copied.sent_bytes,
        took_seconds=round(context.clock.monotonic() - started, 3),
    )
    reply.detail(_described(copied))
    return source.digest


def _digest_there(
    release: Release,
    source: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> str:
    """Return the digest in the same repository; empty if parts have to be sent again.

    Raises:
        ImageNotFoundError: It or parts lack, and only the other app may send them.
        TransientError: The registry does not answer.
    """
    if source.app != release.app:
        _check_there(release, source, session, context)
    known = context.ledger.check_of(source.job_id)
    if known is None or known.digest != source.digest or not known.lacking:
        return source.digest
    if source.app != release.app:
        raise errors.ImageNotFoundError(
            f"cannot release {source.app} {source.number} again: its registry lacks"
            f" {completeness.describe(known.missing, known.lacking)}"
        )
    return ""


def _check_there(
    release: Release,
    source: Release,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> None:
    image = reference.parse(release.reference).with_digest(source.digest)
    try:
        found = session.call(
            lambda auth: context.registry.digest(image, auth=auth, for_push=True)
        )
    except errors.PermanentError:
        return  # It may refuse to be read, and take the manifest all the same.
    if found is None:
        raise errors.ImageNotFoundError(
            f"cannot release {source.app} {source.number} again: its registry no longer"
            f" has {source.digest}"
        )


def _described(copied: copying.Copied) -> str:
    sent = copied.blobs - copied.mounted
    if not copied.blobs:
        return "Its repository has all layers already"
    parts = [f"{copied.mounted} layers mounted"] if copied.mounted else []
    parts += [f"{sent} layers copied, {copied.sent_bytes} bytes"] if sent else []
    return ", ".join(parts)
