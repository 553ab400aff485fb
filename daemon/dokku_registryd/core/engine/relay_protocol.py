"""What the Engine asks of the relay, parsed, and the names that it is given for that.

The relay is a registry on loopback that only the Engine of this host speaks to, one
push at a time for each login. It serves what image stores of Docker use of the OCI
distribution specification 1.1
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, "Endpoints"),
and nothing else. Nothing here trusts what it reads.
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
LOGIN_BYTES: Final = 32  # of chance, which nobody guesses while a push runs
MOST_OF_BLOB: Final = (
    8 << 20
)  # bytes of one blob that are kept, so that it can be repeated
MOST_OF_PUSH: Final = 16 << 20  # bytes that one push may have us keep at once
MOST_OF_ALL: Final = 64 << 20  # bytes that all pushes may have us keep at once
PIECE_BYTES: Final = 64 << 10  # read at once; what an upload holds besides

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
_SHORT: Final = 8  # characters of a hash that tell two hosts apart


class What(Enum):
    """What a request is about."""

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
    """One request of the Engine's."""

    what: What
    name: str = ""
    """The repository, as the relay calls it; empty for `/v2/`."""
    key: str = ""
    """A digest, the ID of an upload, or the tag or digest of a manifest."""
    digest: str = ""
    """What an upload is to end as, or a mount is about; empty if it is not said."""


def parse(target: str) -> Errand | None:
    """Read the target of a request; None if nothing of ours is there."""
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
    """Return where a part of an upload begins, by its Content-Range; None if unread."""
    found = _RANGE.fullmatch(content_range.strip())
    return int(found[1]) if found else None


def parse_login(header: str) -> Secret:
    """Return the password of an Authorization header (RFC 7617); empty if it has none.

    Every push has one of its own, so the user's name says nothing.
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
    """Compare two logins in a time that tells nothing of where they differ."""
    one, other = given.reveal().encode(), wanted.reveal().encode()
    return bool(one) and hmac.compare_digest(one, other)


def repository_for(host: str, image: reference.ImageReference) -> str:
    """Return what the relay calls a repository: the same name for ever.

    Image stores remember by host and path where a layer was sent, and another registry
    may have a repository of the same path.

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
    """Tell whether a name on this host was made for the relay, and for no person."""
    return bool(host) and name.startswith(f"{host}/")


def may_keep(size: int, *, of_blob: int, of_push: int, of_all: int) -> bool:
    """Decide whether more of a blob is kept; what is not kept is sent on at once.

    Args:
        size: How many bytes more.
        of_blob: What is kept of this blob, in bytes.
        of_push: What is kept of all blobs of this push.
        of_all: What is kept of all pushes.
    """
    return (
        of_blob + size <= MOST_OF_BLOB
        and of_push + size <= MOST_OF_PUSH
        and of_all + size <= MOST_OF_ALL
    )
