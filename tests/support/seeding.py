"""Puts small images into a real registry, without the client under test."""

import hashlib
import http.client
import json
from base64 import b64encode
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from dokku_registryd.core.image.images import Manifest
from support.registries import RegistryServer

SCHEMA2: Final = "application/vnd.docker.distribution.manifest.v2+json"
OCI: Final = "application/vnd.oci.image.manifest.v1+json"
LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"


def build_manifest(content: str, kind: str = SCHEMA2, *parts: Manifest) -> Manifest:
    """Build a manifest without layers, or an index of `parts`.

    Its bytes have an unusual layout, so that a client that rewrites them is detected.
    """
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": kind}
    if kind in {LIST, INDEX}:
        document["manifests"] = [
            {
                "mediaType": part.media_type,
                "digest": part.digest,
                "size": len(part.body),
                "platform": {"os": "linux", "architecture": "amd64"},
            }
            for part in parts
        ]
    else:
        config = kind.replace("manifest.v2", "container.image.v1")
        document["config"] = {
            "mediaType": config.replace("distribution.", "").replace(
                "manifest", "config"
            ),
            "digest": _digest(config_of(content)),
            "size": len(config_of(content)),
        }
        document["layers"] = []
    text = json.dumps(document, indent=5, sort_keys=True) + "\n"
    return Manifest(media_type=kind, body=text.encode())


def config_of(content: str) -> bytes:
    """Return the config of an image that differs by `content`."""
    return json.dumps(
        {"os": "linux", "architecture": "amd64", "author": content, "rootfs": {}}
    ).encode()


def push(server: RegistryServer, path: str, tag: str, content: str) -> Manifest:
    """Push an image with one config and no layer."""
    upload_config(server, path, content)
    manifest = build_manifest(content)
    put(server, path, tag, manifest)
    return manifest


def put(server: RegistryServer, path: str, tag: str, manifest: Manifest) -> None:
    """Put a manifest whose parts are there under a tag."""
    target = f"/v2/{path}/manifests/{tag}"
    _send(server, path, "PUT", target, manifest.body, kind=manifest.media_type)


def fetch(server: RegistryServer, path: str, tag: str) -> Manifest | None:
    """Return the manifest of a tag, if there is one."""
    headers = {"Accept": f"{SCHEMA2}, {OCI}, {LIST}, {INDEX}"}
    connection = http.client.HTTPConnection(server.host, timeout=120)
    try:
        connection.request(
            "GET",
            f"/v2/{path}/manifests/{tag}",
            headers=headers | authorize(server, path),
        )
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        return None
    return Manifest(media_type=response.headers["Content-Type"], body=body)


def upload_config(server: RegistryServer, path: str, content: str) -> None:
    """Upload the one blob that a built manifest needs."""
    blob = config_of(content)
    location = _send(server, path, "POST", f"/v2/{path}/blobs/uploads/", b"")
    parts = urlsplit(location)
    target = f"{parts.path}?{parts.query}&digest={_digest(blob)}"
    _send(server, path, "PUT", target, blob, kind="application/octet-stream")


def authorize(server: RegistryServer, path: str) -> dict[str, str]:
    """Return the header that lets its sender do everything in a repository."""
    if server.tokens is not None:
        scopes = [f"repository:{path}:pull,push,delete"]
        reply = server.tokens.issue(server.username, scopes)
        return {"Authorization": f"Bearer {reply[server.tokens.field]}"}
    if server.username:
        pair = f"{server.username}:{server.password}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _send(
    server: RegistryServer,
    path: str,
    method: str,
    target: str,
    body: bytes,
    *,
    kind: str = "",
) -> str:
    headers = {"Content-Type": kind} if kind else {}
    headers |= authorize(server, path)
    connection = http.client.HTTPConnection(server.host, timeout=120)
    try:
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    finally:
        connection.close()
    assert response.status < 300, f"{method} {target}: {response.status} {text}"
    return response.headers.get("Location", "")
