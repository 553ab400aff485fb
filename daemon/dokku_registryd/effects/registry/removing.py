"""Removes numbers of one app from one repository: by tag, or else by digest.

A registry shows by its answer whether it can remove tags. One that cannot gets a
removal by digest, and then of the manifests that only this index has named. Each
removal is in the ledger before the request, and its end after the registry has shown
that the number is gone; so both may be repeated. What needs the number is read again
before each request.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import referrers, removal_advice
from dokku_registryd.core.release import prunes, repository_needs
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.release.removals import Removal
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import registry_session, repository_look

LOOK_SECONDS: Final = 60.0
"""How old the list of a repository's tags may be when an image is removed."""


class CannotRemoveError(errors.PermanentError):
    """The registry removes neither tags nor manifests."""


@dataclass(kw_only=True)
class Remover:
    """The removals from one repository."""

    repository: str
    """As Dokku writes it: server and image repository."""
    session: registry_session.RegistrySession
    context: ports.Context
    reply: reply_writer.ReplyWriter
    give_way: Callable[[], None]
    """Raises if another job goes first."""
    planned: Callable[[], Iterable[prunes.Entry]]
    """Returns the plan of the repository, as this host knows it now."""
    has_records: bool
    """Whether release records say there what other hosts run."""
    known: dict[str, Removal]
    """The removals so far, by job."""
    removed: int = 0
    _why_no_tags: str = ""
    """Why the registry removes no tags; empty if it may."""
    _gone: list[str] = field(default_factory=list)
    """The digests that were removed."""
    _seen: repository_needs.Look | None = None
    """The repository, without what was removed since."""
    _seen_at: float = 0.0

    def run(self, entries: Iterable[prunes.Entry]) -> None:
        """Remove what a plan lets go, oldest first.

        Raises:
            CannotRemoveError: The registry cannot remove anything.
            TransientError: It does not answer, or another job goes first.
            PermanentError: It refuses, or contradicts itself.
        """
        going = [entry.release for entry in entries if entry.goes]
        for release in sorted(going, key=lambda row: row.number):
            self.give_way()
            if release.job_id not in self.known or not self._is_over(release):
                self._remove(release)

    def _is_over(self, release: Release) -> bool:
        return self.known[release.job_id].is_over

    def _remove(self, release: Release) -> None:
        image = reference.parse(release.reference)
        stored = self._digest(image)
        if stored is None:
            self._finish(image, release)
            return
        if stored != release.digest:
            # Another client has pushed there, and it is not ours any more.
            self._keep(release, "another image has its number")
            return
        look = self._look(image)
        if str(release.number) not in look.tags:
            raise errors.PermanentError(
                f"{self.repository} has the tag {release.number}, but does not list it,"
                " so its other tags are unknown too, and nothing is removed"
            )
        entries = repository_needs.settle(self.planned(), look)
        found = {entry.release.job_id: entry for entry in entries}
        entry = found.get(release.job_id)
        if entry is None or not entry.goes:
            self._keep(release, entry.kept_by if entry else "it is not known any more")
            return
        if not self._why_no_tags and self._remove_tag(image, release):
            return
        same = [
            entry.release
            for entry in entries
            if entry.goes and entry.release.digest == release.digest
        ]
        self._remove_digest(image, same, entries, look)

    def _finish(self, image: reference.ImageReference, release: Release) -> None:
        """End the removal of a number that is gone.

        Its index may have gone in an earlier attempt. What was pushed since then may
        name the same parts, and what is being pushed may name them soon.
        """
        before = self.known.get(release.job_id)
        if before is not None and before.children:
            look = self._look(image)
            entries = list(self.planned())
            found = {entry.release.job_id: entry for entry in entries}
            entry = found.get(release.job_id)
            if entry is None or not entry.goes:
                return  # A later prune ends it.
            if not repository_needs.has_untagged(entries, look):
                self._drop_children(
                    image, repository_needs.unneeded(before.children, look, self._gone)
                )
        self._drop_records(image, release)
        self._end([release], "it was gone already")

    def _look(self, image: reference.ImageReference) -> repository_needs.Look:
        now = self.context.clock.monotonic()
        if self._seen is None or now - self._seen_at > LOOK_SECONDS:
            going = [row.release.digest for row in self.planned() if row.goes]
            self._seen = repository_look.look(
                image,
                self.session,
                self.context,
                give_way=self.give_way,
                going=going if self.has_records else None,
            )
            self._seen_at = now
        return self._seen

    def _remove_tag(self, image: reference.ImageReference, release: Release) -> bool:
        """Remove one tag; return False if the registry cannot."""
        self._begin([release])
        said = self._ask(image)
        if not said and self._digest(image) is not None:
            said = "it accepts the removal of a tag, but keeps it"
        if said:
            self._why_no_tags = said
            return False
        self._forget([release])
        self._drop_records(image, release)
        self._end([release], "tag")
        return True

    def _remove_digest(
        self,
        image: reference.ImageReference,
        same: list[Release],
        entries: Iterable[prunes.Entry],
        look: repository_needs.Look,
    ) -> None:
        """Remove an image with its numbers, and what only its index names."""
        digest = same[0].digest
        children: list[str] = []
        if not repository_needs.has_untagged(entries, look):
            children = repository_needs.spare_children(digest, look, self._gone)
        self._begin(same, children)
        said = self._ask(image.with_digest(digest))
        if not said and self._digest(image) is not None:
            said = "it accepts the removal, but keeps the tag"
        if said:
            self.context.ledger.forget_removals(row.job_id for row in same)
            raise CannotRemoveError(
                removal_advice.cannot(image.domain, self._why_no_tags, said)
            )
        self._gone.append(digest)
        self._forget(same)
        self._drop_children(image, children)
        self._drop_records(image, same[0])
        self._end(same, "digest")

    def _drop_children(
        self, image: reference.ImageReference, children: Iterable[str]
    ) -> None:
        for child in children:
            self.give_way()
            self._ask(image.with_digest(child))

    def _drop_records(self, image: reference.ImageReference, release: Release) -> None:
        """Remove the list of an image's release records, if it has a tag.

        Registries with a referrers API have no such tag, and drop them themselves.
        """
        if not self.has_records:
            return
        look = self._look(image)
        tag = referrers.tag_of(release.digest)
        if tag not in look.tags or release.digest in look.tags.values():
            return
        listed = look.tags[tag]
        if not self._why_no_tags:
            self._why_no_tags = self._ask(image.with_tag(tag))
        if self._why_no_tags:
            if list(look.tags.values()).count(listed) > 1:
                return
            children = repository_needs.spare_children(listed, look, self._gone)
            self._ask(image.with_digest(listed))
            self._gone.append(listed)
            self._drop_children(image, children)
        self._seen = _without(look, {tag})

    def _forget(self, releases: list[Release]) -> None:
        """Take numbers out of the look at the repository."""
        if self._seen is not None:
            self._seen = _without(self._seen, {str(row.number) for row in releases})

    def _ask(self, image: reference.ImageReference) -> str:
        registry = self.context.registry
        return self.session.call(lambda auth: registry.remove(image, auth=auth))

    def _digest(self, image: reference.ImageReference) -> str | None:
        registry = self.context.registry
        return self.session.call(lambda auth: registry.digest(image, auth=auth))

    def _begin(self, releases: list[Release], children: Iterable[str] = ()) -> None:
        self.context.ledger.begin_removals(
            [row.job_id for row in releases],
            at=self.context.clock.now(),
            children=list(children),
        )

    def _end(self, releases: list[Release], way: str) -> None:
        self._begin(releases)
        job_ids = [row.job_id for row in releases]
        now = self.context.clock.now()
        self.context.ledger.end_removals(job_ids, at=now)
        self.known |= dict.fromkeys(job_ids, Removal(asked_at=now, removed_at=now))
        for row in releases:
            self.removed += 1
            self.reply.detail(f"Removed {row.reference}")
            structlog.get_logger().info(
                "prune.removed",
                app=row.app,
                reference=row.reference,
                digest=row.digest,
                way=way,
            )

    def _keep(self, release: Release, reason: str) -> None:
        self.reply.detail(f"Kept {release.reference}: {reason}")
        structlog.get_logger().info(
            "prune.kept", app=release.app, reference=release.reference, reason=reason
        )


def _without(
    look: repository_needs.Look, gone: Container[str]
) -> repository_needs.Look:
    left = {tag: digest for tag, digest in look.tags.items() if tag not in gone}
    return replace(look, tags=left)
