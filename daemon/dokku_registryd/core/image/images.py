"""Facts about images from Engine and registry, as values."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from dokku_registryd.core.text import json_documents

APP_LABEL: Final = "com.dokku.app-name"
CONTAINER_LABEL: Final = "com.dokku.container-type"
SCRIPT_LABEL: Final = "dokku_phase_script"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image on this host."""

    image_id: str
    references: tuple[str, ...] = ()
    """Names with a tag, as the Engine prints them (`org/web:3`)."""
    repo_digests: tuple[str, ...] = ()
    """`repository@digest`; on containerd image stores not a proof of a push."""
    labels: tuple[tuple[str, str], ...] = ()
    manifests: tuple[str, ...] = ()
    """Digests of an index's images for one platform on this host.

    Only known for a single inspected image, and with newer Engines.
    """
    passing: tuple[str, ...] = ()
    """Temporary names during a push through the relay."""
    created: str = field(default="", compare=False)
    """When it was created (RFC 3339, UTC); only for a single inspected image."""

    @property
    def identities(self) -> frozenset[str]:
        """All identifiers of this content: image ID and digests.

        The index of an image and its manifest for one platform are two digests of the
        same image; the Engine's version decides which one it pushes.
        """
        digests = (name.partition("@")[2] for name in self.repo_digests)
        return frozenset((self.image_id, *digests, *self.manifests))

    @property
    def app(self) -> str:
        """The app that it was built for, or empty."""
        return dict(self.labels).get(APP_LABEL, "")

    def digest_in(self, repository: str) -> str:
        """Return the Engine's digest of the image in a repository; empty if unknown.

        Args:
            repository: As the Engine prints it, without Docker Hub's host.
        """
        for repo_digest in self.repo_digests:
            name, _, digest = repo_digest.partition("@")
            if name == repository:
                return digest
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalContainer:
    """A container on this host, running or not."""

    image_id: str
    image: str
    """The reference it was created from."""
    app: str
    """The label `com.dokku.app-name`, or empty."""
    is_running: bool
    container_id: str = ""
    name: str = ""
    kind: str = ""
    """The label `com.dokku.container-type`: `deploy`, `run`, `cron`, or empty."""
    is_script: bool = False
    """Whether it runs a script of `app.json`: it has a label `dokku_phase_script`."""


# The default of Engines before 29.10.
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The Engine's facts about itself."""

    version: str
    image_store: str
    """`classic` or `containerd`: they name images by different digests."""
    insecure_registries: tuple[str, ...] = LOOPBACK
    """Hosts (`host` or `host:port`) and networks (CIDR) that need no TLS."""
    proxies: tuple[tuple[str, str], ...] = ()
    """Scheme (`http`, `https`, `no`) and the proxy that the Engine itself uses."""
    root_dir: str = ""
    platform: str = ""
    """Operating system and architecture, as in an index: `linux/amd64`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or index exactly as the registry returned it."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """The digest of these bytes, regardless of a header."""
        return "sha256:" + hashlib.sha256(self.body).hexdigest()

    def names_image(self, image_id: str) -> bool:
        """Return whether this is the image that the Engine calls `image_id`.

        Classic stores use the digest of the config as the image's ID, containerd
        stores that of the manifest or index.
        """
        if self.digest == image_id:
            return True
        try:
            parsed = json_documents.load(self.body)
        except json_documents.MalformedJsonError:
            return False
        config = parsed.get("config") if isinstance(parsed, dict) else None
        return isinstance(config, dict) and config.get("digest") == image_id
