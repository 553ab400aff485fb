"""Parses the Engine's requests to the relay, and names repositories for it.

The relay is a registry on loopback for the Engine of this host only, with one push at a
time for each login. It serves the part of the OCI distribution specification 1.1 that
Docker's image stores use
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, "Endpoints"),
and nothing else. All input is untrusted.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import parse_qs, urlsplit

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.image import reference

HOST: Final = "127.0.0.1"
USERNAME: Final = "dokku-registryd"
LOGIN_BYTES: Final = 32  # random, so that it cannot be guessed during a push
MOST_OF_BLOB: Final = (
    8 << 20
)  # bytes of one blob that are kept, so that it can be sent again
WINDOW_BYTES: Final = 8 << 20  # the last bytes of a longer blob
MOST_WINDOWS: Final = 4  # of all pushes; one push has one at a time
MOST_OF_PUSH: Final = 16 << 20  # bytes that are kept for one push, with its window
MOST_OF_ALL: Final = 64 << 20  # bytes that are kept for all pushes, with windows
_MOST_KEPT_OF_PUSH: Final = MOST_OF_PUSH - WINDOW_BYTES
_MOST_KEPT_OF_ALL: Final = MOST_OF_ALL - MOST_WINDOWS * WINDOW_BYTES
PIECE_BYTES: Final = 64 << 10  # size of one read, in addition to the kept bytes

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_ROUTES: Final = (
    re.compile(rf"/v2/{_NAME}/blobs/(?P<uploads>uploads)/?", re.ASCII),
    re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<upload>[0-9a-f]{{32}})", re.ASCII),
    re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>[a-z0-9]+:[0-9a-f]+)", re.ASCII),
    re.compile(rf"/v2/{_NAME}/manifests/(?P<manifest>[\w.:+-]{{1,200}})", re.ASCII),
)
_RANGE = re.compile(r"(\d{1,15})-(\d{1,15})", re.ASCII)
_UNFIT = re.compile(r"[^a-z0-9]+")
_MAX_REPOSITORY: Final = (
    255  # characters, with the host (moby's distribution/reference)
)
_SHORT: Final = 8  # characters of a hash that distinguish two hosts


class What(Enum):
    """The endpoint of a request."""

    BASE = auto()
    BLOB = auto()
    UPLOADS = auto()
    UPLOAD = auto()
    MANIFEST = auto()


METHODS: Final = {
    What.BASE: frozenset({"GET", "HEAD"}),
    What.BLOB: frozenset({"HEAD"}),
    What.UPLOADS: frozenset({"POST"}),
    What.UPLOAD: frozenset({"PATCH", "PUT", "DELETE"}),
    What.MANIFEST: frozenset({"HEAD", "GET", "PUT"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One request of the Engine."""

    what: What
    name: str = ""
    """The repository's name in the relay; empty for `/v2/`."""
    key: str = ""
    """A digest, the ID of an upload, or the tag or digest of a manifest."""
    digest: str = ""
    """The digest of an upload's end or of a mount; empty if not given."""


def parse(target: str) -> Errand | None:
    """Parse the target of a request; return None if we do not serve it."""
    try:
        parts = urlsplit(target)
        stated = parse_qs(parts.query)
    except ValueError:
        return None
    if parts.path in {"/v2", "/v2/"}:
        return Errand(what=What.BASE)
    found = next(filter(None, (way.fullmatch(parts.path) for way in _ROUTES)), None)
    if found is None:
        return None
    asked = found.groupdict()
    named = (stated.get("digest") or stated.get("mount") or [""])[0]
    digest = named if reference.is_digest(named) else ""
    if "uploads" in asked:
        return Errand(what=What.UPLOADS, name=asked["name"], digest=digest)
    if "upload" in asked:
        what, key = What.UPLOAD, asked["upload"]
    elif "digest" in asked:
        what, key = What.BLOB, asked["digest"]
        if not reference.is_digest(key):
            return None
    else:
        what, key = What.MANIFEST, asked["manifest"]
    return Errand(what=what, name=asked["name"], key=key, digest=digest)


def parse_start(content_range: str) -> int | None:
    """Return the offset of an upload's part from its Content-Range; None if invalid."""
    found = _RANGE.fullmatch(content_range.strip())
    return int(found[1]) if found else None


def parse_login(header: str) -> Secret:
    """Return the password of an Authorization header (RFC 7617); empty if none.

    Every push has its own password, so the user name is ignored.
    """
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return Secret("")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return Secret("")
    return Secret(text.partition(":")[2])


def is_same(given: Secret, wanted: Secret) -> bool:
    """Compare two logins in constant time."""
    one, other = given.reveal().encode(), wanted.reveal().encode()
    return bool(one) and hmac.compare_digest(one, other)


def repository_for(host: str, image: reference.ImageReference) -> str:
    """Return the relay's name of a repository, which never changes.

    Image stores remember pushed layers by host and path, and another registry may have
    a repository with the same path.

    Args:
        host: Address and port of the relay.
        image: An image in the real repository.
    """
    domain = image.domain.lower()
    short = hashlib.sha256(domain.encode()).hexdigest()[:_SHORT]
    readable = _UNFIT.sub("-", domain).strip("-")
    name = f"{host}/{readable}-{short}/{image.path}"
    if len(name) <= _MAX_REPOSITORY:
        return name
    digest = hashlib.sha256(image.repository.encode()).hexdigest()
    return f"{host}/{USERNAME}/{digest[: len(digest) // 2]}"


def is_name_at(host: str, name: str) -> bool:
    """Return whether a name on this host is a temporary name for the relay."""
    return bool(host) and name.startswith(f"{host}/")


def may_keep(size: int, *, of_blob: int, of_push: int, of_all: int) -> bool:
    """Return whether to keep more of a blob; the rest is sent on at once.

    Args:
        size: The number of further bytes.
        of_blob: The kept bytes of this blob.
        of_push: The kept bytes of all blobs of this push.
        of_all: The kept bytes of all pushes.
    """
    return (
        of_blob + size <= MOST_OF_BLOB
        and of_push + size <= _MOST_KEPT_OF_PUSH
        and of_all + size <= _MOST_KEPT_OF_ALL
    )
