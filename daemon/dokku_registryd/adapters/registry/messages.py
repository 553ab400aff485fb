"""Requests to a registry, and the evaluation of answers, without network access.

Sources as in `client`: the OCI distribution specification 1.1 and Docker's token
authentication specification.
"""

import contextlib
import email.utils
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from dokku_registryd import errors
from dokku_registryd.adapters.registry import tokens
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import (
    absence,
    addresses,
    backoff,
    challenges,
    hosts,
    protocol,
    refusal_errors,
    refusals,
)
from dokku_registryd.core.registry.protocol import Reply, Request

MAX_MANIFEST_BYTES: Final = 4 << 20  # OCI, "Pushing Manifests": the guaranteed minimum
REACH_SECONDS: Final = 10.0
"""The most that a question may take which only asks whether a registry is there."""
DIGEST_HEADER: Final = "docker-content-digest"
_USER_AGENT: Final = "dokku-registryd"
_ACCEPT: Final = ", ".join(protocol.MANIFEST_TYPES)
READING: Final = "pull"
PUSHING: Final = "pull,push"
"""The scope of a push from its first request on (Quay creates a repository for it, and
denies a token for `pull` alone any access to a repository that does not exist yet)."""
# If HEAD is denied or refused, GET follows: HEAD has no body and so no reason, and some
# registries answer it with 404, 405 or 501 for existing manifests (Nexus OSS, some
# proxies). A request to slow down is not repeated.
UNPROVED: Final = (
    frozenset(range(400, 500))
    - refusal_errors.TEMPORARY
    - {HTTPStatus.TOO_MANY_REQUESTS}
) | {HTTPStatus.NOT_IMPLEMENTED}
_ACTIONS: Final = {"PUT": PUSHING, "DELETE": "pull,delete"}
_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}


def access_to(
    domain: str, path: str, actions: str, auth: AuthConfig | None
) -> tokens.TokenScope:
    """Return the scope of a token."""
    return tokens.TokenScope(
        host=hosts.api_host(domain), path=path, actions=actions, auth=auth
    )


def build_request(
    method: str,
    image: reference.ImageReference,
    auth: AuthConfig | None,
    verb: str,
    *,
    for_push: bool = False,
) -> tuple[Request, tokens.TokenScope]:
    """Return a request about one manifest."""
    actions = _ACTIONS.get(method, PUSHING if for_push else READING)
    access = access_to(image.domain, image.path, actions, auth)
    name = image.digest or image.tag or "latest"
    request = Request(
        method=method,
        url=f"//{access.host}/v2/{image.path}/manifests/{name}",
        purpose=f"{verb} {image.canonical}",
        headers={"accept": _ACCEPT},
        max_bytes=MAX_MANIFEST_BYTES,
    )
    return request, access


def build_greeting(
    access: tokens.TokenScope, purpose: str, *, most_seconds: float | None = None
) -> Request:
    """Return a request to `/v2/`, which each registry answers.

    OCI specification, "Determining Support".
    """
    return Request(
        method="GET",
        url=f"//{access.host}/v2/",
        purpose=purpose,
        max_bytes=MAX_MANIFEST_BYTES,
        most_seconds=most_seconds,
    )


def build_headers(request: Request) -> dict[str, str]:
    """Return the headers of a request.

    Raises:
        InvalidRequestError: A value cannot be sent as a header.
    """
    headers = {
        "user-agent": _USER_AGENT,
        # No compression: avoids decompression bombs and keeps the digest valid.
        "accept-encoding": "identity",
        **request.headers,
    }
    if request.authorization is not None:
        headers["authorization"] = request.authorization.reveal()
    for name, value in headers.items():
        if not protocol.is_header_value(value):
            raise errors.InvalidRequestError(
                f"cannot {request.purpose}: the header {name} would contain invalid"
                " characters"
            )
    return headers


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that an answer asks us to wait, if it does.

    A date is compared with the date of the answer, so that a wrong clock of this host
    does not matter. The wait is never longer than a pause.
    """
    asked = headers.get("retry-after", "")
    told = date_of(headers)
    seconds = protocol.parse_retry_after(asked, now if told is None else told)
    return None if seconds is None else min(seconds, backoff.MOST_SECONDS)


def date_of(headers: Mapping[str, str]) -> float | None:
    """Return the time of an answer in seconds since the epoch; None if it has none.

    RFC 9110, section 6.6.1: an origin server with a clock sends it.
    """
    with contextlib.suppress(ValueError, OverflowError):
        return email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp()
    return None


def check_digest(purpose: str, wanted: str, body: bytes) -> None:
    """Compare bytes with the expected digest.

    OCI specification, "Digests": clients that fetch by digest should verify.

    Raises:
        DigestMismatchError: They have another digest.
    """
    algorithm, _, expected = wanted.partition(":")
    if len(expected) != _LENGTHS.get(algorithm):
        return
    found = hashlib.new(algorithm, body, usedforsecurity=False).hexdigest()
    if found != expected.lower():
        raise errors.DigestMismatchError(
            f"cannot {purpose}: its content has the digest {algorithm}:{found}, not"
            f" {wanted}. The registry, or a proxy in front of it, changes the content:"
            " ask its operator"
        )


def redirect(request: Request, reply: Reply, secrets: Iterable[Secret] = ()) -> Request:
    """Return the request for a redirect; another host gets no login.

    Raises:
        PermanentError: It would no longer be encrypted, or is invalid.
    """
    location = reply.headers.get("location", "")
    target = addresses.resolve(reply.url, location)
    before = addresses.origin(reply.url)
    after = addresses.origin(target)
    is_downgrade = before[0] == "https" and after[0] != "https"
    if is_downgrade or after[0] not in {"http", "https"} or not after[1]:
        raise errors.PermanentError(
            f"cannot {request.purpose}: the registry redirects to"
            f" {protocol.clean(target, secrets)!r}, which is not followed"
        )
    stays = before == after
    before_host = urlsplit(reply.url).netloc
    return Request(
        method=request.method,
        url=target,
        purpose=request.purpose,
        headers=request.headers,
        authorization=request.authorization if stays else None,
        max_bytes=request.max_bytes,
        wants_body=request.wants_body,
        consume=request.consume,
        most_seconds=request.most_seconds,
        certificates_of=request.certificates_of if stays else "",
        named_by=request.named_by if stays else request.named_by or before_host,
    )


def is_from(host: str, reply: Reply) -> bool:
    """Return whether an answer is the registry's own, not a redirect target's."""
    scheme, *place = addresses.origin(reply.url)
    return place == list(addresses.origin(f"{scheme}://{host}")[1:])


def check_same_origin(
    purpose: str, url: str, following: str, secrets: Iterable[Secret] = ()
) -> None:
    """Raise if a Link header points to another host.

    Raises:
        PermanentError: It does.
    """
    if addresses.origin(url) != addresses.origin(following):
        raise errors.PermanentError(
            f"cannot {purpose}: the next page is at"
            f" {protocol.clean(following, secrets)!r}, on another host, which"
            " is not followed"
        )


def refusal(
    request: Request,
    access: tokens.TokenScope,
    reply: Reply,
    used: Secret | None,
) -> errors.RegistrydError:
    """Return the error for an answer that is not a success.

    Of another host's answer only host and status are told: a registry could otherwise
    make us show it, and storage hosts repeat signed addresses in theirs.
    """
    hidden = (*access.secrets, *([used] if used else []))
    is_own = is_from(access.host, reply)
    said = protocol.parse_error(reply.body if is_own else b"", hidden)
    challenge = challenges.choose(reply.headers.get("www-authenticate", ""))
    # RFC 6750, 3.1: the token is valid, but has too few permissions.
    is_too_narrow = (
        reply.status == HTTPStatus.UNAUTHORIZED
        and is_own
        and access.auth is not None
        and challenge is not None
        and challenge.parameters.get("error") == "insufficient_scope"
    )
    return refusal_errors.build_error(
        refusal_errors.Refusal(
            purpose=request.purpose,
            status=HTTPStatus.FORBIDDEN if is_too_narrow else reply.status,
            codes=said.codes,
            text=said.text,
            retry_after=reply.retry_after,
            errand=_errand(request),
            puts_tag=_errand(request) is refusals.Errand.TAG,
            reads=request.method in {"GET", "HEAD"},
            other_host="" if is_own else protocol.clean(_host(reply.url), hidden),
        )
    )


def _host(url: str) -> str:
    """Return host and port of an address, without a login."""
    return addresses.netloc(url).rpartition("@")[2] or "another host"


def _errand(request: Request) -> refusals.Errand:
    if urlsplit(request.url).path == "/v2/":
        return refusals.Errand.LOGIN
    if request.method in {"GET", "HEAD"}:
        return refusals.Errand.LOOK_UP
    is_tag = request.method == "PUT" and "/manifests/" in request.url
    return refusals.Errand.TAG if is_tag else refusals.Errand.PUSH


def is_page(reply: Reply) -> bool:
    """Return whether an answer is a page for a browser, such as a proxy shows."""
    return absence.is_page(reply.headers)


def check_registry(request: Request, reply: Reply) -> None:
    """Raise if a web site has answered, such as a sign-in page behind a redirect.

    Quay calls its answer, the word `true`, a page too.

    Raises:
        PermanentError: It has.
    """
    is_site = is_page(reply) and reply.body.strip()
    if is_site and not absence.is_greeting(reply.status, reply.headers, reply.body):
        raise errors.PermanentError(
            f"cannot {request.purpose}: a web page answers instead of a registry."
            f" {refusals.NO_REGISTRY}; if it is a sign-in page, make the registry"
            " reachable without it"
        )


def is_of_tls_server(reply: Reply) -> bool:
    """Return whether this is a TLS server's answer to a request without TLS."""
    return (
        reply.status == HTTPStatus.BAD_REQUEST
        and absence.API_HEADER not in reply.headers
        and not protocol.load_object(reply.body)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors that it wraps."""
    waiting: list[object] = [error]
    seen: list[object] = []
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            reason = getattr(cause, "reason", None)
            waiting += [cause.__cause__, cause.__context__, reason, *cause.args]
