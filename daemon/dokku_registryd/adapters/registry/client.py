"""The registry's HTTP API: what others ask of registries.

Sources: the OCI distribution specification 1.1
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md);
authentication follows Docker's token authentication specification. A module for each
subject, such as manifests or uploads, has its requests and judges the answers.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dokku_registryd import ports
from dokku_registryd.adapters.registry import (
    dialogue,
    discreet,
    downloads,
    manifests,
    messages,
    paces,
    referring,
    removing,
    tag_pages,
    tagging,
    tokens,
    transport,
    uploads,
)
from dokku_registryd.adapters.registry import routes as registry_routes
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import allowances, exchanges, grants, proxies
from dokku_registryd.core.registry.referrers import Descriptor


@discreet.hides_logins
class RegistryClient:
    """Implements `ports.Registry`. Thread-safe.

    Args:
        facts: Returns the Engine's insecure registries and proxies.
        certs_dir: The folder with certificates of registries.
        connect_timeout: Seconds until a connection must be established.
        read_timeout: Seconds without data from the other side.
        total_timeout: Seconds that one request may take in total.
        upload_timeouts: Seconds that an upload may stall, and may take in total.
        said: The sources of proxies that come before the Engine.
        inner_hosts: Hosts in the own network that a registry may name.
        monotonic: The clock for timeouts.
        now: The clock that Retry-After dates are compared with.
        sleep: Waits before an upload continues, or a limited host gets a request.
        note: Called after each exchange with a registry or a host that it names.
    """

    def __init__(
        self,
        *,
        facts: Callable[[], images.EngineFacts],
        certs_dir: Path,
        connect_timeout: float = 10,
        read_timeout: float = 30,
        total_timeout: float = 120,
        upload_timeouts: tuple[float, float] = (120, 3600),
        said: tuple[proxies.Source, ...] = (),
        inner_hosts: frozenset[str] = frozenset(),
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        note: Callable[[exchanges.Exchange], object] = lambda _exchange: None,
    ) -> None:
        routes = registry_routes.Routes(
            facts,
            certs_dir,
            monotonic=monotonic,
            said=said,
            inner_hosts=inner_hosts,
            seconds=connect_timeout,
        )
        self._wire = transport.Wire(
            routes=routes,
            timeouts=(connect_timeout, read_timeout),
            total_timeout=total_timeout,
            upload_timeouts=upload_timeouts,
            now=now,
            monotonic=monotonic,
            note=note,
        )
        authorizations = tokens.Authorizations(
            self._wire.send,
            is_insecure=lambda host: routes.to(host).is_insecure,
            inside=routes.inside,
            monotonic=monotonic,
            patience=total_timeout,
        )
        self._dialogue = dialogue.Dialogue(
            self._wire, authorizations, paces.Paces(monotonic, sleep), now
        )
        self._manifests = manifests.Manifests(self._dialogue)
        self._tag_pages = tag_pages.TagPages(
            self._dialogue, monotonic=monotonic, total_timeout=total_timeout
        )
        self._uploads = uploads.Uploads(self._dialogue, sleep=sleep)
        self._tagging = tagging.Tagging(self._dialogue, monotonic)
        self._referring = referring.Referring(self._dialogue)

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    def ping(self, domain: str, *, auth: AuthConfig | None) -> None:
        """Return if the registry is up and accepts this login.

        OCI specification, "Determining Support": `/v2/` answers 200. An unusable login
        is refused at once.

        Raises:
            PermanentError: A web site answers, which takes any login.
        """
        access = messages.access_to(domain, "", "", auth)
        purpose = f"log in to {domain}" if auth else f"reach {domain}"
        request = messages.build_greeting(access, purpose)
        messages.check_registry(request, self._dialogue.ask(request, access))

    def reach(self, domain: str) -> None:
        """Return if the registry answers: one request to `/v2/`, without a login."""
        access = messages.access_to(domain, "", "", None)
        request = messages.build_greeting(
            access, f"reach {domain}", most_seconds=messages.REACH_SECONDS
        )
        self._dialogue.try_out(request, access)

    def actions(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> frozenset[str] | None:
        """Return the permissions of a login in a repository; None if unknown.

        It requests a token and reads it. It does so at `/v2/`, because a challenge of
        the repository itself names the scope of that one request.
        """
        access = messages.access_to(image.domain, image.path, messages.PUSHING, auth)
        purpose = f"get permission to push to {image.repository}"
        request = messages.build_greeting(access, purpose)
        self._dialogue.ask(request, access)
        token = self._dialogue.token(access)
        return grants.parse_actions(token, image.path) if token else None

    def digest(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> str | None:
        """Return the digest of a tag or manifest; None if there is no such one."""
        return self._manifests.digest(image, auth=auth, for_push=for_push)

    def manifest(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> images.Manifest | None:
        """Return a manifest or index as unchanged bytes; None if it is missing."""
        return self._manifests.get(image, auth=auth, for_push=for_push)

    def put_manifest(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag; return the digest that the registry states."""
        return self._manifests.put(image, manifest, auth=auth)

    def put_tags(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        tags: Sequence[str],
        *,
        auth: AuthConfig | None,
    ) -> frozenset[str]:
        """Put a manifest under several tags at once; return the accepted ones."""
        return self._tagging.put(image, manifest, tags, auth=auth)

    def put_referrer(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> bool:
        """Put a manifest with a subject; return whether the registry lists it."""
        return self._referring.put(image, manifest, auth=auth)

    def referrers(
        self,
        image: reference.ImageReference,
        artifact_type: str,
        *,
        auth: AuthConfig | None,
    ) -> list[Descriptor] | None:
        """Return the artifacts of a manifest; None if the registry has no such API."""
        return self._referring.listed(image, artifact_type, auth=auth)

    def tags(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> list[str]:
        """Return every tag of the repository; empty if there is no repository."""
        return self._tag_pages.read(image, auth=auth, for_push=for_push)

    def delete(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> None:
        """Delete a manifest by its digest, and with it every tag of it."""
        self._manifests.delete(image, auth=auth)

    def remove(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> str:
        """Remove a tag or a manifest; return why the registry cannot, if so."""
        return removing.remove(self._dialogue, image, auth=auth)

    def blob_size(
        self, image: reference.ImageReference, digest: str, *, auth: AuthConfig | None
    ) -> int | None:
        """Return the size of a blob in bytes; None if it is not known to exist."""
        return self._uploads.size(image, digest, auth=auth)

    def has_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> bool:
        """Return whether a repository has a blob; nothing of it is downloaded."""
        return self._uploads.exists(image, digest, auth=auth, for_push=for_push)

    def allowance(
        self, domain: str, *, auth: AuthConfig | None
    ) -> allowances.Allowance | None:
        """Return what the registry has said last of its limit; None if nothing."""
        return self._dialogue.allowance(messages.access_to(domain, "", "", auth))

    def clock_ahead(self, domain: str) -> float | None:
        """Return how far our clock was ahead at its latest answer; None if unknown."""
        host = messages.access_to(domain, "", "", None).host
        return self._dialogue.clock_ahead(host)

    def begin_blob(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> ports.BegunUpload:
        """Begin an upload whose bytes follow."""
        return self._uploads.begin(image, auth=auth)

    def put_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: AuthConfig | None,
        on_sent: Callable[[int], None] = lambda _size: None,
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Upload a whole blob."""
        self._uploads.put(image, digest, body, auth=auth, on_sent=on_sent, begun=begun)

    def send_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        source: ports.BlobSource,
        size: int,
        *,
        auth: AuthConfig | None,
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Upload a blob from a source that can repeat any of its bytes."""
        self._uploads.send(image, digest, source, size, auth=auth, begun=begun)

    def mount_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        path: str,
        *,
        auth: AuthConfig | None,
    ) -> ports.BegunUpload | None:
        """Take a blob from another repository; return the upload begun instead."""
        return self._uploads.mount(image, digest, path, auth=auth)

    def open_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        offset: int = 0,
    ) -> ports.BlobStream:
        """Return the bytes of a blob from an offset on, as they arrive."""
        stream = downloads.Stream(
            self._dialogue, image, digest, auth=auth, offset=offset
        )
        stream.open()
        return stream

    def stream_blob(
        self,
        image: reference.ImageReference,
        source: ports.BlobSource,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Upload the bytes of a blob as they arrive; return the URL to finish it."""
        return self._uploads.stream(image, source, auth=auth)

    def close_blob(
        self,
        image: reference.ImageReference,
        location: str,
        digest: str,
        *,
        auth: AuthConfig | None,
    ) -> None:
        """Finish an upload whose bytes were sent."""
        self._uploads.close(image, location, digest, auth=auth)
