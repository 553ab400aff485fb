"""The manifest of a repeated release in the repository of the app that repeats it.

If that is another repository, the manifest is copied there with all its parts, from
registry to registry and never through the Engine, so that it has the same digest. The
app that repeats a release needs its own login for its registry only: the source is read
with the login of the app that pushed it. If its registry does not give it, that app's
mirror does, by the same digest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness, mirrors
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
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
    carriage = _Carriage(
        release=release,
        source=source,
        session=session,
        context=context,
        reply=reply,
        give_way=give_way,
    )
    refusal = (
        carriage.lost_there()
        if release.repository == source.repository
        else carriage.copy_from(source.reference)
    )
    if refusal is None or carriage.copy_from_mirror(refusal):
        return source.digest
    if source.app != release.app:
        raise refusal
    reply.warning(f"{refusal}. The image is sent from this host")
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carriage:
    """A release, what it repeats, and the ways to have the same manifest."""

    release: Release
    source: Release
    session: registry_session.RegistrySession
    context: ports.Context
    reply: reply_writer.ReplyWriter
    give_way: Callable[[], None]

    def copy_from_mirror(self, refusal: errors.RegistrydError) -> bool:
        """Copy it from the mirror of its app; return False if that cannot be.

        Args:
            refusal: Why its registry does not give it.
        """
        source = self.source
        mirror = app_state.policy_of(self.context, source.app).mirror
        copy = self.context.ledger.copies_of([source.job_id]).get(source.job_id)
        is_here = mirror == self.release.repository
        if is_here or not mirrors.has(copy, mirror, source.digest):
            return False
        self.reply.warning(str(refusal))
        again = self.copy_from(f"{mirror}:{source.number}", is_thorough=True)
        if again is not None:
            self.reply.warning(str(again))
        return again is None

    def copy_from(
        self, place: str, *, is_thorough: bool = False
    ) -> errors.RegistrydError | None:
        """Copy it from a repository; return why that was not possible.

        Args:
            place: A reference in the repository that has it.
            is_thorough: Whether the target may have the manifest and lack parts.
        """
        release, source, context = self.release, self.source, self.context
        image, target = reference.parse(place), reference.parse(release.reference)
        self.reply.detail(
            f"Copying {image.repository}@{source.digest} to {release.repository}"
        )
        started = context.clock.monotonic()
        try:
            copied = copying.copy(
                source.digest,
                copying.place_of(
                    image,
                    source.app,
                    context,
                    backoff.Direction.PULL,
                    check=self.give_way,
                ),
                copying.Place(
                    image=target,
                    session=self.session,
                    login=lambda: context.credentials.resolve(
                        release.app, target.domain
                    ),
                ),
                context,
                give_way=self.give_way,
                parallel=_PARALLEL,
                is_thorough=is_thorough,
            )
        except (errors.PreemptedError, errors.CancelledError):
            raise
        except (errors.TransientError, errors.PermanentError) as error:
            return error
        structlog.get_logger().info(
            "release.copied",
            job_id=release.job_id,
            app=release.app,
            reference=release.reference,
            source=place,
            digest=source.digest,
            blobs=copied.blobs,
            mounted=copied.mounted,
            sent_bytes=copied.sent_bytes,
            took_seconds=round(context.clock.monotonic() - started, 3),
        )
        self.reply.detail(_described(copied))
        return None

    def lost_there(self) -> errors.ImageNotFoundError | None:
        """Return what is known to be gone from the repository that both have.

        Raises:
            TransientError: The registry does not answer.
        """
        source, ledger = self.source, self.context.ledger
        again = f"cannot release {source.app} {source.number} again"
        if source.app != self.release.app and not self._is_there():
            return errors.ImageNotFoundError(
                f"{again}: its registry no longer has {source.digest}"
            )
        if ledger.removed_of([source.job_id]):
            return errors.ImageNotFoundError(f"{again}: a prune has removed it")
        known = ledger.check_of(source.job_id)
        if known is None or known.digest != source.digest or not known.lacking:
            return None
        lacks = completeness.describe(known.missing, known.lacking)
        return errors.ImageNotFoundError(f"{again}: its registry lacks {lacks}")

    def _is_there(self) -> bool:
        """Return whether the repository has the manifest.

        It may refuse to be read, and take the manifest all the same.
        """
        registry = self.context.registry
        image = reference.parse(self.release.reference)
        image = image.with_digest(self.source.digest)
        try:
            found = self.session.call(
                lambda auth: registry.digest(image, auth=auth, for_push=True)
            )
        except errors.PermanentError:
            return True
        return found is not None


def _described(copied: copying.Copied) -> str:
    sent = copied.blobs - copied.mounted
    if not copied.blobs:
        return "Its repository has all layers already"
    parts = [f"{copied.mounted} layers mounted"] if copied.mounted else []
    parts += [f"{sent} layers copied, {copied.sent_bytes} bytes"] if sent else []
    return ", ".join(parts)
