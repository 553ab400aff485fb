"""One HTTP exchange with a registry or its token server, using requests, with limits.

`routes` decides about TLS, proxy and certificates; `messages` builds requests and
evaluates answers. This module sends a request and returns the bytes of its answer
(`bodies`), or raises our own error with a hint for the operator (`faults`). No foreign
exception leaves this module.
"""

import contextlib
import functools
import ssl
import threading
import warnings
from collections.abc import Callable
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
from dokku_registryd.adapters.registry import (
    bodies,
    connections,
    deadlines,
    faults,
    messages,
    tls_faults,
)
from dokku_registryd.adapters.registry import proxy as registry_proxy
from dokku_registryd.adapters.registry import routes as registry_routes
from dokku_registryd.core.registry import exchanges, hosts, proxies
from dokku_registryd.core.registry.protocol import Reply, Request

_WITH_CONTENT: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
_CONNECTIONS: Final = 32
_MAX_LINES: Final = 256  # hosts; redirects could name any number of them
# Methods that change nothing, or may be repeated.
_REPEATABLE: Final = frozenset({"GET", "HEAD", "POST", "PUT"})
_UNSENDABLE: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    LocationParseError,
    UnicodeError,
)


@dataclass(slots=True, kw_only=True)
class _Line:
    """The connections to one host, and its scheme."""

    route: registry_routes.Route
    session: requests.Session
    scheme: str = ""
    """Empty until the scheme of an insecure host is known."""


class Wire:
    """Sends one request and reads its answer, with limits.

    `note` is called after each exchange, whether it has an answer or not.
    """

    def __init__(
        self,
        *,
        routes: registry_routes.Routes,
        timeouts: tuple[float, float],
        total_timeout: float,
        upload_timeouts: tuple[float, float],
        now: Callable[[], float],
        monotonic: Callable[[], float],
        note: Callable[[exchanges.Exchange], object],
    ) -> None:
        self._routes = routes
        self._timeouts = timeouts
        self._total_timeout = total_timeout
        self._upload_timeouts = upload_timeouts
        self._now = now
        self._monotonic = monotonic
        self._note = note
        self._deadlines = deadlines.Deadlines()
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str, str], _Line] = {}

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            lines, self._lines = self._lines, {}
        for line in lines.values():
            line.session.close()

    def send(self, request: Request) -> Reply:
        """Send a request; redirects are returned, not followed.

        Raises:
            RegistryUnavailableError: The host does not answer in time, or disconnects.
            UnresolvedHostError: The host that the operator has named has no address;
                an `UnknownHostError` if there is no such name.
            PermanentError: It is not trusted, or its answer is too long.
        """
        host = urlsplit(request.url).netloc
        hosts.check_host(host)
        try:
            line = self._line(host, request)
        except registry_routes.UnknownNameError as unknown:
            raise faults.nameless(
                request, host, is_missing=unknown.is_missing
            ) from None
        try:
            return self._speak(line, request)
        except registry_routes.StrayAddressError:
            self._routes.forget(host)
            raise faults.stray(request, line.route) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            line.scheme = ""
            # Without its cause, whose text may contain an address with a signature.
            raise faults.translate(
                request,
                line.route,
                error,
                certs_dir=self._routes.certs_dir,
                unsendable=_UNSENDABLE,
                is_late=isinstance(error, requests.Timeout),
            ) from None

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
            # A plain HTTP server may refuse a request with the same words.
            is_plain = tls_faults.is_of_plain_server(refused)
            if not is_plain and messages.is_of_tls_server(reply):
                raise refused
        line.scheme = "https" if refused is None else "http"
        return reply

    def _as_before(self, line: _Line, request: Request) -> Reply | None:
        """Use an insecure host's known scheme; return None if it has changed.

        It may have got or lost a certificate meanwhile.
        """
        try:
            reply = self._exchange(line, request)
        except requests.ConnectionError as error:
            if not tls_faults.is_of_plain_server(error):
                raise
        else:
            if line.scheme == "https" or not messages.is_of_tls_server(reply):
                return reply
        line.scheme = ""
        return None

    def _exchange(self, line: _Line, request: Request) -> Reply:
        started = self._monotonic()
        status: int | None = None
        try:
            try:
                reply = self._once(line, request)
            except _DeadConnectionError:
                # It was idle, and the other side has closed it.
                reply = self._once(line, request, wants_new=True)
            status = reply.status
            return reply
        finally:
            exchange = exchanges.Exchange(
                host=line.route.host,
                named_by=request.named_by,
                method=request.method,
                status=status,
                seconds=max(0.0, self._monotonic() - started),
            )
            self._note(exchange)

    def _once(self, line: _Line, request: Request, *, wants_new: bool = False) -> Reply:
        proxy = proxies.choose(request.url, line.route.said)
        if proxy is not None:
            registry_proxy.check(request.purpose, proxy)
        if line.route.is_insecure:
            # The operator has decided; a warning for each request does not help.
            warnings.simplefilter("ignore", InsecureRequestWarning)
        timeouts, total, stall = self._timeouts, self._total_timeout, None
        if request.is_upload or request.consume is not None:
            stall, total = self._upload_timeouts
            timeouts = (timeouts[0], stall)
        if request.most_seconds is not None:
            total = min(total, request.most_seconds)
        with self._deadlines.within(total, stall, wants_new=wants_new) as deadline:
            try:
                response = line.session.request(
                    request.method,
                    request.url,
                    headers=messages.build_headers(request),
                    data=bodies.of_request(request),
                    proxies=registry_proxy.addresses(proxy),
                    verify=not line.route.is_insecure,
                    timeout=timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                deadline.was_used = False  # from here on an error concerns the answer
                with contextlib.closing(response):
                    _check_reply(request, response, proxy)
                    return self._receive(request, response)
            except requests.exceptions.ProxyError as error:
                if proxy is not None and registry_proxy.is_about_login(error):
                    raise registry_proxy.wants_login(request.purpose, proxy) from None
                raise
            except requests.ConnectionError as error:
                may_repeat = deadline.was_used and not deadline.is_over
                if may_repeat and _is_repeatable(request, error):
                    raise _DeadConnectionError from error
                raise
            finally:
                if deadline.is_over:
                    raise errors.RegistryUnavailableError(
                        f"cannot {request.purpose}: {line.route.host} takes longer than"
                        f" {total:g} s"
                    )

    def _receive(self, request: Request, response: requests.Response) -> Reply:
        headers = {name.lower(): value for name, value in response.headers.items()}
        reply = Reply(
            status=response.status_code,
            url=request.url,
            headers=headers,
            retry_after=messages.retry_after(headers, self._now()),
        )
        pieces = response.iter_content(bodies.CHUNK_BYTES)
        if request.consume is None or reply.status not in _WITH_CONTENT:
            return replace(reply, body=bodies.read(request, reply, pieces))
        bodies.check_encoding(request, reply)
        request.consume(reply, pieces)
        return reply

    def _line(self, host: str, request: Request) -> _Line:
        key = (host, request.certificates_of, request.named_by)
        route = self._routes.to(*key)
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
        session.trust_env = False  # no ~/.netrc, no proxies of the environment
        session.headers.clear()
        session.cookies.set_policy(cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(
            registry_routes.build_context(route),
            functools.partial(
                connections.pool_classes,
                self._deadlines,
                monotonic=self._monotonic,
                check=functools.partial(registry_routes.check_addresses, route),
            ),
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


class _DeadConnectionError(Exception):
    """An idle connection has ended without an answer."""


class _Session(requests.Session):
    """Ignores redirects; requests reads them even if it must not follow them."""

    def get_redirect_target(self, _response: requests.Response) -> str | None:
        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """Uses our TLS settings, and connections with deadlines."""

    def __init__(
        self, context: ssl.SSLContext, pool_classes: Callable[..., dict[str, Any]]
    ) -> None:
        self._context = context
        self._pool_classes = pool_classes
        super().__init__(pool_maxsize=_CONNECTIONS)

    def cert_verify(self, conn: Any, *_arguments: Any) -> None:
        """Use our TLS settings only; requests would trust certifi's CAs, too."""
        is_verified = self._context.verify_mode is ssl.CERT_REQUIRED
        conn.cert_reqs = "CERT_REQUIRED" if is_verified else "CERT_NONE"

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **named)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes()

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        asked = registry_proxy.at(proxy)
        if asked.is_encrypted:
            named["proxy_ssl_context"] = registry_routes.system_context()
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **named)
        manager.pool_classes_by_scheme = self._pool_classes(is_socks=asked.is_socks)
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return registry_proxy.headers(proxy)


def _is_repeatable(request: Request, error: requests.ConnectionError) -> bool:
    """Return whether to repeat a request, although it may have arrived."""
    is_short = request.pieces is None and not request.is_upload
    is_time = isinstance(error, requests.Timeout)
    return request.method in _REPEATABLE and is_short and not is_time


def _check_reply(
    request: Request, response: requests.Response, proxy: proxies.Proxy | None
) -> None:
    """Raise if the answer comes from the proxy itself, not from a registry."""
    is_forwarded = proxy is not None and request.url.startswith("http:")
    wanted = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    if proxy is not None and is_forwarded and response.status_code == wanted:
        raise registry_proxy.wants_login(request.purpose, proxy)
