"""Images as BuildKit makes them for containerd's store: an index of two manifests.

One is the image, the other an attestation of how it was built. The digest of the index
is what the Engine calls the image.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, Final

from support import engine_api

_OCI: Final = "application/vnd.oci.image"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_UNKNOWN: Final = {"architecture": "unknown", "os": "unknown"}


def load(
    path: str,
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    platforms: tuple[str, ...] = (),
) -> str:
    """Load such an image into the Engine at a socket, and return its ID.

    Args:
        path: The socket.
        name: With host and tag.
        labels: The image's labels.
        platforms: Further architectures that the index names, and whose content
            is elsewhere, as after a pull of a multi-platform image.
    """
    archive = _Archive()
    layer = _tar({"version": name.encode()})
    image = archive.add_manifest(
        config={"architecture": "amd64", "os": "linux"},
        labels=labels or {},
        diff_id=_digest(layer),
        layer=gzip.compress(layer, mtime=0),
        media_type=f"{_OCI}.layer.v1.tar+gzip",
    )
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1"}).encode()
    attestation = archive.add_manifest(
        config=_UNKNOWN,
        labels={},
        diff_id=_digest(statement),
        layer=statement,
        media_type=_IN_TOTO,
    )
    manifests = [
        image | {"platform": {"architecture": "amd64", "os": "linux"}},
        attestation
        | {
            "platform": _UNKNOWN,
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": image["digest"],
            },
        },
    ]
    for number, architecture in enumerate(platforms):
        absent = image | {"digest": f"sha256:{number:064x}"}
        elsewhere = {"architecture": architecture, "os": "linux"}
        manifests.append(absent | {"platform": elsewhere})
    index = archive.add_json(
        {"schemaVersion": 2, "manifests": manifests}, f"{_OCI}.index.v1+json"
    )
    named = index | {"annotations": {"io.containerd.image.name": name}}
    engine_api.request(
        path,
        "POST",
        "/images/load?quiet=1",
        body=archive.close(named),
        headers={"Content-Type": "application/x-tar"},
    )
    return str(engine_api.inspect_image(path, name)["Id"])


class _Archive:
    """What `docker load` reads: an OCI layout in a tar file."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'
        }

    def add(self, content: bytes, media_type: str) -> dict[str, Any]:
        digest = _digest(content)
        self._files[f"blobs/{digest.replace(':', '/')}"] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_json(self, value: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        content = json.dumps({**value, "mediaType": media_type}).encode()
        return self.add(content, media_type)

    def add_manifest(
        self,
        *,
        config: Mapping[str, str],
        labels: Mapping[str, str],
        diff_id: str,
        layer: bytes,
        media_type: str,
    ) -> dict[str, Any]:
        whole = {
            **config,
            "config": {"Labels": dict(labels)},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
        manifest = {
            "schemaVersion": 2,
            "config": self.add(json.dumps(whole).encode(), f"{_OCI}.config.v1+json"),
            "layers": [self.add(layer, media_type)],
        }
        return self.add_json(manifest, f"{_OCI}.manifest.v1+json")

    def close(self, index: Mapping[str, Any]) -> bytes:
        top = {"schemaVersion": 2, "manifests": [index]}
        return _tar({**self._files, "index.json": json.dumps(top).encode()})


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
