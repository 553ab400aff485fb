"""Copying: an image from one repository to another, registry to registry.

The Engine takes no part. Blobs that the target lacks are mounted if both repositories
are in one registry, and else streamed; nothing is kept here. Manifests follow, children
before parents, with unchanged bytes, so the target has the same digest or nothing. Each
step asks first whether it was done: a copy that was killed continues where it was.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.effects.registry import blob_sources, registry_session

_LOOK_SECONDS: Final = 0.2  # between two questions whether to give way


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository, and how it is asked."""

    image: reference.ImageReference
    """A reference in it."""
    session: registry_session.RegistrySession
    login: Callable[[], logins.AuthConfig | None]
    """Returns the present login, to compare it with another one's."""


@dataclass(slots=True, kw_only=True)
class Copied:
    """What a copy has done."""

    digest: str
    blobs: int = 0
    """How many of them the target has now and did not have before."""
    mounted: int = 0
    """How many of these were mounted, so that no byte was sent."""
    sent_bytes: int = 0


def place_of(
    image: reference.ImageReference,
    app: str,
    context: ports.Context,
    direction: backoff.Direction,
    *,
    check: Callable[[], object],
    is_aside: bool = False,
) -> Place:
    """Return a repository as an app asks it.

    Args:
        image: A reference in it.
        app: The app whose login is used.
        context: The host.
        direction: Pull for a source, push for a target.
        check: Raises if it should end.
        is_aside: Whether no other job pauses when the registry wants fewer requests.
    """
    session = registry_session.RegistrySession(
        context,
        app=app,
        domain=image.domain,
        direction=direction,
        check=check,
        is_aside=is_aside,
    )
    return Place(
        image=image,
        session=session,
        login=lambda: context.credentials.resolve(app, image.domain),
    )


def copy(
    digest: str,
    source: Place,
    target: Place,
    context: ports.Context,
    *,
    give_way: Callable[[], None] = lambda: None,
    parallel: int = 1,
    is_thorough: bool = False,
) -> Copied:
    """Copy a manifest or index, with all that the source has of it.

    Afterwards the target has it by its digest, under no tag.

    Args:
        digest: The digest of the manifest or index.
        source: Where it is.
        target: Where it will be.
        context: The host.
        give_way: Raises if the copy should end; it is called several times a second.
        parallel: How many blobs are copied at the same time.
        is_thorough: Whether to look for each part, although the target has the
            manifest: it may have lost some.

    Raises:
        ImageNotFoundError: The source lacks it, or a part of it.
        DigestMismatchError: The source, or the target, has other content.
        TransientError: A registry does not answer.
        PermanentError: A registry refuses.
    """
    work = _Copy(digest, source, target, context, give_way, is_thorough=is_thorough)
    return work.run(parallel)


@dataclass(slots=True)
class _Found:
    """The manifests of the source, each after those that it names, and their blobs."""

    manifests: dict[str, images.Manifest] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    """Sizes by digest."""


class _Copy:
    """One copy."""

    def __init__(
        self,
        digest: str,
        source: Place,
        target: Place,
        context: ports.Context,
        give_way: Callable[[], None],
        *,
        is_thorough: bool,
    ) -> None:
        self._is_thorough = is_thorough
        self._digest = digest
        self._source = source
        self._target = target
        self._registry = context.registry
        self._monotonic = context.clock.monotonic
        self._ask = give_way
        self._asked_at = float("-inf")
        self._may_mount = _is_one_registry(source, target)
        self._copied = Copied(digest=digest)
        self._lock = threading.Lock()

    def run(self, parallel: int) -> Copied:
        """Copy what the target lacks."""
        if not self._is_thorough and self._has(self._digest):
            return self._copied
        found = _Found()
        try:
            self._read(self._digest, found, depth=1)
        except parts.UnknownPartsError as error:
            raise errors.PermanentError(
                f"cannot copy {self._name(self._digest)}: {error}"
            ) from error
        if self._digest not in found.manifests:
            raise errors.ImageNotFoundError(
                f"cannot copy {self._name(self._digest)}: the registry no longer has it"
            )
        self._copy_blobs(found.blobs, parallel)
        for manifest in found.manifests.values():
            self._put(manifest)
        return self._copied

    def _name(self, digest: str) -> str:
        return self._source.image.with_digest(digest).familiar

    def _give_way(self) -> None:
        now = self._monotonic()
        if now - self._asked_at >= _LOOK_SECONDS:
            self._asked_at = now
            self._ask()

    # -- manifests

    def _has(self, digest: str) -> bool:
        self._ask()
        image = self._target.image.with_digest(digest)
        found = self._target.session.call(
            lambda auth: self._registry.digest(image, auth=auth, for_push=True)
        )
        return found is not None

    def _read(self, digest: str, found: _Found, *, depth: int) -> None:
        """Read a manifest and those that it names; leave out what the source lacks."""
        self._ask()
        if digest in found.manifests:
            return
        if depth > parts.MAX_DEPTH:
            raise parts.UnknownPartsError(
                f"its indexes have more than {parts.MAX_DEPTH} levels"
            )
        image = self._source.image.with_digest(digest)
        try:
            manifest = self._source.session.call(
                lambda auth: self._registry.manifest(image, auth=auth)
            )
        except errors.ForeignManifestError:
            manifest = None  # No registry asks for it, nor does an Engine.
        if manifest is None:
            return
        named = parts.named_in(manifest)
        for part, size in named:
            if part.kind is parts.Kind.MANIFEST:
                self._read(part.digest, found, depth=depth + 1)
            else:
                found.blobs[part.digest] = size
        found.manifests[digest] = manifest
        if len(found.blobs) + len(found.manifests) > parts.MAX_PARTS:
            raise parts.UnknownPartsError(f"it has more than {parts.MAX_PARTS} parts")
        if sum(len(one.body) for one in found.manifests.values()) > parts.MAX_BYTES:
            raise parts.UnknownPartsError(
                f"its manifests exceed {parts.MAX_BYTES} bytes"
            )

    def _put(self, manifest: images.Manifest) -> None:
        self._ask()
        image = self._target.image.with_digest(manifest.digest)
        stated = self._target.session.call(
            lambda auth: self._registry.put_manifest(image, manifest, auth=auth)
        )
        if stated != manifest.digest:
            raise errors.DigestMismatchError(
                f"cannot put {image.canonical}: the registry stored it as {stated}. Ask"
                " its operator"
            )

    # -- blobs

    def _copy_blobs(self, blobs: dict[str, int], parallel: int) -> None:
        if parallel == 1:
            for digest, size in blobs.items():
                self._copy_blob(digest, size)
            return
        with ThreadPoolExecutor(max_workers=parallel) as pool:
            tasks = [pool.submit(self._copy_blob, *blob) for blob in blobs.items()]
            try:
                for task in tasks:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()

    def _copy_blob(self, digest: str, size: int) -> None:
        self._ask()
        begun: ports.BegunUpload | None = None
        if self._is_thorough and self._has_blob(digest):
            return
        if self._may_mount:
            is_there, begun = self._mount(digest)
            if is_there:
                return
        if begun is None and not self._is_thorough and self._has_blob(digest):
            return
        if not size:
            self._target.session.call(
                lambda auth: self._registry.put_blob(
                    self._target.image, digest, b"", auth=auth, begun=begun
                )
            )
            self._count()
            return
        self._stream(digest, size, begun)
        self._count(sent_bytes=size)

    def _mount(self, digest: str) -> tuple[bool, ports.BegunUpload | None]:
        """Return whether the target has it now, and what was begun instead."""
        try:
            begun = self._target.session.call(
                lambda auth: self._registry.mount_blob(
                    self._target.image, digest, self._source.image.path, auth=auth
                )
            )
        except (errors.PermanentError, errors.RegistryUnavailableError):
            # A plain upload shows whether it is the login, or the registry.
            self._may_mount = False
            return False, None
        if begun is None:
            self._count(mounted=1)
        return begun is None, begun

    def _count(self, *, mounted: int = 0, sent_bytes: int = 0) -> None:
        with self._lock:
            self._copied.blobs += 1
            self._copied.mounted += mounted
            self._copied.sent_bytes += sent_bytes

    def _has_blob(self, digest: str) -> bool:
        image = self._target.image
        # A refusal is ignored: the upload that follows gets it again.
        with contextlib.suppress(errors.PermanentError):
            size = self._target.session.call(
                lambda auth: self._registry.blob_size(image, digest, auth=auth)
            )
            return size is not None
        return False

    def _stream(self, digest: str, size: int, begun: ports.BegunUpload | None) -> None:
        blob = blob_sources.RemoteBlob(
            f"{self._source.image.repository}@{digest}",
            digest,
            size,
            open_at=partial(self._open, digest),
            check=self._give_way,
        )

        def send(auth: logins.AuthConfig | None) -> None:
            nonlocal begun
            first, begun = begun, None  # It is for one attempt.
            blob.rewind(0)
            self._registry.send_blob(
                self._target.image, digest, blob, size, auth=auth, begun=first
            )

        try:
            self._target.session.call(send)
        except blob_sources.UnreadError as error:
            raise error.reason from error
        finally:
            blob.close()

    def _open(self, digest: str, offset: int) -> ports.BlobStream:
        return self._source.session.call(
            lambda auth: self._registry.open_blob(
                self._source.image, digest, auth=auth, offset=offset
            )
        )


def _is_one_registry(source: Place, target: Place) -> bool:
    """Return whether blobs can be mounted: one registry, and one login to it."""
    domains = (place.image.domain for place in (source, target))
    if len(set(map(reference.normalize_domain, domains))) > 1:
        return False
    try:
        return source.login() == target.login()
    except errors.RegistrydError:
        return False  # The requests themselves tell what is wrong with it.
