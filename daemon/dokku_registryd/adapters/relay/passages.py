"""Logins of the relay, and what happens to the pushed content.

A push brings layers and manifests. Our client uploads layers to the real registry, with
the app's login, which the Engine never sees; the manifest under the push's own name is
kept for the release.
"""

import contextlib
import secrets
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.adapters.relay import questions, spares
from dokku_registryd.adapters.relay import uploads as relay_uploads
from dokku_registryd.core.auth import logins
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import images, parts, reference

MOST_UPLOADS: Final = 256  # of one push at once; image stores have five
_TAG_BYTES: Final = 4
_MOST_KEPT: Final = 1 << 20  # bytes of manifests; those of an image have some thousand


class Guest:
    """A login of the relay, until it ends.

    Args:
        host: Address and port of the relay.
    """

    def __init__(self, host: str) -> None:
        self.login = logins.AuthConfig(
            domain=host,
            username=relay_protocol.USERNAME,
            password=Secret(secrets.token_urlsafe(relay_protocol.LOGIN_BYTES)),
        )
        self.is_reached = False
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._is_over = False

    def enter(self, connection: socket.socket) -> bool:
        """Record a connection with the login; False if the login has ended."""
        with self._lock:
            self.is_reached = True
            if not self._is_over:
                self._connections.add(connection)
            return not self._is_over

    def leave(self, connection: socket.socket) -> None:
        """Remove a connection."""
        with self._lock:
            self._connections.discard(connection)

    def end(self) -> None:
        """End the login, and close its connections."""
        with self._lock:
            self._is_over = True
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def passage_to(self, name: str) -> "Passage | None":  # noqa: ARG002 - a guest has none
        """Return the passage to a repository, if the login is valid for it."""
        return None


class Passage(Guest):
    """Implements `ports.Passage`: the way of one push through the relay.

    Args:
        host: Address and port of the relay.
        image: The reference in the real registry.
        registry: Its client.
        call: Runs an operation with the app's login.
        shelf: Counts the kept bytes.
    """

    def __init__(
        self,
        host: str,
        image: reference.ImageReference,
        registry: ports.Registry,
        call: ports.Call,
        shelf: relay_uploads.Shelf,
    ) -> None:
        super().__init__(host)
        self._image = image
        self._registry = registry
        self._call = call
        self._shelf = shelf
        self.questions = questions.Questions(self._ask_for)
        self._spare = spares.Spare(self._begin_ahead)
        self._uploads: dict[str, relay_uploads.Upload] = {}
        self.repository = relay_protocol.repository_for(host, image)
        self.name = self.repository.removeprefix(f"{host}/")
        # Names of pushes are unique, so removing one affects no other push.
        self.tag = f"{image.tag}-{secrets.token_hex(_TAG_BYTES)}"
        self.failure: errors.RegistrydError | None = None
        self.manifest: images.Manifest | None = None
        self._moved = 0
        self._sent: set[str] = set()
        """Digests of manifests that the registry has taken."""
        self._kept: list[images.Manifest] = []

    @property
    def reference(self) -> str:
        """The name for the Engine's push."""
        return f"{self.repository}:{self.tag}"

    def shown(self, text: str) -> str:
        """Return a text of the Engine with the relay's names replaced by real ones."""
        text = text.replace(self.repository, self._image.repository)
        text = text.replace(self.tag, self._image.tag)
        return text.replace(self.login.domain, self._image.domain)

    def liveness(self) -> int:
        """Return a number that grows while bytes are received or sent."""
        return self._moved

    def evidence(self) -> parts.Evidence:
        """Return what the registry has answered 200 or 201 for."""
        with self._lock:
            sent, kept = frozenset(self._sent), tuple(self._kept)
        return parts.Evidence(digests=self.questions.found() | sent, manifests=kept)

    def prepare(self, guess: questions.Guess) -> None:
        """Ask for blobs, and begin an upload, before the Engine does."""
        # A host without a thread to spare pushes without.
        with contextlib.suppress(RuntimeError):
            self.questions.ask_ahead(guess.digests)
            if guess.is_new:
                self._spare.prepare()

    # -- for the relay's server

    def passage_to(self, name: str) -> "Passage | None":
        """Return the passage to a repository, if the login is valid for it."""
        return self if name == self.name else None

    def fail(self, error: errors.RegistrydError) -> None:
        """Record why the push cannot succeed; the first reason counts."""
        with self._lock:
            self.failure = self.failure or error

    def end(self) -> None:
        """End the login, close its connections, and discard kept content."""
        super().end()
        self.questions.close()
        self._spare.drop()
        with self._lock:
            uploads = list(self._uploads.values())
            self._uploads.clear()
        for upload in uploads:
            upload.drop()

    def size_of(self, digest: str) -> int | None:
        """Return the size of a blob in the registry; it is asked once."""
        return self.questions.size_of(digest)

    def _ask_for(self, digest: str) -> int | None:
        # A refusal is ignored: the upload that follows gets it again.
        with contextlib.suppress(errors.PermanentError):
            return self._call(
                lambda auth: self._registry.blob_size(self._image, digest, auth=auth)
            )
        return None

    def begin(self) -> str | None:
        """Start an upload and return its ID; None if there are too many."""
        upload_id = uuid.uuid4().hex
        with self._lock:
            if self._is_over or len(self._uploads) >= MOST_UPLOADS:
                return None
            self._uploads[upload_id] = relay_uploads.Upload(self._shelf, self)
        return upload_id

    def upload(self, upload_id: str) -> relay_uploads.Upload | None:
        """Return a running upload."""
        with self._lock:
            return self._uploads.get(upload_id)

    def receive(self, upload: relay_uploads.Upload, pieces: Iterable[bytes]) -> None:
        """Process bytes of an upload."""
        upload.receive(
            self._counted(pieces),
            lambda stream: self._call(
                lambda auth: self._registry.stream_blob(self._image, stream, auth=auth)
            ),
            self._move,
        )

    def finish(self, upload_id: str, digest: str) -> None:
        """Finish an upload in the real registry."""
        with self._lock:
            upload = self._uploads.pop(upload_id, None)
        if upload is None:
            raise errors.RegistryUnavailableError(
                f"cannot push {self._image.familiar}: an upload was finished twice"
            )
        try:
            if upload.location:
                self._close(upload.location, digest)
            else:
                self._put_blob(digest, upload.body)
        finally:
            upload.drop()
        self.questions.note(digest, upload.size)

    def _put_blob(self, digest: str, body: bytearray) -> None:
        begun = self._spare.take()

        def put(auth: logins.AuthConfig | None) -> None:
            self._registry.put_blob(
                self._image, digest, body, auth=auth, on_sent=self._move, begun=begun
            )

        if begun is not None:
            try:
                self._call(put)
            except errors.PermanentError:
                begun = None  # It may be due to the upload that was begun.
            else:
                return
        self._call(put)

    def _begin_ahead(self) -> ports.BegunUpload:
        return self._call(
            lambda auth: self._registry.begin_blob(self._image, auth=auth)
        )

    def _close(self, location: str, digest: str) -> None:
        """Finish an upload whose bytes are gone here.

        Raises:
            SendAgainError: The registry has other bytes, or forgot them.
        """
        try:
            self._call(
                lambda auth: self._registry.close_blob(
                    self._image, location, digest, auth=auth
                )
            )
        except (errors.ImageNotFoundError, errors.InvalidRequestError) as error:
            raise errors.SendAgainError(error) from error

    def cancel(self, upload_id: str) -> None:
        """Remove an upload."""
        with self._lock:
            upload = self._uploads.pop(upload_id, None)
        if upload is not None:
            upload.drop()

    def put(self, key: str, manifest: images.Manifest) -> bool:
        """Keep the manifest under the push's own tag, and pass on those by digest.

        Engine 26.1 also puts the parts of an index under the tag, one after another,
        and the index last. So a manifest that is replaced by another one is a part.
        """
        if key == self.tag:
            with self._lock:
                earlier, self.manifest = self.manifest, manifest
            if earlier is not None and earlier != manifest:
                self._put_part(earlier)
            return True
        if key != manifest.digest:
            return False
        self._put_part(manifest)
        return True

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._move(len(piece))
            yield piece

    def _move(self, size: int) -> None:
        if self._is_over:
            raise errors.EngineUnavailableError("the push has ended")
        self._moved += size  # A race may lose some; it still changes.

    def _put_part(self, manifest: images.Manifest) -> None:
        part = self._image.with_digest(manifest.digest)
        self._call(lambda auth: self._registry.put_manifest(part, manifest, auth=auth))
        with self._lock:
            self._sent.add(manifest.digest)
            size = sum(len(kept.body) for kept in self._kept)
            if size + len(manifest.body) <= _MOST_KEPT:
                self._kept.append(manifest)
