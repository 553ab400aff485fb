"""Looks for all parts of an image in its registry; records nothing.

The manifests are read once, since a registry may count that as pulls, and from then on
each part is asked for by HEAD. HEAD proves presence only; a part is missing if a GET
answers 404, and unknown after any other answer.

What a first look does not find of an index's images for other platforms was never
pushed, as far as is known, and no Engine of this platform asks for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number
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
    digest: Callable[[reference.ImageReference], str | None] | None = None
    """Returns the digest of a manifest by HEAD; without it manifests are read."""
    is_scarce: Callable[[], bool] = lambda: False
    """Returns whether the registry's limit leaves too few reads of manifests."""
    platform: Callable[[], str] = lambda: ""
    """Returns the platform of this host; empty if it is unknown."""


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
    used: list[logins.AuthConfig | None] = []
    """The login of the latest request; its limit counts."""

    def look_up(
        target: reference.ImageReference, auth: logins.AuthConfig | None
    ) -> str | None:
        used[:] = [auth]
        return registry.digest(target, auth=auth, for_push=for_push)

    def is_scarce() -> bool:
        left = registry.allowance(image.domain, auth=used[0]) if used else None
        return left is not None and left.is_scarce

    return Reader(
        manifest=lambda target: session.call(
            lambda auth: registry.manifest(target, auth=auth, for_push=for_push)
        ),
        has_blob=lambda digest: session.call(
            lambda auth: registry.has_blob(image, digest, auth=auth, for_push=for_push)
        ),
        give_way=give_way,
        digest=lambda target: session.call(partial(look_up, target)),
        is_scarce=is_scarce,
        platform=lambda: context.engine.facts().platform,
    )


def look(
    image: reference.ImageReference,
    digest: str,
    reader: Reader,
    monotonic: Callable[[], float],
    *,
    tree: Sequence[str] = (),
    asks_number: bool = False,
) -> tuple[Look, str]:
    """Look for all parts of an image in its registry.

    Args:
        image: A reference in its repository.
        digest: The digest of its manifest or index.
        reader: Reads the repository.
        monotonic: The clock for the timeout.
        tree: The names of its parts, if it was complete before.
        asks_number: Whether the tag of `image` must lead to that digest, too.

    Returns:
        The result, and the registry's reason if it could not be completed.

    Raises:
        PreemptedError: Another job goes first.
    """
    asked = _Questions(image, digest, reader, monotonic)
    unread, reason = "", ""
    try:
        if asks_number:
            asked.ask_number()
        if tree:
            asked.ask_for([parts.parse(name) for name in tree])
        else:
            asked.ask()
    except errors.PreemptedError:
        raise
    except _ScarceError as error:
        unread, reason = completeness.LIMITED, str(error)
    except (errors.TransientError, errors.PermanentError) as error:
        unread, reason = _kind_of(error), str(error)
    except (parts.UnknownPartsError, _TooLongError) as error:
        unread = reason = str(error)
    found = Look(
        digest=digest,
        parts=len(asked.parts) or 1,
        missing=tuple(asked.missing),
        unread=unread,
        number=asked.number,
        tree=tuple(map(str, asked.parts)),
        requests=asked.requests,
        reads=asked.reads,
    )
    return found, reason


def _kind_of(error: errors.RegistrydError) -> str:
    """Return why a look could not be completed, without the registry's own words."""
    match error:
        case errors.RegistryBusyError() | errors.RateLimitedError():
            return completeness.LIMITED
        case errors.EngineUnavailableError():
            return "the Docker Engine does not answer"
        case errors.TransientError():
            return "the registry does not answer"
        case errors.AuthenticationError() | errors.AccessDeniedError():
            return "the registry does not let this login read it"
    return "the registry does not return it"


class _TooLongError(Exception):
    """A look takes too long."""


class _ScarceError(Exception):
    """The registry's limit leaves too few reads."""


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
        self.parts: tuple[parts.Part, ...] = ()
        """All parts that it must have, as far as they are known."""
        self.missing: list[parts.Part] = []
        self.number: Number | None = None
        self.requests = self.reads = 0

    def ask_number(self) -> None:
        """Ask what is under the number."""
        try:
            found = self._digest_of(self._image)
        except errors.ForeignManifestError:
            found = ""
        if found is None:
            self.number = Number.GONE
        else:
            is_kept = found == self._digest
            self.number = Number.KEPT if is_kept else Number.MOVED

    def ask_for(self, wanted: Sequence[parts.Part]) -> None:
        """Ask for each of the known parts."""
        self.parts = tuple(wanted)
        for part in wanted:
            if not self._has(part):
                self.missing.append(part)

    def ask(self) -> None:
        """Read the manifests, then ask for each blob."""
        root = self._read(parts.Part(parts.Kind.MANIFEST, self._digest))
        if root is None:
            return
        known: dict[str, images.Manifest | None] = {}
        tree = parts.walk(root, known)
        self.parts = tree.parts
        try:
            while tree.unread:
                for part in tree.unread:
                    known[part.digest] = self._read_child(part)
                tree = parts.walk(root, known)
                self.parts = tree.parts
            for part in tree.parts:
                is_manifest = part.kind is parts.Kind.MANIFEST
                if not is_manifest and not self._has(part):
                    self.missing.append(part)
        finally:
            if self.missing:
                self._leave_out(root, known)

    def _leave_out(
        self, root: images.Manifest, known: dict[str, images.Manifest | None]
    ) -> None:
        """Leave out what is missing and only other platforms need."""
        if root.media_type not in parts.INDEX_TYPES:
            return
        try:
            foreign = parts.foreign_children(root, self._reader.platform())
        except errors.EngineUnavailableError:
            self.missing.clear()  # It is not known whether this host needs them.
            raise
        if not foreign:
            return
        unread: dict[str, images.Manifest | None] = dict.fromkeys(foreign)
        needed = parts.walk(root, known | unread).parts
        digests = {part.digest for part in needed} - foreign
        spared = {part for part in self.missing if part.digest not in digests}
        self.missing = [part for part in self.missing if part not in spared]
        self.parts = tuple(part for part in self.parts if part not in spared)

    def _has(self, part: parts.Part) -> bool:
        if part.kind is not parts.Kind.MANIFEST:
            self._go_on()
            return self._reader.has_blob(part.digest)
        if part.digest == self._digest and self.number is Number.KEPT:
            return True  # The number has just led to it.
        return self._digest_of(self._image.with_digest(part.digest)) is not None

    def _digest_of(self, target: reference.ImageReference) -> str | None:
        if self._reader.digest is not None:
            self._go_on()
            return self._reader.digest(target)
        found = self._get(target)
        return None if found is None else found.digest

    def _read_child(self, part: parts.Part) -> images.Manifest | None:
        try:
            return self._read(part)
        except errors.ForeignManifestError:
            return None  # It is there, and names nothing that an Engine pulls.

    def _read(self, part: parts.Part) -> images.Manifest | None:
        found = self._get(self._image.with_digest(part.digest))
        if found is None:
            self.missing.append(part)
        return found

    def _get(self, target: reference.ImageReference) -> images.Manifest | None:
        self._go_on()
        if self._reader.is_scarce():
            raise _ScarceError(
                "the registry's limit on pulls leaves too few of them for checks"
            )
        self.reads += 1
        return self._reader.manifest(target)

    def _go_on(self) -> None:
        self._reader.give_way()
        if self._monotonic() > self._ends_at:
            raise _TooLongError(f"it took longer than {MOST_SECONDS:.0f} s")
        self.requests += 1
