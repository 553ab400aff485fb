"""A relay with memory: the Engine in memory hands it what it pushes.

It asks the registry as the real one does, so that what that refuses ends the push.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import parts, reference
from dokku_registryd.core.image.images import Manifest

HOST = "127.0.0.1:5871"
CONTENTS: dict[str, bytes] = {}
"""The bytes of the blobs of images, by digest."""


class FakePassage:
    """Implements `ports.Passage`."""

    def __init__(
        self,
        image: reference.ImageReference,
        registry: ports.Registry,
        call: ports.Call,
        number: int,
    ) -> None:
        self._image = image
        self._registry = registry
        self._call = call
        self._repository = relay_protocol.repository_for(HOST, image)
        self._tag = f"{image.tag}-{number:08x}"
        self.login = logins.AuthConfig(
            domain=HOST, username="relay", password=logins.Secret(f"once-{number}")
        )
        self.is_reached = False
        self.failure: errors.RegistrydError | None = None
        self.manifest: Manifest | None = None
        self._shown: frozenset[str] = frozenset()

    @property
    def reference(self) -> str:
        """The name by which the Engine is to push."""
        return f"{self._repository}:{self._tag}"

    def shown(self, text: str) -> str:
        """Put the real names in place of ours."""
        text = text.replace(self._repository, self._image.repository)
        return text.replace(self._tag, self._image.tag)

    def liveness(self) -> int:
        """Return how many pushes came in."""
        return int(self.is_reached)

    def take(self, image_id: str, manifest: Manifest) -> None:
        """Bring the layers of an image into its registry, and keep its manifest.

        Raises:
            AccessDeniedError: In the Engine's words, not the registry's.
        """
        digest, content = layer_of(image_id)
        image, registry = self._image, self._registry
        try:
            size = self._call(lambda auth: registry.blob_size(image, digest, auth=auth))
            if size is None:
                self._call(
                    lambda auth: registry.put_blob(image, digest, content, auth=auth)
                )
        except errors.RegistrydError as error:
            self.failure = error
            raise errors.AccessDeniedError(f"cannot push {image}: denied") from error
        self.manifest = manifest
        named = {part.digest for part in parts.parts_of(manifest)}
        self._shown = frozenset({digest, *named})

    def evidence(self) -> parts.Evidence:
        """Return the layer, and what the manifest names."""
        return parts.Evidence(digests=self._shown)


def layer_of(image_id: str) -> tuple[str, bytes]:
    """Return digest and content of the one layer of an image."""
    content = f"layer of {image_id}".encode()
    return remember(content), content


def remember(content: bytes) -> str:
    """Return the digest of the bytes of a blob, which registries then have too."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    CONTENTS[digest] = content
    return digest


class FakeRelay:
    """Implements `ports.Relay`.

    Args:
        refusal: Why it is not used; empty if it is.
    """

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.must_be_used = False
        self.is_missed = False
        """Whether pushes suddenly go to another server."""
        self.host = HOST
        self.losses = 0
        """How often a push did not come here."""
        self.open_passages: list[FakePassage] = []
        self._opened = 0

    def why_not(self, log_in: ports.LogIn) -> str:
        """Let the Engine log in, unless there is another reason."""
        if self.refusal:
            return self.refusal
        trial = logins.AuthConfig(domain=HOST, username="relay")
        try:
            log_in(trial)
        except errors.EngineUnavailableError:
            raise
        except errors.RegistrydError as error:
            return f"the Engine does not reach {HOST}: {error}"
        return ""

    def is_required(self) -> bool:
        """Return what the test says."""
        return self.must_be_used

    def knows(self, auth: logins.AuthConfig) -> bool:
        """Tell whether a login is good for something here."""
        return auth.domain == HOST

    def lost(self) -> None:
        """Count it."""
        self.losses += 1

    @contextmanager
    def open(
        self,
        image: reference.ImageReference,
        registry: ports.Registry,
        call: ports.Call,
        *,
        image_id: str = "",
    ) -> Iterator[FakePassage]:
        """Let one push through."""
        del image_id
        passage = FakePassage(image, registry, call, self._opened)
        self._opened += 1
        self.open_passages.append(passage)
        try:
            yield passage
        finally:
            self.open_passages.remove(passage)

    def is_open(self, name: str) -> bool:
        """Tell whether a push goes on by a name."""
        return any(passage.reference == name for passage in self.open_passages)

    def enter(self, name: str, auth: logins.AuthConfig | None) -> FakePassage | None:
        """Return the push of a name, if the login is that of it."""
        for passage in self.open_passages:
            is_known = passage.reference == name and passage.login == auth
            if is_known and not self.is_missed:
                passage.is_reached = True
                return passage
        return None
