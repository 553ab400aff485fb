"""The API of a registry."""

from collections.abc import Callable, Sequence
from typing import Protocol

from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import reference
from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.registry import allowances
from dokku_registryd.core.registry.referrers import Descriptor
from dokku_registryd.ports.blobs import BegunUpload, BlobSource, BlobStream


class Registry(Protocol):
    """The HTTP API of a registry, OCI distribution specification 1.1."""

    def ping(self, domain: str, *, auth: logins.AuthConfig | None) -> None:
        """Return if the registry is up and accepts this login.

        Raises:
            AuthenticationError: The login is refused.
        """

    def reach(self, domain: str) -> None:
        """Return if the registry answers: one request, without a login.

        Raises:
            RegistrydError: It does not answer, answers with a server error, or is not
                trusted. A refusal is an answer.
        """

    def digest(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> str | None:
        """Return the digest of a tag or manifest; None if there is no such one.

        Args:
            image: Repository, and tag or digest.
            auth: The login.
            for_push: Whether the same session pushes, so that it requests that
                permission from its first request on.
        """

    def manifest(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> Manifest | None:
        """Return a manifest or index as unchanged bytes; None if it is missing."""

    def put_manifest(
        self,
        image: reference.ImageReference,
        manifest: Manifest,
        *,
        auth: logins.AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag, and return the digest that the registry states.

        Raises:
            TagImmutableError: The tag exists and cannot be moved.
            ImageNotFoundError: The registry lacks a blob of this manifest.
        """

    def put_tags(
        self,
        image: reference.ImageReference,
        manifest: Manifest,
        tags: Sequence[str],
        *,
        auth: logins.AuthConfig | None,
    ) -> frozenset[str]:
        """Put a manifest under several tags at once, and return the accepted ones.

        Most registries cannot do that, and accept none; others may refuse a part. Those
        that are not returned are left to `put_manifest`.
        """

    def put_referrer(
        self,
        image: reference.ImageReference,
        manifest: Manifest,
        *,
        auth: logins.AuthConfig | None,
    ) -> bool:
        """Put a manifest with a subject under its digest.

        Returns:
            Whether the registry lists it among the referrers of the subject. If not,
            its client has to (OCI specification, "Referrers Tag Schema").
        """

    def referrers(
        self,
        image: reference.ImageReference,
        artifact_type: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> list[Descriptor] | None:
        """Return the artifacts of one type that belong to a manifest.

        Returns:
            The entries of the first page; None if the registry has no such API.
        """

    def tags(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> list[str]:
        """Return every tag of the repository; empty if there is no repository."""

    def delete(
        self, image: reference.ImageReference, *, auth: logins.AuthConfig | None
    ) -> None:
        """Delete a manifest by its digest, and with it every tag of it."""

    def remove(
        self, image: reference.ImageReference, *, auth: logins.AuthConfig | None
    ) -> str:
        """Remove a tag, or a manifest by its digest; a missing one is fine.

        Not all registries can do either, and some remove the manifest of a tag with all
        its tags.

        Returns:
            Why the registry cannot remove it in this way; empty if it did.
        """

    def blob_size(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> int | None:
        """Return the size of a blob in bytes; None if it is not known to exist."""

    def has_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> bool:
        """Return whether a repository has a blob.

        HEAD proves presence; only a GET that answers 404 proves absence.
        """

    def allowance(
        self, domain: str, *, auth: logins.AuthConfig | None
    ) -> allowances.Allowance | None:
        """Return what the registry has said last of its limit; None if nothing.

        It sends no request.
        """

    def clock_ahead(self, domain: str) -> float | None:
        """Return how far this host's clock was ahead of the registry's.

        In seconds, by the date of its latest answer: less than 0 if it was behind, None
        if there was no date. It sends no request.
        """

    def begin_blob(
        self, image: reference.ImageReference, *, auth: logins.AuthConfig | None
    ) -> BegunUpload:
        """Begin an upload whose bytes follow with `put_blob`."""

    def put_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: logins.AuthConfig | None,
        on_sent: Callable[[int], None] = lambda _size: None,
        begun: BegunUpload | None = None,
    ) -> None:
        """Upload a whole blob; an existing one is fine.

        An upload that breaks is continued, and one that is too large for one request is
        sent in pieces. `on_sent` is called with sizes of parts as they are sent. An
        upload that was begun is used once.
        """

    def send_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        source: BlobSource,
        size: int,
        *,
        auth: logins.AuthConfig | None,
        begun: BegunUpload | None = None,
    ) -> None:
        """Upload a blob from a source that can repeat any of its bytes.

        Limits and breaks are treated as by `put_blob`.
        """

    def mount_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        path: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> BegunUpload | None:
        """Let a repository take a blob from another one of the same registry.

        Args:
            image: A reference in the repository.
            digest: The blob.
            path: The other repository, which the login may read.
            auth: The login.

        Returns:
            None if the repository has it now, else the upload that was begun instead.
        """

    def open_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
        offset: int = 0,
    ) -> BlobStream:
        """Return the bytes of a blob from an offset on, as they arrive.

        A redirect to another host is followed without the login.

        Raises:
            ImageNotFoundError: The repository has no such blob.
        """

    def stream_blob(
        self,
        image: reference.ImageReference,
        source: BlobSource,
        *,
        auth: logins.AuthConfig | None,
    ) -> str:
        """Upload the bytes of a blob as they arrive; return the URL to finish it.

        If the source raises an error, the upload ends without a result.

        Raises:
            SendAgainError: The upload cannot be continued with the bytes that the
                source still has.
        """

    def close_blob(
        self,
        image: reference.ImageReference,
        location: str,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> None:
        """Finish an upload whose bytes were sent; they must have the digest.

        Raises:
            InvalidRequestError: They have another digest.
            ImageNotFoundError: The registry does not know the upload any more.
            SendAgainError: It accepted pieces, but does not support them.
        """
