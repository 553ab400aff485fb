"""Checks whether a registry has all parts of a release, and records the result.

A push through the relay has seen or sent every part, so it needs no further request.
All others are looked at later: the manifests are read, and each blob is asked for.
HEAD proves presence only; a part is missing if a GET answers 404, and unknown after any
other answer.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Record, Standing
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.registry import registry_session

MOST_SECONDS = 60.0  # of one look; then the rest is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How one repository is read."""

    manifest: Callable[[reference.ImageReference], images.Manifest | None]
    """Returns a manifest by its digest; None if the registry answers 404."""
    has_blob: Callable[[str], bool]
    """Returns whether the repository has a blob, by its digest."""
    give_way: Callable[[], None] = lambda: None
    """Raises if the look should end."""


def reader_of(
    image: reference.ImageReference,
    session: registry_session.RegistrySession,
    context: ports.Context,
    *,
    for_push: bool = False,
    give_way: Callable[[], None] = lambda: None,
) -> Reader:
    """Return the reader of a repository with an app's login."""
    registry = context.registry
    return Reader(
        manifest=lambda target: session.call(
            lambda auth: registry.manifest(target, auth=auth, for_push=for_push)
        ),
        has_blob=lambda digest: session.call(
            lambda auth: registry.has_blob(image, digest, auth=auth, for_push=for_push)
        ),
        give_way=give_way,
    )


def look(
    image: reference.ImageReference,
    digest: str,
    reader: Reader,
    monotonic: Callable[[], float],
) -> tuple[Look, str]:
    """Look for all parts of an image in its registry.

    Args:
        image: A reference in its repository.
        digest: The digest of its manifest or index.
        reader: Reads the repository.
        monotonic: The clock for the timeout.

    Returns:
        The result, and the registry's reason if it could not be completed.

    Raises:
        PreemptedError: Another job goes first.
    """
    asked = _Questions(image, digest, reader, monotonic)
    unread, reason = "", ""
    try:
        asked.ask()
    except errors.PreemptedError:
        raise
    except (errors.TransientError, errors.PermanentError) as error:
        unread, reason = _kind_of(error), str(error)
    except (parts.UnknownPartsError, _TooLongError) as error:
        unread = reason = str(error)
    found = Look(
        digest=digest,
        parts=len(asked.tree.parts) if asked.tree else 1,
        missing=tuple(asked.missing),
        unread=unread,
    )
    return found, reason


def note_shown(
    release: Release,
    manifest: images.Manifest | None,
    evidence: parts.Evidence,
    context: ports.Context,
) -> bool:
    """Record that a release is complete, if its own push has shown it; ask nothing.

    A ledger that refuses does not matter here: a later check finds out.

    Returns:
        Whether it has.
    """
    if manifest is None or manifest.digest != release.digest:
        return False
    tree = parts.is_shown(manifest, evidence)
    if tree is None:
        return False
    with contextlib.suppress(errors.LedgerError):
        before = context.ledger.check_of(release.job_id)
        record = completeness.shown(
            release.job_id,
            release.digest,
            parts=len(tree.parts),
            now=context.clock.now(),
        )
        # The release's next commit syncs it; without it a check follows.
        context.ledger.record_check(record, is_synced=False)
        _tell(release, before, record)
    return True


def verify(
    release: Release,
    before: Record | None,
    context: ports.Context,
    *,
    give_way: Callable[[], None] = lambda: None,
) -> tuple[Look, str]:
    """Look for all parts of a release with its app's login, and record the result.

    Returns:
        As `look` does.

    Raises:
        PreemptedError: Another job goes first.
    """
    image = reference.parse(release.reference)
    session = registry_session.RegistrySession(
        context,
        app=release.app,
        domain=image.domain,
        direction=backoff.Direction.PULL,
    )
    reader = reader_of(image, session, context, give_way=give_way)
    found, reason = look(image, release.digest, reader, context.clock.monotonic)
    record(release, found, before, context)
    return found, reason


def ask_again(
    release: Release,
    known: Record | None,
    context: ports.Context,
    give_way: Callable[[], None],
) -> Record | None:
    """Return what the registry lacks of a release that the Engine could not pull.

    It is not asked again within an hour after it lacked something.

    Raises:
        PreemptedError: Another job goes first.
    """
    now = context.clock.now()
    is_known = known is not None and known.standing is Standing.INCOMPLETE
    if is_known and not completeness.is_due(
        known, release.digest, job_id=release.job_id, now=now
    ):
        return known
    verify(release, known, context, give_way=give_way)
    return context.ledger.check_of(release.job_id)


def record(
    release: Release, found: Look, before: Record | None, context: ports.Context
) -> Record:
    """Record a look at a release; return what is known now.

    Args:
        release: The release.
        found: The look.
        before: What was known when it began: it is discarded if that has changed.
        context: The host.
    """
    known = completeness.after(
        before, found, job_id=release.job_id, now=context.clock.now()
    )
    if context.ledger.replace_check(before, known):
        _tell(release, before, known)
    return context.ledger.check_of(release.job_id) or known


def record_now(release: Release, found: Look, context: ports.Context) -> None:
    """Record a look that came after all others, such as that of a repair."""
    before = context.ledger.check_of(release.job_id)
    known = completeness.after(
        before, found, job_id=release.job_id, now=context.clock.now()
    )
    context.ledger.record_check(known)
    _tell(release, before, known)


def _tell(release: Release, before: Record | None, known: Record) -> None:
    was_incomplete = before is not None and before.standing is Standing.INCOMPLETE
    log = structlog.get_logger()
    if known.standing is Standing.INCOMPLETE:
        if not was_incomplete or before is None or before.missing != known.missing:
            log.warning(
                "release.incomplete",
                app=release.app,
                reference=release.reference,
                digest=known.digest,
                missing=list(known.missing),
                lacking=known.lacking,
            )
    elif was_incomplete:
        log.info(
            "release.completed",
            app=release.app,
            reference=release.reference,
            digest=known.digest,
        )


def _kind_of(error: errors.RegistrydError) -> str:
    """Return why a look could not be completed, without the registry's own words."""
    match error:
        case errors.RegistryBusyError() | errors.RateLimitedError():
            return completeness.LIMITED
        case errors.TransientError():
            return "the registry does not answer"
        case errors.AuthenticationError() | errors.AccessDeniedError():
            return "the registry does not let this login read it"
    return "the registry does not return it"


class _TooLongError(Exception):
    """A look takes too long."""


class _Questions:
    """The questions of one look, and the answers so far."""

    def __init__(
        self,
        image: reference.ImageReference,
        digest: str,
        reader: Reader,
        monotonic: Callable[[], float],
    ) -> None:
        self._image = image
        self._digest = digest
        self._reader = reader
        self._monotonic = monotonic
        self._ends_at = monotonic() + MOST_SECONDS
        self.tree: parts.Tree | None = None
        self.missing: list[parts.Part] = []

    def ask(self) -> None:
        """Read the manifests, then ask for each blob."""
        root = self._read(parts.Part(parts.Kind.MANIFEST, self._digest))
        if root is None:
            return
        known: dict[str, images.Manifest | None] = {}
        self.tree = parts.walk(root, known)
        while self.tree.unread:
            for part in self.tree.unread:
                known[part.digest] = self._read_child(part)
            self.tree = parts.walk(root, known)
        for part in self.tree.parts:
            if part.kind is parts.Kind.MANIFEST:
                continue
            self._go_on()
            if not self._reader.has_blob(part.digest):
                self.missing.append(part)

    def _read_child(self, part: parts.Part) -> images.Manifest | None:
        try:
            return self._read(part)
        except errors.ForeignManifestError:
            return None  # It is there, and names nothing that an Engine pulls.

    def _read(self, part: parts.Part) -> images.Manifest | None:
        self._go_on()
        found = self._reader.manifest(self._image.with_digest(part.digest))
        if found is None:
            self.missing.append(part)
        return found

    def _go_on(self) -> None:
        self._reader.give_way()
        if self._monotonic() > self._ends_at:
            raise _TooLongError(f"it took longer than {MOST_SECONDS:.0f} s")
