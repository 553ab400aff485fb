"""Facts that the demo looks up itself, past the daemon, and what it does if one is not.

The registry is asked over HTTP, the Engine through its API, files are read.
"""

import base64
import http.client
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import engine_api, file_tree
from support.registries import RegistryServer

_MANIFEST: Final = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in ("docker.distribution.manifest.v2", "oci.image.manifest.v1")
)
_REQUEST: Final = re.compile(r'"(?P<method>\w+) (?P<path>\S+) [^"]*" 200 (?P<size>\d+)')


class StoryError(Exception):
    """A fact does not hold: the daemon, or the demo, is broken."""


def claim(holds: object, what: str) -> None:
    """Go on if a fact holds.

    Raises:
        StoryError: It does not.
    """
    if not holds:
        raise StoryError(f"this is not so: {what}")


@dataclass(frozen=True, slots=True)
class Login:
    """A user's password; shown only to a registry."""

    username: str
    password: str

    @property
    def basic(self) -> str:
        """What auth files and HTTP Basic carry."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def ask_registry(
    registry: RegistryServer, target: str, login: Login
) -> tuple[int, str]:
    """Return status and digest that a registry answers with."""
    headers = {"Authorization": f"Basic {login.basic}", "Accept": _MANIFEST}
    connection = http.client.HTTPConnection(registry.host, timeout=120)
    try:
        connection.request("HEAD", target, headers=headers)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response.status, response.headers.get("Docker-Content-Digest", "")


def ask_digests(
    registry: RegistryServer, repository: str, tags: Iterable[str], login: Login
) -> dict[str, str]:
    """Return the digest that a registry has for each tag; empty where it has none."""
    return {
        tag: ask_registry(registry, f"/v2/{repository}/manifests/{tag}", login)[1]
        for tag in tags
    }


def image_id(engine_path: str, reference: str) -> str:
    """Return the ID of the image that has a name or ID here; empty if none has."""
    try:
        return str(engine_api.inspect_image(engine_path, reference)["Id"])
    except engine_api.EngineApiError:
        return ""


def image_names(engine_path: str, reference: str) -> set[str]:
    """Return all names of an image, given one of them or its ID."""
    return set(engine_api.inspect_image(engine_path, reference)["RepoTags"])


def repo_digests(engine_path: str, reference: str) -> list[str]:
    """Return what registries call the image that has a name on this host."""
    return list(engine_api.inspect_image(engine_path, reference)["RepoDigests"])


def count_layers(engine_path: str, reference: str) -> int:
    """Return how many layers an image has."""
    return len(engine_api.inspect_image(engine_path, reference)["RootFS"]["Layers"])


def image_size(engine_path: str, reference: str) -> int:
    """Return how many bytes an image takes."""
    return int(engine_api.inspect_image(engine_path, reference)["Size"])


def downloaded(log: str) -> tuple[int, int]:
    """Return how many blobs, and bytes of them, a registry's access log shows."""
    blobs = [
        int(match["size"])
        for match in _REQUEST.finditer(log)
        if match["method"] == "GET" and "/blobs/" in match["path"]
    ]
    return len(blobs), sum(blobs)


def files_with(folder: Path, secrets: Iterable[str]) -> list[Path]:
    """Return the files below a folder that hold one of these secrets."""
    needles = [secret.encode() for secret in secrets]
    return [
        path
        for path, content in file_tree.contents(folder)
        if any(needle in content for needle in needles)
    ]


def short(digest: str) -> str:
    """Return a digest as people compare it."""
    return digest.removeprefix("sha256:")[:12]
