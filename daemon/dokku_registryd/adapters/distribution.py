"""The registry's HTTP API, on requests.

Sources: the OCI distribution specification 1.1
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md); the way in
is that of Docker's token authentication specification. Manifests pass through as the
bytes that they are, because their digest is their name.
"""

import contextlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus, cookiejar
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import requests.adapters
from urllib3.exceptions import (
    HTTPError,
    InsecureRequestWarning,
    LocationParseError,
)

from dokku_registryd import errors
from dokku_registryd.adapters import (
    registry_deadlines,
    registry_requests,
    registry_routes,
    registry_tokens,
)
from dokku_registryd.core import (
    images,
    reference,
    registry_grants,
    registry_hosts,
    registry_protocol,
)
from dokku_registryd.core.logins import AuthConfig
from dokku_registryd.core.registry_protocol import Reply, Request

MAX_ERROR_BYTES: Final = 64 << 10
MAX_PAGES: Final = 1000
_PAGE_LENGTH: Final = 1000  # the most that ECR and Azure allow
_MAX_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 64 << 10
_CONNECTIONS: Final = 32
_MAX_LINES: Final = 256  # hosts; redirects could name any number of them
_NO_HEAD: Final = HTTPStatus.METHOD_NOT_ALLOWED
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_UNSENDABLE: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    LocationParseError,
    UnicodeError,
)
_TLS_TO_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})


class DistributionRegistry:
    """Implements `ports.Registry`. Safe to share between threads.

    Args:
        facts: Asks the Engine for its insecure registries and proxies.
        certs_dir: The folder with certificates of registries.
        connect_timeout: Seconds until a connection must stand.
        read_timeout: Seconds that the other side may send nothing.
        total_timeout: Seconds that one request may take in all.
        monotonic: The clock for time limits.
        now: The clock that Retry-After dates are compared with.
    """

    def __init__(
        self,
        *,
        facts: Callable[[], images.EngineFacts],
        certs_dir: Path,
        connect_timeout: float = 10,
        read_timeout: float = 30,
        total_timeout: float = 120,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        routes = registry_routes.Routes(facts, certs_dir, monotonic=monotonic)
        self._wire = _Wire(
            routes=routes,
            timeouts=(connect_timeout, read_timeout),
            total_timeout=total_timeout,
            now=now,
        )
        self._authorizations = registry_tokens.Authorizations(
            self._wire.send,
            is_insecure=lambda host: routes.to(host).is_insecure,
            monotonic=monotonic,
            patience=total_timeout,
        )

    def close(self) -> None:
        """Close connections that are kept for later."""
        self._wire.close()

    def ping(self, domain: str, *, auth: AuthConfig | None) -> None:
        """Return if the registry is up and takes this login.

        OCI specification, "Determining Support": `/v2/` answers 200. Whoever has a
        login that cannot be used is told so at once.
        """
        access = registry_requests.access_to(domain, "", "", auth)
        request = Request(
            method="GET",
            url=f"//{access.host}/v2/",
            purpose=f"log in to {domain}" if auth else f"reach {domain}",
            max_bytes=registry_requests.MAX_MANIFEST_BYTES,
        )
        self._ask(request, access)

    def actions(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> frozenset[str] | None:
        """Return what a login may do in a repository; None where no token tells.

        It asks for a token and looks at what came. At `/v2/`, because a challenge of
        the repository itself names the scope of that one request.
        """
        access = registry_requests.access_to(
            image.domain, image.path, "pull,push", auth
        )
        request = Request(
            method="GET",
            url=f"//{access.host}/v2/",
            purpose=f"get leave to push to {image.repository}",
            max_bytes=registry_requests.MAX_MANIFEST_BYTES,
        )
        self._ask(request, access)
        token = self._authorizations.known(access)
        return registry_grants.parse_actions(token, image.path) if token else None

    def digest(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> str | None:
        """Return the digest that a tag stands for, None if there is no such tag.

        OCI specification, "Checking if content exists in the registry". The header
        Docker-Content-Digest is optional, and some proxies refuse HEAD: then the bytes
        are fetched and counted.
        """
        request, access = registry_requests.build_request(
            "HEAD", image, auth, "look up"
        )
        reply = self._ask(request, access, HTTPStatus.NOT_FOUND, _NO_HEAD)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        stated = registry_protocol.parse_digest(
            reply.headers.get(registry_requests.DIGEST_HEADER, "")
        )
        if stated is not None and reply.status == HTTPStatus.OK:
            return stated
        found = self.manifest(image, auth=auth)
        return None if found is None else found.digest

    def manifest(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> images.Manifest | None:
        """Return a manifest or index, its bytes untouched; None if absent.

        OCI specification, "Pulling manifests".

        Raises:
            DigestMismatchError: These are not the bytes that were asked for.
        """
        request, access = registry_requests.build_request(
            "GET", image, auth, "read the manifest of"
        )
        reply = self._ask(request, access, HTTPStatus.NOT_FOUND)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        for wanted in (
            image.digest,
            reply.headers.get(registry_requests.DIGEST_HEADER, ""),
        ):
            registry_requests.check_digest(request.purpose, wanted, reply.body)
        kind = registry_protocol.media_type(
            reply.headers.get("content-type", ""), reply.body
        )
        if kind is None:
            raise errors.PermanentError(
                f"cannot {request.purpose}: it is no manifest of Docker's schema 2 or"
                " of OCI. Push the image again with a current Docker Engine"
            )
        return images.Manifest(media_type=kind, body=reply.body)

    def put_manifest(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag and return the digest that the registry states.

        OCI specification, "Pushing Manifests": the type that goes along is the one the
        manifest came with.
        """
        request, access = registry_requests.build_request("PUT", image, auth, "put")
        request = replace(
            request,
            headers={"content-type": manifest.media_type},
            body=manifest.body,
        )
        reply = self._ask(request, access)
        stated = registry_protocol.parse_digest(
            reply.headers.get(registry_requests.DIGEST_HEADER, "")
        )
        return stated or manifest.digest

    def tags(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> list[str]:
        """Return every tag of the repository; empty if there is no repository.

        OCI specification, "Listing Tags": pages are chained by Link headers.
        """
        access = registry_requests.access_to(image.domain, image.path, "pull", auth)
        url = f"//{access.host}/v2/{image.path}/tags/list?n={_PAGE_LENGTH}"
        purpose = f"list the tags of {image.repository}"
        found: dict[str, None] = {}
        visited: set[str] = set()
        for _ in range(MAX_PAGES):
            request = Request(
                method="GET",
                url=url,
                purpose=purpose,
                max_bytes=registry_requests.MAX_MANIFEST_BYTES,
            )
            reply = self._ask(request, access, HTTPStatus.NOT_FOUND)
            if reply.status == HTTPStatus.NOT_FOUND:
                return list(found)
            found |= dict.fromkeys(registry_protocol.parse_tags(reply.body))
            link = reply.headers.get("link", "")
            following = registry_protocol.next_page(link, reply.url)
            if following is None:
                return list(found)
            registry_requests.check_same_origin(purpose, reply.url, following)
            if following in visited:
                break
            visited.add(following)
            url = following
        raise errors.PermanentError(
            f"cannot {purpose}: it has more than {MAX_PAGES} pages, or they lead in a"
            " circle. Remove old tags in the registry"
        )

    def delete(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> None:
        """Delete a manifest by its digest, and with it every tag that names it.

        OCI specification, "Deleting Manifests"; registries refuse to delete by tag.
        One that is gone already is fine.
        """
        if not image.digest:
            raise errors.InvalidRequestError(
                f"cannot delete {image.canonical}: a manifest is deleted by its digest"
            )
        request, access = registry_requests.build_request(
            "DELETE", image, auth, "delete"
        )
        self._ask(request, access, HTTPStatus.NOT_FOUND)

    def _ask(
        self, request: Request, access: registry_tokens.Access, *expected: int
    ) -> Reply:
        """Send, log in if the registry wants that, and raise what it refuses."""
        used = self._authorizations.known(access)
        reply = self._follow(replace(request, authorization=used))
        is_asked = registry_requests.is_from(access.host, reply)
        if reply.status == HTTPStatus.UNAUTHORIZED and is_asked:
            used = self._authorizations.renew(access, reply, used, request.purpose)
            reply = self._follow(replace(request, authorization=used))
        if reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in expected:
            return reply
        raise registry_requests.refusal(request, access, reply, used)

    def _follow(self, request: Request) -> Reply:
        """Send, and follow redirects of what only reads.

        Some registries answer manifests from another host. That host gets no login.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            reply = self._wire.send(request)
            is_redirect = reply.status in _REDIRECTS and "location" in reply.headers
            if not is_redirect or request.method not in {"GET", "HEAD"}:
                return reply
            request = registry_requests.redirect(request, reply)
        raise errors.PermanentError(
            f"cannot {request.purpose}: the registry redirects more than"
            f" {_MAX_REDIRECTS} times"
        )


@dataclass(slots=True, kw_only=True)
class _Line:
    """The connections to one host, and what is spoken on them."""

    route: registry_routes.Route
    session: requests.Session
    scheme: str = ""
    """Empty until an insecure host has shown what it speaks."""


class _Wire:
    """Sends one request and reads its answer, within limits."""

    def __init__(
        self,
        *,
        routes: registry_routes.Routes,
        timeouts: tuple[float, float],
        total_timeout: float,
        now: Callable[[], float],
    ) -> None:
        self._routes = routes
        self._timeouts = timeouts
        self._total_timeout = total_timeout
        self._now = now
        self._deadlines = registry_deadlines.Deadlines()
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str], _Line] = {}

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            lines, self._lines = self._lines, {}
        for line in lines.values():
            line.session.close()

    def send(self, request: Request) -> Reply:
        """Send a request; redirects are returned, not followed.

        Raises:
            RegistryUnavailableError: The host does not answer in time, or breaks off.
            PermanentError: It cannot be trusted, or answers more than it may.
        """
        host = urlsplit(request.url).netloc
        registry_hosts.check_host(host)
        line = self._line(host, request.certificates_of)
        try:
            return self._speak(line, request)
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            line.scheme = ""
            # Without its cause, whose text may hold an address with a signature.
            raise self._translate(request, line.route.host, error) from None

    def _speak(self, line: _Line, request: Request) -> Reply:
        if not request.url.startswith("//"):
            return self._exchange(line, request)
        encrypted = replace(request, url=f"https:{request.url}")
        plain = replace(request, url=f"http:{request.url}")
        if line.scheme or not line.route.is_insecure:
            is_plain = line.scheme == "http"
            return self._exchange(line, plain if is_plain else encrypted)
        refused: requests.ConnectionError | None = None
        try:
            reply = self._exchange(line, encrypted)
        except requests.ConnectionError as error:
            refused = error
        if refused is not None:
            reply = self._exchange(line, plain)
            if registry_requests.is_of_tls_server(reply):
                raise refused
        line.scheme = "https" if refused is None else "http"
        return reply

    def _exchange(self, line: _Line, request: Request) -> Reply:
        proxies = dict(line.route.proxies)
        proxy = registry_hosts.choose_proxy(request.url, proxies)
        if line.route.is_insecure:
            # Its operator has decided; a warning for each request helps nobody.
            warnings.simplefilter("ignore", InsecureRequestWarning)
        with self._deadlines.within(self._total_timeout) as deadline:
            try:
                response = line.session.request(
                    request.method,
                    request.url,
                    headers=registry_requests.build_headers(request),
                    data=request.body,
                    proxies={"http": proxy, "https": proxy} if proxy else {},
                    verify=not line.route.is_insecure,
                    timeout=self._timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                with contextlib.closing(response):
                    body = _read(request, response)
            finally:
                if deadline.is_over:
                    raise errors.RegistryUnavailableError(
                        f"cannot {request.purpose}: {line.route.host} needs longer than"
                        f" {self._total_timeout:g} s"
                    )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(
            status=response.status_code,
            url=request.url,
            headers=headers,
            body=body,
            retry_after=registry_protocol.parse_retry_after(
                headers.get("retry-after", ""), self._now()
            ),
        )

    def _line(self, host: str, certificates_of: str) -> _Line:
        route = self._routes.to(host, certificates_of)
        key = (host, certificates_of)
        with self._lock:
            line = self._lines.get(key)
            if line is None or line.route != route:
                line = _Line(route=route, session=self._open(route))
                self._lines[key] = line
                if len(self._lines) > _MAX_LINES:
                    self._lines.pop(next(iter(self._lines)))
        return line

    def _open(self, route: registry_routes.Route) -> requests.Session:
        session = _Session()
        session.trust_env = False  # else ~/.netrc and the environment's proxies hold
        session.headers.clear()
        session.cookies.set_policy(cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(registry_routes.build_context(route), self._deadlines)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _translate(
        self, request: Request, host: str, error: Exception
    ) -> errors.RegistrydError:
        said = f"cannot {request.purpose}: {host}"
        for cause in registry_requests.causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return errors.PermanentError(
                    f"{said} shows a certificate that cannot be verified"
                    f" ({cause.verify_message}). Put that of its CA into"
                    f" {self._routes.certs_dir}/{host}/ca.crt, as for the Engine"
                )
            if isinstance(cause, ssl.SSLError) and cause.reason in _TLS_TO_PLAIN:
                return errors.PermanentError(
                    f"{said} speaks no TLS. Give it a certificate, or add it to"
                    " insecure-registries of the Docker Engine"
                )
            if isinstance(cause, _UNSENDABLE):
                return errors.InvalidRequestError(
                    f"{said} is no address that can be asked. Check the property"
                    " server of dokku registry:report"
                )
        return errors.RegistryUnavailableError(f"{said} {_reason(error)}")


class _Session(requests.Session):
    """Leaves redirects alone; requests reads them even if it shall not follow."""

    def get_redirect_target(self, _response: requests.Response) -> str | None:
        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """Uses our TLS settings, and connections that obey deadlines."""

    def __init__(
        self, context: ssl.SSLContext, deadlines: registry_deadlines.Deadlines
    ) -> None:
        self._context = context
        self._deadlines = deadlines
        super().__init__(pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **named)
        self.poolmanager.pool_classes_by_scheme = self._deadlines.pool_classes()

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **named)
        manager.pool_classes_by_scheme = self._deadlines.pool_classes()
        return manager


def _read(request: Request, response: requests.Response) -> bytes:
    is_error = response.status_code >= HTTPStatus.BAD_REQUEST
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        if is_error:
            return b""
        raise errors.PermanentError(
            f"cannot {request.purpose}: the answer is compressed, which was not asked"
            " for"
        )
    body = bytearray()
    limit = MAX_ERROR_BYTES if is_error else request.max_bytes
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            if is_error:
                break
            raise errors.PermanentError(
                f"cannot {request.purpose}: the answer is longer than {limit} bytes,"
                " which no registry may send. Ask whoever runs it"
            )
    return bytes(body[:limit])


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "cannot be reached through the proxy of the Docker Engine"
    if isinstance(error, requests.Timeout):
        return "does not answer in time"
    words = (_word(cause) for cause in registry_requests.causes(error))
    return next(filter(None, words), f"breaks off ({type(error).__name__})")


def _word(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return "is a name that cannot be looked up"
    if isinstance(cause, ssl.SSLError):
        return "breaks off the TLS handshake"
    if isinstance(cause, OSError) and cause.strerror:
        return f"does not answer ({cause.strerror})"
    return "does not answer in time" if isinstance(cause, TimeoutError) else ""
