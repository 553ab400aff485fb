"""Repairs a release of which its registry lost parts: the Engine sends them again.

The number is not touched: it still has the released manifest. The Engine hands the
image to the relay, which uploads what the registry lacks, below the same digests. Then
the registry is asked again, because an Engine may make other layers from the same image
than an earlier version of it did.
"""

from dataclasses import dataclass, replace

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import precedence, reply_writer
from dokku_registryd.effects.registry import (
    checks,
    parts_look,
    registry_session,
    sending,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The repair of one release that the registry has under its number."""

    app: str
    name: str
    """The deployed reference."""
    digest: str
    """The digest of the number in the registry: it is the released one."""
    release: Release | None
    """The ledger's row, if there is one."""
    session: registry_session.RegistrySession
    context: ports.Context
    reply: reply_writer.ReplyWriter

    def run(self) -> str:
        """Let the registry have all parts of the release, and record that.

        Returns:
            The missing parts that were sent again; empty if there were none, or if the
            registry does not tell.

        Raises:
            TransientError: Engine or registry do not answer.
            PermanentError: The parts cannot be sent again; the message names them.
        """
        found, reason = self._look()
        if not found.missing:
            if reason:
                self.reply.warning(
                    f"cannot tell whether the registry has all of {self.name}: {reason}"
                )
            return ""
        lacked = _names(found)
        self._send(found, self._local_image(found))
        found, reason = self._look()
        if found.missing:
            raise errors.PermanentError(
                f"cannot repair {self.name}: its image was sent again, but the registry"
                f" still lacks {_names(found)}. {self._hint}"
            )
        if reason:
            raise errors.RegistryUnavailableError(
                f"the image of {self.name} was sent again, but the registry does not"
                f" tell whether it has all of it: {reason}"
            )
        return lacked

    @property
    def _image(self) -> reference.ImageReference:
        return reference.parse(self.name)

    @property
    def _hint(self) -> str:
        return f"Rebuild the app with dokku ps:rebuild {self.app}"

    def _give_way(self) -> None:
        precedence.give_way(self.app, self.name, self.context)

    def _look(self) -> tuple[Look, str]:
        reader = parts_look.reader_of(
            self._image,
            self.session,
            self.context,
            for_push=True,
            give_way=self._give_way,
        )
        release = self.release
        known = self.context.ledger.check_of(release.job_id) if release else None
        found, reason = parts_look.look(
            self._image,
            self.digest,
            reader,
            self.context.clock.monotonic,
            tree=completeness.tree_of(known, self.digest),
        )
        if release is not None and release.digest == self.digest:
            # The number was read before, and leads to this digest.
            found = replace(found, number=completeness.Number.KEPT)
            checks.record_now(release, found, self.context)
        return found, reason

    def _local_image(self, found: Look) -> images.LocalImage:
        known = self.release.image_id if self.release else ""
        local = self.context.engine.image(known or self.name)
        if local is None:
            raise errors.ImageNotFoundError(
                f"cannot repair {self.name}: the registry lacks {_names(found)}, and"
                f" the image is not on this host. {self._hint}"
            )
        return local

    def _send(self, found: Look, local: images.LocalImage) -> None:
        # Another program may have moved the name to another image.
        self.context.engine.tag(local.image_id, self.name)
        self.reply.headline("Pushing image to registry")
        self.reply.detail(f"The registry lacks {_names(found)}")
        errand = sending.Errand(
            name=self.name,
            image_id=local.image_id,
            on_progress=self.reply.output,
            give_way=self._give_way,
        )
        handed = sending.hand_over(errand, self.session, self.context)
        if handed is None:
            raise errors.PermanentError(
                f"cannot repair {self.name}: the registry lacks {_names(found)}, and"
                " the Engine pushes directly: it may put another manifest under this"
                f" number. {self._hint}"
            )
        sent = handed.manifest
        if sent.digest in {part.digest for part in found.missing}:
            target = self._image
            if sent.digest != self.digest:
                # It is a part of the released index, which keeps the number.
                target = target.with_digest(sent.digest)
            sending.put(target, sent, self.session, self.context)


def _names(found: Look) -> str:
    names = [str(part) for part in found.missing]
    return completeness.describe(names, len(names))
