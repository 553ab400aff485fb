"""Images made by hand: as many layers and as many bytes as a row needs, at once."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from support import engine_api

_COUNTER_LABEL: Final = "bench.serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Layers, and the labels that make one image of them different from the next."""

    layers: Sequence[bytes]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        """The image's configuration; its SHA-256 is the image ID."""
        content: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/none"], "Labels": dict(self.labels)},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{_digest(layer)}" for layer in self.layers],
            },
        }
        return json.dumps(content).encode()

    @property
    def image_id(self) -> str:
        """What a classic image store calls it."""
        return f"sha256:{_digest(self.config)}"

    def labelled(self, serial: object, **labels: str) -> "Image":
        """Return an image with the same layers and a new ID."""
        mine = {**self.labels, **labels, _COUNTER_LABEL: str(serial)}
        return Image(layers=self.layers, labels=mine)


def random_image(count: int, total_bytes: int) -> Image:
    """Make an image of random bytes, which do not compress, in so many layers."""
    size = total_bytes // count
    return Image(layers=[layer(os.urandom(size)) for _ in range(count)])


def layer(content: bytes) -> bytes:
    """Make a layer with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        name = f"content-{hashlib.sha256(content[:4096]).hexdigest()[:12]}"
        _add(archive, name, content)
    return buffer.getvalue()


def load(engine_path: str, images: Iterable[tuple[Image, Sequence[str]]]) -> None:
    """Load images with their names into an Engine, by one request."""
    body = _archive(images)
    engine_api.request(
        engine_path,
        "POST",
        "/images/load?quiet=1",
        body=body,
        headers={"Content-Type": "application/x-tar"},
        timeout=600,
    )


def remove(engine_path: str, name: str) -> None:
    """Remove a name, and its image if it was the last one."""
    engine_api.request(engine_path, "DELETE", f"/images/{name}")


def remove_whole(engine_path: str, name: str) -> None:
    """Remove the image of a name with all its names."""
    # containerd's store has other IDs than the classic one.
    image_id = listing(engine_path)[name]
    engine_api.request(engine_path, "DELETE", f"/images/{image_id}?force=1")


def listing(engine_path: str) -> dict[str, str]:
    """Return every name on the Engine and the ID of its image."""
    found = json.loads(engine_api.request(engine_path, "GET", "/images/json"))
    return {name: entry["Id"] for entry in found for name in entry["RepoTags"] or ()}


def _archive(images: Iterable[tuple[Image, Sequence[str]]]) -> bytes:
    """Build what `docker save` would write."""
    buffer = io.BytesIO()
    manifest = []
    written: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for image, names in images:
            config_name = f"{image.image_id.partition(':')[2]}.json"
            layers = {f"{_digest(each)}/layer.tar": each for each in image.layers}
            for name, content in {config_name: image.config, **layers}.items():
                if name not in written:
                    written.add(name)
                    _add(archive, name, content)
            manifest.append(
                {"Config": config_name, "RepoTags": [*names], "Layers": [*layers]}
            )
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
