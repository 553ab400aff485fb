"""One upload of a blob at a registry: its requests, and where it continues.

Source: the OCI distribution specification 1.1, "Pushing Blobs"
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs).
Any other module decides which requests to send, and what follows a refusal.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry import dialogue as registry_dialogue
from dokku_registryd.adapters.registry import messages, tokens
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import addresses, protocol
from dokku_registryd.core.registry.protocol import Reply, Request

_BODY_TYPE: Final = "application/octet-stream"
# The second one is distribution's, if a connection broke in the middle of a request.
_GONE: Final = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})
_SIZE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The URL at which an upload continues, from the registry's last answer."""

    url: str
    is_elsewhere: bool
    """Whether that is another host, which gets neither login nor our headers."""


class Session:
    """One upload at a registry, from its opening to its digest.

    Args:
        dialogue: Sends the requests.
        image: An image in the repository.
        access: The login.
        location: The URL of an upload that exists; empty before `open`.
    """

    def __init__(
        self,
        dialogue: registry_dialogue.Dialogue,
        image: reference.ImageReference,
        access: tokens.TokenScope,
        location: str = "",
    ) -> None:
        self._dialogue = dialogue
        self._image = image
        self._access = access
        is_internal = addresses.is_same_host(location, f"//{access.host}")
        self._place = _Place(url=location, is_elsewhere=not is_internal)
        self._is_prepared = False
        self.accepted = 0
        """How many bytes the registry has answered with a success."""
        self.least: int | None = None
        """The smallest size of a piece but the last, if the registry has one."""
        self.most: int | None = None
        """The largest size of a piece, if the registry states one."""

    @property
    def host(self) -> str:
        """The registry."""
        return self._access.host

    @property
    def location(self) -> str:
        """The URL at which it continues."""
        return self._place.url

    @property
    def purpose(self) -> str:
        """What it is for, for messages."""
        return f"push {self._image.familiar}"

    def open(self) -> None:
        """Begin, or begin again; return at once if it was prepared.

        The sizes of pieces that a registry wants are headers of the answer: one is in
        the specification, the other in Cloudflare's serverless registry.
        """
        is_prepared, self._is_prepared = self._is_prepared, False
        if is_prepared:
            return
        url = f"//{self._access.host}/v2/{self._image.path}/blobs/uploads/"
        reply = self._dialogue.ask(self._request("POST", url, body=b""), self._access)
        self._check_page(reply, HTTPStatus.ACCEPTED)
        self._take_place(reply)

    def prepare(self) -> None:
        """Begin now, for the first `open`."""
        self.open()
        self._is_prepared = True

    def mount(self, digest: str, path: str) -> bool:
        """Let the registry take a blob from another of its repositories.

        OCI specification, "Mounting a blob from another repository". A registry that
        does not begins an upload instead, for the first `open`.

        Args:
            digest: The blob.
            path: The other repository.

        Returns:
            Whether it has taken it.
        """
        url = (
            f"//{self._access.host}/v2/{self._image.path}/blobs/uploads/"
            f"?mount={quote(digest, safe='')}&from={quote(path, safe='')}"
        )
        reply = self._dialogue.ask(self._request("POST", url, body=b""), self._access)
        self._check_page(reply, HTTPStatus.ACCEPTED)
        if reply.status == HTTPStatus.ACCEPTED:
            self._take_place(reply)
            self._is_prepared = True
        return reply.status == HTTPStatus.CREATED

    def cancel(self) -> None:
        """Let the registry drop it ("Canceling an upload" of distribution's API)."""
        self._ask(self._request("DELETE", self._place.url), HTTPStatus.NOT_FOUND)

    def send_rest(self, source: ports.BlobSource) -> None:
        """Send all further bytes, which can be sent only once, in one request."""
        rest = _Rest(source)
        self._go_on(self._request("PATCH", self._place.url, pieces=rest), rest, source)

    def send(self, source: ports.BlobSource, size: int) -> None:
        """Send as many of the next bytes in a request with their range."""
        start = source.position
        part = _Part(source, size)
        request = self._request(
            "PATCH",
            self._place.url,
            headers={"content-range": f"{start}-{start + size - 1}"},
            body=part,
        )
        self._go_on(request, part, source)

    def end(
        self, digest: str, source: ports.BlobSource | None = None, size: int = 0
    ) -> bool:
        """Finish with the digest, and with a body of so many bytes.

        Returns:
            Whether the registry has surely taken it: it answers 201, after all bytes.
            Some registries answer another success, and so do proxies.
        """
        joint = "&" if "?" in self._place.url else "?"
        part = _Part(source, size) if source is not None and size else None
        reply = self._ask(
            self._request(
                "PUT",
                f"{self._place.url}{joint}digest={quote(digest, safe='')}",
                body=part or b"",
            )
        )
        self._check_page(reply, HTTPStatus.CREATED)
        return reply.status == HTTPStatus.CREATED and (part is None or part.is_sent)

    def offset(self) -> int | None:
        """Ask how many bytes the registry has; None if it does not say.

        Raises:
            ImageNotFoundError: It does not know the upload any more.
            RegistryUnavailableError: It does not answer.
        """
        request = self._request("GET", self._place.url)
        try:
            reply = self._ask(request, HTTPStatus.NOT_FOUND)
        except errors.PermanentError:
            return None
        if reply.status == HTTPStatus.NOT_FOUND:
            codes = _GONE.intersection(protocol.parse_error(reply.body).codes)
            if not codes:
                return None
            raise errors.ImageNotFoundError(
                f"cannot {self.purpose}: the registry answers 404 {' '.join(codes)}",
                status=reply.status,
            )
        if not addresses.is_same_host(reply.url, self._place.url):
            return None  # A redirect's target decides about nothing.
        self._place = self._next(reply)
        return protocol.parse_offset(reply.headers.get("range", ""))

    def _take_place(self, reply: Reply) -> None:
        self._place = _place(reply, self.purpose, self._access.secrets)
        self.accepted = 0
        self.least = parse_size(reply.headers.get("oci-chunk-min-length", ""))
        self.most = parse_size(reply.headers.get("oci-chunk-max-length", "")) or None

    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: "bytes | _Part | None" = None,
        pieces: Iterable[bytes] | None = None,
    ) -> Request:
        is_upload = method in {"PUT", "PATCH"}
        kind = {"content-type": _BODY_TYPE} if is_upload else {}
        return Request(
            method=method,
            url=url,
            purpose=self.purpose,
            headers=kind | (headers or {}),
            body=body,
            pieces=pieces,
            is_upload=is_upload,
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )

    def _go_on(
        self, request: Request, body: "_Part | _Rest", source: ports.BlobSource
    ) -> None:
        reply = self._ask(request)
        self._check_page(reply, HTTPStatus.ACCEPTED)
        self._place = self._next(reply)
        if not body.is_sent:
            raise errors.RegistryUnavailableError(
                f"cannot {self.purpose}: the registry has answered, and disconnected,"
                " before it had all bytes"
            )
        self.accepted = source.position

    def _check_page(self, reply: Reply, wanted: HTTPStatus) -> None:
        """Raise if a proxy shows a page in place of the registry's answer.

        Raises:
            RegistryUnavailableError: It does.
        """
        if reply.status != wanted and messages.is_page(reply):
            raise errors.RegistryUnavailableError(
                f"cannot {self.purpose}: the answer is a page of a proxy in front of"
                " the registry. If it is a login page, make the registry reachable"
                " without it"
            )

    def _ask(self, request: Request, *expected: int) -> Reply:
        if self._place.is_elsewhere:
            return self._dialogue.ask_elsewhere(request, self._access, *expected)
        return self._dialogue.ask(request, self._access, *expected)

    def _next(self, reply: Reply) -> _Place:
        return _place(reply, self.purpose, self._access.secrets, before=self._place)


class _Part:
    """The next bytes of a source as a body that has a length, and can be repeated."""

    def __init__(self, source: ports.BlobSource, size: int) -> None:
        self._source = source
        self._start = source.position
        self._size = size
        self.is_sent = False
        """Whether all of it was sent; an answer may come earlier."""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self.is_sent = False
        self._source.rewind(self._start)
        yield from self._source.read(self._size)
        self.is_sent = True


class _Rest:
    """All further bytes of a source as a body that can be sent once."""

    def __init__(self, source: ports.BlobSource) -> None:
        self._source = source
        self.is_sent = False
        """As of `_Part`."""

    def __iter__(self) -> Iterator[bytes]:
        yield from self._source.read()
        self.is_sent = True


def parse_size(header: str) -> int | None:
    """Return a number of bytes; None if the header has none."""
    return int(header) if _SIZE.fullmatch(header) else None


def _place(
    reply: Reply,
    purpose: str,
    secrets: Iterable[Secret],
    *,
    before: _Place | None = None,
) -> _Place:
    """Return the URL of the next request: the last Location (distribution-spec #415).

    A registry behind a proxy that terminates TLS may name itself with `http`; the
    request stays encrypted if the previous one was.

    Raises:
        PermanentError: It is invalid, or would no longer be encrypted.
    """
    location = reply.headers.get("location", "")
    if not location and before is not None:
        return before
    target = addresses.resolve(reply.url, location) if location else ""
    scheme, host, _ = addresses.origin(target)
    own = addresses.origin(reply.url)[0]
    is_elsewhere = before is not None and before.is_elsewhere
    is_near = addresses.is_same_host(reply.url, target)
    if is_near and scheme in {"http", "https"}:
        return _Place(url=f"{own}{target[len(scheme) :]}", is_elsewhere=is_elsewhere)
    is_downgrade = own == "https" and scheme != "https"
    if is_downgrade or scheme not in {"http", "https"} or not host:
        raise errors.PermanentError(
            f"cannot {purpose}: the registry names"
            f" {protocol.clean(target, secrets)!r} as its location, which is"
            " not followed. Ask its operator"
        )
    return _Place(url=target, is_elsewhere=True)
