"""A registry and logins with memory, for tests of what uses them."""

import contextlib
import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dokku_registryd import errors, ports
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.image.reference import ImageReference
from dokku_registryd.core.registry import allowances
from dokku_registryd.core.registry import referrers as referring
from fakes_relay import CONTENTS


class NotBegun:
    """Implements `ports.BegunUpload`."""

    def cancel(self) -> None:
        """Do nothing."""


class FakeStream:
    """Implements `ports.BlobStream`."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in two pieces."""
        half = len(self._body) // 2
        yield self._body[:half]
        yield self._body[half:]

    def close(self) -> None:
        """Do nothing."""


@dataclass(kw_only=True)
class FakeRegistry:
    """Implements `ports.Registry`: every registry that a test names, in one.

    Contract tests run the same suite on it and on the real adapter.
    """

    manifests: dict[tuple[str, str], images.Manifest] = field(default_factory=dict)
    """By repository (`domain/path`) and tag."""
    content: dict[str, set[images.Manifest]] = field(default_factory=dict)
    """What a repository could name, tagged or not, by repository."""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By repository and digest."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    """Bytes that were sent, by where they are to be closed."""
    logins: dict[str, AuthConfig] = field(default_factory=dict)
    """The one login that a domain takes; a domain that is not here takes any login."""
    immutable: set[tuple[str, str]] = field(default_factory=set)
    """Repository and tag that may not move once they exist."""
    lacks_blobs: set[str] = field(default_factory=set)
    """Repositories that have lost what manifests refer to."""
    failures: dict[str, deque[Exception]] = field(default_factory=dict)
    """What the next calls of a method raise, by its name.

    Manifests that are requested by digest also have `manifest_by_digest`.
    """
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Method and reference (or domain), in order."""
    takes_tags: bool = False
    """Whether several tags may be put at once."""
    removes: frozenset[str] = frozenset({"digest"})
    """By what it removes: `tag`, `digest`, or both."""
    removes_all_tags: bool = False
    """Whether the removal of a tag removes its manifest with all its tags."""
    mounts: bool = True
    """Whether blobs of another repository can be mounted."""
    lists_referrers: bool = True
    """Whether it has the referrers API."""
    is_down: bool = False
    down: set[str] = field(default_factory=set)
    """Domains that do not answer while others do."""
    left: allowances.Allowance | None = None
    ahead: float | None = 0.0
    """How far the clock of the host is ahead of its own."""
    """What the limit for pulls leaves."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, method: str, *failures: Exception) -> None:
        """Let the next calls of a method fail, one failure each."""
        self.failures.setdefault(method, deque()).extend(failures)

    def store(self, image: str, manifest: images.Manifest) -> None:
        """Store a manifest, as a push of another client would."""
        parsed = reference.parse(image)
        with self.lock:
            self.content.setdefault(parsed.repository, set()).add(manifest)
            self._store_parts(parsed.repository, manifest)
            if parsed.tag:
                self.manifests[parsed.repository, parsed.tag] = manifest

    def ping(self, domain: str, *, auth: AuthConfig | None) -> None:
        """Return if the domain takes this login."""
        with self.lock:
            self._begin("ping", domain, domain, auth)

    def reach(self, domain: str) -> None:
        """Return if the domain answers."""
        with self.lock, contextlib.suppress(errors.AuthenticationError):
            self._begin("reach", domain, domain, None)

    def digest(
        self,
        image: ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> str | None:
        """Return the digest that a reference stands for."""
        del for_push
        with self.lock:
            self._begin("digest", image.canonical, image.domain, auth)
            found = self._find(image)
            return None if found is None else found.digest

    def manifest(
        self,
        image: ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> images.Manifest | None:
        """Return a manifest."""
        del for_push
        with self.lock:
            self._begin("manifest", image.canonical, image.domain, auth)
            by_digest = self.failures.get("manifest_by_digest")
            if image.digest and by_digest:
                raise by_digest.popleft()
            return self._find(image)

    def put_manifest(
        self,
        image: ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag."""
        with self.lock:
            self._begin("put_manifest", image.canonical, image.domain, auth)
            if image.repository in self.lacks_blobs:
                raise errors.ImageNotFoundError(
                    f"cannot put {image.canonical}: blob unknown to registry"
                )
            place = image.repository, image.tag or "latest"
            if place in self.immutable and place in self.manifests:
                raise errors.TagImmutableError(
                    f"cannot put {image.canonical}: the tag is immutable"
                )
            self.content.setdefault(image.repository, set()).add(manifest)
            self._store_parts(image.repository, manifest)
            if not image.digest:
                self.manifests[place] = manifest
            return manifest.digest

    def put_tags(
        self,
        image: ImageReference,
        manifest: images.Manifest,
        tags: Sequence[str],
        *,
        auth: AuthConfig | None,
    ) -> frozenset[str]:
        """Put a manifest under tags, except immutable ones."""
        if not self.takes_tags:
            return frozenset()
        with self.lock:
            self._begin("put_tags", image.repository, image.domain, auth)
            owner = image.repository
            self.content.setdefault(owner, set()).add(manifest)
            taken = self.immutable.intersection(self.manifests)
            moved = [tag for tag in tags if (owner, tag) not in taken]
            self.manifests.update({(owner, tag): manifest for tag in moved})
            return frozenset(moved)

    def put_referrer(
        self,
        image: ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> bool:
        """Store a manifest under its digest."""
        with self.lock:
            self._begin("put_referrer", image.repository, image.domain, auth)
            self.content.setdefault(image.repository, set()).add(manifest)
            return self.lists_referrers

    def referrers(
        self,
        image: ImageReference,
        artifact_type: str,
        *,
        auth: AuthConfig | None,
    ) -> list[referring.Descriptor] | None:
        """Return what was stored with this subject."""
        with self.lock:
            self._begin("referrers", image.canonical, image.domain, auth)
            if not self.lists_referrers:
                return None
            stored = sorted(
                self.content.get(image.repository, set()), key=lambda one: one.digest
            )
        index: images.Manifest | None = None
        for manifest in stored:
            content = json.loads(manifest.body) if manifest.body[:1] == b"{" else {}
            if content.get("subject", {}).get("digest") == image.digest:
                entry = referring.descriptor_of(
                    manifest, content["artifactType"], content["annotations"]
                )
                body = index.body if index else None
                index = referring.with_entry(body, entry) or index
        return referring.parse(index.body, artifact_type) if index else []

    def tags(
        self,
        image: ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> list[str]:
        """Return every tag of the repository."""
        del for_push
        with self.lock:
            self._begin("tags", image.repository, image.domain, auth)
            return [tag for owner, tag in self.manifests if owner == image.repository]

    def delete(self, image: ImageReference, *, auth: AuthConfig | None) -> None:
        """Delete a manifest by its digest, and with it every tag that names it."""
        with self.lock:
            self._begin("delete", image.canonical, image.domain, auth)
            if not image.digest:
                raise errors.InvalidRequestError(
                    f"cannot delete {image.canonical}: it names no digest"
                )
            owner, digest = image.repository, image.digest
            self.content[owner] = {
                kept for kept in self.content.get(owner, ()) if kept.digest != digest
            }
            self.manifests = {
                place: kept
                for place, kept in self.manifests.items()
                if place[0] != owner or kept.digest != digest
            }

    def remove(self, image: ImageReference, *, auth: AuthConfig | None) -> str:
        """Remove a tag or a manifest, if the registry can."""
        with self.lock:
            self._begin("remove", image.canonical, image.domain, auth)
            kind = "digest" if image.digest else "tag"
            if kind not in self.removes:
                return "405 UNSUPPORTED (The operation is unsupported.)"
        if image.digest:
            self.delete(image, auth=auth)
            return ""
        with self.lock:
            place = image.repository, image.tag or "latest"
            gone = self.manifests.pop(place, None)
            if gone is not None and self.removes_all_tags:
                self.delete(image.with_digest(gone.digest), auth=auth)
        return ""

    def blob_size(
        self, image: ImageReference, digest: str, *, auth: AuthConfig | None
    ) -> int | None:
        """Return the size of a blob that is there."""
        with self.lock:
            self._begin("blob_size", image.repository, image.domain, auth)
            found = self.blobs.get((image.repository, digest))
            return None if found is None else len(found)

    def has_blob(
        self,
        image: ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> bool:
        """Return whether a blob is there."""
        del for_push
        with self.lock:
            self._begin("has_blob", image.repository, image.domain, auth)
            return (image.repository, digest) in self.blobs

    def clock_ahead(self, domain: str) -> float | None:
        """Return `ahead`."""
        return self.ahead

    def allowance(
        self, domain: str, *, auth: AuthConfig | None
    ) -> allowances.Allowance | None:
        """Return what a test says is left."""
        del domain, auth
        return self.left

    def begin_blob(
        self, image: ImageReference, *, auth: AuthConfig | None
    ) -> ports.BegunUpload:
        """Begin an upload that is never needed."""
        with self.lock:
            self._begin("begin_blob", image.repository, image.domain, auth)
        return NotBegun()

    def put_blob(
        self,
        image: ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: AuthConfig | None,
        on_sent: Callable[[int], None] = lambda _size: None,
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Store a blob."""
        del begun
        with self.lock:
            self._begin("put_blob", image.repository, image.domain, auth)
            self._store_blob(image.repository, digest, bytes(body))
        on_sent(len(body))

    def send_blob(
        self,
        image: ImageReference,
        digest: str,
        source: ports.BlobSource,
        size: int,
        *,
        auth: AuthConfig | None,
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Store the bytes of a source."""
        del begun
        with self.lock:
            self._begin("send_blob", image.repository, image.domain, auth)
        body = b"".join(source.read(size))
        with self.lock:
            self._store_blob(image.repository, digest, body)

    def mount_blob(
        self,
        image: ImageReference,
        digest: str,
        path: str,
        *,
        auth: AuthConfig | None,
    ) -> ports.BegunUpload | None:
        """Store the blob of another repository."""
        with self.lock:
            self._begin("mount_blob", image.repository, image.domain, auth)
            found = self.blobs.get((f"{image.domain}/{path}", digest))
            if found is None or not self.mounts:
                return NotBegun()
            self.blobs[image.repository, digest] = found
            return None

    def open_blob(
        self,
        image: ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        offset: int = 0,
    ) -> ports.BlobStream:
        """Return the bytes of a blob."""
        with self.lock:
            self._begin("open_blob", image.repository, image.domain, auth)
            found = self.blobs.get((image.repository, digest))
            if found is None:
                raise errors.ImageNotFoundError(
                    f"cannot read a layer of {image.familiar}: 404 BLOB_UNKNOWN",
                    status=404,
                )
            return FakeStream(found[offset:])

    def stream_blob(
        self,
        image: ImageReference,
        source: ports.BlobSource,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Keep bytes under a place of their own."""
        with self.lock:
            self._begin("stream_blob", image.repository, image.domain, auth)
        body = b"".join(source.read())
        with self.lock:
            location = f"https://{image.domain}/upload/{len(self.uploads)}"
            self.uploads[location] = body
        return location

    def close_blob(
        self,
        image: ImageReference,
        location: str,
        digest: str,
        *,
        auth: AuthConfig | None,
    ) -> None:
        """Make a blob of what was kept."""
        with self.lock:
            self._begin("close_blob", image.repository, image.domain, auth)
            self._store_blob(image.repository, digest, self.uploads[location])

    def _store_parts(self, repository: str, manifest: images.Manifest) -> None:
        """Store what a manifest names, as its client has done before."""
        with contextlib.suppress(parts.UnknownPartsError):
            for part in parts.parts_of(manifest):
                if part.kind is not parts.Kind.MANIFEST:
                    content = CONTENTS.get(part.digest, b"")
                    self.blobs.setdefault((repository, part.digest), content)

    def _store_blob(self, repository: str, digest: str, body: bytes) -> None:
        if digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
            raise errors.InvalidRequestError(
                f"cannot send a layer to {repository}: DIGEST_INVALID"
            )
        self.blobs[repository, digest] = body

    def _begin(
        self, method: str, on: str, domain: str, auth: AuthConfig | None
    ) -> None:
        self.calls.append((method, on))
        if self.is_down or domain in self.down:
            raise errors.RegistryUnavailableError(
                f"{domain} does not answer: connection refused"
            )
        waiting = self.failures.get(method)
        if waiting:
            raise waiting.popleft()
        wanted = self.logins.get(domain)
        if wanted is not None and not _agree(wanted, auth):
            raise errors.AuthenticationError(f"cannot log in to {domain}")

    def _find(self, image: ImageReference) -> images.Manifest | None:
        if not image.digest:
            return self.manifests.get((image.repository, image.tag or "latest"))
        stored = self.content.get(image.repository, set())
        return next((one for one in stored if one.digest == image.digest), None)


@dataclass(kw_only=True)
class FakeCredentials:
    """Implements `ports.Credentials`."""

    logins: dict[tuple[str, str], AuthConfig] = field(default_factory=dict)
    """By app (`""` is global) and normalized domain."""
    held: dict[str, list[str]] = field(default_factory=dict)
    """Domains that a detached folder's login is kept for in helpers, by folder."""
    failures: dict[str, deque[Exception]] = field(default_factory=dict)
    """What the next calls of a method raise, by its name."""
    calls: list[tuple[str, ...]] = field(default_factory=list)
    """Method and arguments, in order."""

    def fail(self, method: str, *failures: Exception) -> None:
        """Let the next calls of a method fail, one failure each."""
        self.failures.setdefault(method, deque()).extend(failures)

    def resolve(self, app: str, domain: str) -> AuthConfig | None:
        """Return the app's login, else the global one."""
        self.calls.append(("resolve", app, domain))
        self._fail_if_told("resolve")
        host = reference.normalize_domain(domain)
        own = self.logins.get((app, host)) if app else None
        if own is not None:
            return replace(own, owner=app)
        return self.logins.get(("", host))

    def forget(self, directory: str) -> list[str]:
        """Erase what a detached folder holds; the second time there is nothing."""
        self.calls.append(("forget", directory))
        self._fail_if_told("forget")
        return self.held.pop(directory, [])

    def _fail_if_told(self, method: str) -> None:
        waiting = self.failures.get(method)
        if waiting:
            raise waiting.popleft()


def _agree(wanted: AuthConfig, auth: AuthConfig | None) -> bool:
    if auth is None:
        return False
    return (auth.username, auth.password, auth.identity_token) == (
        wanted.username,
        wanted.password,
        wanted.identity_token,
    )
