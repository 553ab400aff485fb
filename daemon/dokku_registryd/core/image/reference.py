"""Image references: `[domain/]path[:tag][@digest]`, parsed as the Docker CLI does.

The grammar and its error texts are those of the module distribution/reference
(https://github.com/distribution/reference, `reference.go` and `normalize.go`); golden
cases in `tests/vectors/image-reference.jsonl` come from that module. Two traps of
Python are avoided: `$` would accept a line break at the end, and the class of word
characters would accept letters of any script.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from dokku_registryd import errors

DOCKER_HUB: Final = "docker.io"
# Both mean Docker Hub before a path; the Engine lists neither.
HUB_HOSTS: Final = frozenset({DOCKER_HUB, "index.docker.io"})
_LIBRARY: Final = "library/"
_MAX_NAME_LENGTH: Final = 255
_DIGEST_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}

# All spellings of Docker Hub in properties and auth configs.
_HUB_SPELLINGS: Final = frozenset(
    {
        "docker.io",
        "docker.com",
        "hub.docker.com",
        "index.docker.io",
        "registry-1.docker.io",
        "registry.hub.docker.com",
    }
)

_SEPARATOR = r"(?:\.|_|__|-+)"
_ALPHANUMERIC = r"[a-z0-9]+"
_COMPONENT = rf"{_ALPHANUMERIC}(?:{_SEPARATOR}{_ALPHANUMERIC})*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile(
    rf"(?P<name>(?:(?P<domain>{_HOST}(?::[0-9]+)?)/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*))"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}", re.ASCII)
_HEX = frozenset("0123456789abcdef")
_ONLY_TAG = re.compile(_TAG, re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A parsed reference. Missing parts are empty."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Domain and path: the set of images, without the single image."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def familiar(self) -> str:
        """The short form: without Docker Hub's host and library."""
        name = self.repository
        if self.domain == DOCKER_HUB:
            name = self.path
            short = self.path.removeprefix(_LIBRARY)
            if self.path.startswith(_LIBRARY) and "/" not in short:
                name = short
        return name + self._suffix()

    @property
    def canonical(self) -> str:
        """The long form: with domain and, without tag and digest, `latest`."""
        if not self.tag and not self.digest:
            return f"{self.repository}:latest"
        return self.repository + self._suffix()

    def with_tag(self, tag: str) -> "ImageReference":
        """Return another tag of the same repository."""
        return replace(self, tag=tag, digest="")

    def with_digest(self, digest: str) -> "ImageReference":
        """Return a reference to a manifest of the same repository."""
        return replace(self, tag="", digest=digest)

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return tag + digest


def parse(text: str) -> ImageReference:
    """Parse a reference in short or long form.

    Raises:
        InvalidReferenceError: With the Docker CLI's message.
    """
    if _IDENTIFIER.fullmatch(text):
        raise errors.InvalidReferenceError(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal"
            " strings"
        )
    domain, remainder = _split_domain(text)
    path = remainder.partition(":")[0]
    if path.lower() != path:
        raise errors.InvalidReferenceError(
            f"invalid reference format: repository name ({path}) must be lowercase"
        )
    return _match(f"{domain}/{remainder}")


def is_tag(text: str) -> bool:
    """Return whether a text can be a tag."""
    return bool(_ONLY_TAG.fullmatch(text))


def is_digest(text: str) -> bool:
    """Return whether a text is a digest."""
    algorithm, _, encoded = text.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    return len(encoded) == length and set(encoded) <= _HEX


def normalize_domain(host: str) -> str:
    """Return the normalized spelling of a registry host in auth configs or properties.

    Scheme, path and trailing slashes are removed, letters become lower case, and every
    name of Docker Hub becomes `docker.io`.
    """
    bare = host.strip().lower()
    scheme = _SCHEME.match(bare)
    bare = bare[scheme.end() if scheme else 0 :].partition("/")[0]
    return DOCKER_HUB if bare in _HUB_SPELLINGS else bare


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_host = bool(slash) and (
        "." in first or ":" in first or first == "localhost" or first.lower() != first
    )
    domain, remainder = (first, rest) if is_host else (DOCKER_HUB, text)
    if domain in HUB_HOSTS:
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in remainder:
        remainder = f"{_LIBRARY}{remainder}"
    return domain, remainder


def _match(text: str) -> ImageReference:
    found = _REFERENCE.fullmatch(text)
    if found is None:
        if _REFERENCE.fullmatch(text.lower()):
            raise errors.InvalidReferenceError("repository name must be lowercase")
        raise errors.InvalidReferenceError("invalid reference format")
    if len(found["path"] if found["domain"] else found["name"]) > _MAX_NAME_LENGTH:
        raise errors.InvalidReferenceError(
            f"repository name must not be more than {_MAX_NAME_LENGTH} characters"
        )
    _check_digest(found["digest"] or "")
    return ImageReference(
        domain=found["domain"] or "",
        path=found["path"],
        tag=found["tag"] or "",
        digest=found["digest"] or "",
    )


def _check_digest(digest: str) -> None:
    if not digest:
        return
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if algorithm.lower() != algorithm:
        raise errors.InvalidReferenceError("invalid checksum digest format")
    if length is None:
        raise errors.InvalidReferenceError("unsupported digest algorithm")
    if len(encoded) != length:
        raise errors.InvalidReferenceError("invalid checksum digest length")
    if encoded.lower() != encoded:
        raise errors.InvalidReferenceError("invalid checksum digest format")
