"""One HTTP exchange with a registry or its token server, on requests, within limits.

Which host is reached how (TLS, proxy, certificates) is the business of
`registry_routes`; what is asked and what an answer means that of `distribution`. Here a
request goes out and the bytes of its answer come back, or an error of ours that says
what the operator can do. Nothing foreign leaves this module.
"""

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus, cookiejar
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
    tls_faults,
)
from dokku_registryd.core import registry_hosts
from dokku_registryd.core.registry_protocol import Reply, Request

MAX_ERROR_BYTES: Final = 64 << 10
_CHUNK_BYTES: Final = 64 << 10
_CONNECTIONS: Final = 32
_MAX_LINES: Final = 256  # hosts; redirects could name any number of them
_UNSENDABLE: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    LocationParseError,
    UnicodeError,
)


@dataclass(slots=True, kw_only=True)
class _Line:
    """The connections to one host, and what is spoken on them."""

    route: registry_routes.Route
    session: requests.Session
    scheme: str = ""
    """Empty until an insecure host has shown what it speaks."""


class Wire:
    """Sends one request and reads its answer, within limits."""

    def __init__(
        self,
        *,
        routes: registry_routes.Routes,
        timeouts: tuple[float, float],
        total_timeout: float,
        upload_timeouts: tuple[float, float],
        now: Callable[[], float],
    ) -> None:
        self._routes = routes
        self._timeouts = timeouts
        self._total_timeout = total_timeout
        self._upload_timeouts = upload_timeouts
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
        if not line.route.is_insecure:
            return self._exchange(line, encrypted)
        if line.scheme:
            known = plain if line.scheme == "http" else encrypted
            answer = self._as_before(line, known)
            if answer is not None:
                return answer
        refused: requests.ConnectionError | None = None
        try:
            reply = self._exchange(line, encrypted)
        except requests.ConnectionError as error:
            refused = error
        if refused is not None:
            reply = self._exchange(line, plain)
            # A plain server may refuse a request in the same words.
            is_plain = tls_faults.is_of_plain_server(refused)
            if not is_plain and registry_requests.is_of_tls_server(reply):
                raise refused
        line.scheme = "https" if refused is None else "http"
        return reply

    def _as_before(self, line: _Line, request: Request) -> Reply | None:
        """Speak what an insecure host spoke; None if it speaks something else by now.

        It may have got a certificate since, or lost it.
        """
        try:
            reply = self._exchange(line, request)
        except requests.ConnectionError as error:
            if not tls_faults.is_of_plain_server(error):
                raise
        else:
            if line.scheme == "https" or not registry_requests.is_of_tls_server(reply):
                return reply
        line.scheme = ""
        return None

    def _exchange(self, line: _Line, request: Request) -> Reply:
        proxies = dict(line.route.proxies)
        proxy = registry_hosts.choose_proxy(request.url, proxies)
        if line.route.is_insecure:
            # Its operator has decided; a warning for each request helps nobody.
            warnings.simplefilter("ignore", InsecureRequestWarning)
        timeouts, total, stall = self._timeouts, self._total_timeout, None
        if request.is_upload:
            stall, total = self._upload_timeouts
            timeouts = (timeouts[0], stall)
        if request.most_seconds is not None:
            total = min(total, request.most_seconds)
        with self._deadlines.within(total, stall) as deadline:
            try:
                response = line.session.request(
                    request.method,
                    request.url,
                    headers=registry_requests.build_headers(request),
                    data=_body(request),
                    proxies={"http": proxy, "https": proxy} if proxy else {},
                    verify=not line.route.is_insecure,
                    timeout=timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                with contextlib.closing(response):
                    body = _read(request, response)
            finally:
                if deadline.is_over:
                    raise errors.RegistryUnavailableError(
                        f"cannot {request.purpose}: {line.route.host} needs longer than"
                        f" {total:g} s"
                    )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(
            status=response.status_code,
            url=request.url,
            headers=headers,
            body=body,
            retry_after=registry_requests.retry_after(headers, self._now()),
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
                ca_file = f"{self._routes.certs_dir}/{host}/ca.crt"
                return errors.PermanentError(
                    f"{said} shows a certificate that cannot be verified"
                    f" ({cause.verify_message}). {tls_faults.cure(cause, ca_file)}"
                )
            if tls_faults.shows_plain_server(cause):
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


class _Sliced:
    """A long body in slices: a socket's time limit is for one call, however long."""

    def __init__(self, body: bytes | bytearray, on_sent: Callable[[int], None]) -> None:
        self._body = memoryview(body)
        self._on_sent = on_sent

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        for start in range(0, len(self._body), _CHUNK_BYTES):
            piece = self._body[start : start + _CHUNK_BYTES]
            yield piece
            self._on_sent(len(piece))


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


def _body(request: Request) -> Any:
    if request.pieces is not None:
        return iter(request.pieces)
    if request.body is not None and len(request.body) > _CHUNK_BYTES:
        return _Sliced(request.body, request.on_sent)
    return None if request.body is None else bytes(request.body)


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
