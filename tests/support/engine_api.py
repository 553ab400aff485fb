"""As much of the Engine's API as tests need, without the client under test.

Only the standard library is used, so that a demo can import this too.
"""

import contextlib
import http.client
import io
import json
import socket
import tarfile
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

_SUCCESS: Final = 299
_LISTINGS: Final = 50  # more than an Engine can remove meanwhile


class EngineApiError(Exception):
    """The Engine refused a request of a test."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(
    path: str,
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> bytes:
    """Send one request to the socket at `path` and return the answer's body.

    Raises:
        EngineApiError: The status is not a success.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status > _SUCCESS:
        text = answer.decode(errors="replace").strip()
        raise EngineApiError(f"{method} {target}: {response.status} {text}")
    return answer


def list_images(path: str) -> list[dict[str, Any]]:
    """Return the image listing.

    Engine 26.1 answers 404 while something is removed: it is asked until it answers.
    """
    for _ in range(_LISTINGS):
        with contextlib.suppress(EngineApiError):
            found: list[dict[str, Any]] = json.loads(
                request(path, "GET", "/images/json")
            )
            return found
    raise EngineApiError("GET /images/json fails again and again")


def answers(path: str) -> bool:
    """Tell whether an Engine answers at a socket."""
    try:
        return request(path, "GET", "/_ping", timeout=2) == b"OK"
    except (OSError, http.client.HTTPException, EngineApiError):
        return False


def import_image(
    path: str,
    reference: str,
    content: Mapping[str, bytes],
    labels: Mapping[str, str] | None = None,
) -> str:
    """Make an image of one layer and return its ID."""
    repository, _, tag = reference.rpartition(":")
    changes = [
        f"LABEL {_quoted(key)}={_quoted(value)}"
        for key, value in (labels or {}).items()
    ]
    query = urlencode(
        [("fromSrc", "-"), ("repo", repository), ("tag", tag)]
        + [("changes", change) for change in changes]
    )
    request(path, "POST", f"/images/create?{query}", body=_archive(content))
    return str(inspect_image(path, reference)["Id"])


def inspect_image(path: str, reference: str) -> dict[str, Any]:
    """Return what the Engine knows of an image."""
    found: dict[str, Any] = json.loads(
        request(path, "GET", f"/images/{reference}/json")
    )
    return found


def create_container(
    path: str, image: str, labels: Mapping[str, str] | None = None
) -> str:
    """Create a container that never starts, and return its ID."""
    wish = {"Image": image, "Cmd": ["/none"], "Labels": dict(labels or {})}
    answer = request(
        path,
        "POST",
        "/containers/create",
        body=json.dumps(wish).encode(),
        headers={"Content-Type": "application/json"},
    )
    return str(json.loads(answer)["Id"])


def _quoted(text: str) -> str:
    return json.dumps(text).replace("$", "\\$")


def _archive(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
