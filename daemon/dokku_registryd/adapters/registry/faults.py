"""The error that an operator reads after an exchange that failed, with a hint.

The library's own exceptions do not leave this folder: their texts may contain an
address with a signature, and name no way out.
"""

import socket
import ssl
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages, tls_faults
from dokku_registryd.adapters.registry import proxy as registry_proxy
from dokku_registryd.adapters.registry import routes as registry_routes
from dokku_registryd.core.registry import proxies
from dokku_registryd.core.registry.protocol import Request

_UNKNOWN_NAME: Final = "is a name that cannot be resolved"


def stray(request: Request, route: registry_routes.Route) -> errors.RegistrydError:
    """Return the error for a host whose addresses must not be asked."""
    if route.refused:
        return errors.AccessDeniedError(
            f"cannot {request.purpose}: {request.named_by} names {route.host}, which is"
            " in this host's own network and is not asked. If that is intended, add"
            f" {route.host} to registry.inner_hosts in the settings"
        )
    return errors.RegistryUnavailableError(
        f"cannot {request.purpose}: {route.host} has an address outside of the networks"
        " in insecure-registries of the Docker Engine, so it needs TLS"
    )


def nameless(request: Request, host: str, *, is_missing: bool) -> errors.RegistrydError:
    """Return the error for a name without an address."""
    said = _subject(request, host)
    if is_missing and not request.named_by:
        return errors.UnknownHostError(
            f"{said} is a name that does not exist. Check the property server of dokku"
            " registry:report for a typing error"
        )
    kind = errors.RegistryUnavailableError
    if not request.named_by:
        kind = errors.UnresolvedHostError
    return kind(f"{said} {_UNKNOWN_NAME}")


def translate(
    request: Request,
    route: registry_routes.Route,
    error: Exception,
    *,
    certs_dir: Path,
    unsendable: tuple[type[BaseException], ...],
    is_late: bool,
) -> errors.RegistrydError:
    """Return our error for one of the library, or of a socket.

    Args:
        request: What was sent.
        route: How its host is reached.
        error: The error.
        certs_dir: The folder with certificates of registries.
        unsendable: The errors of a request that cannot be sent anywhere.
        is_late: Whether a timeout is over.
    """
    host = route.host
    said = _subject(request, host)
    for proxy in proxies.for_any(request.url, route.said):
        told = registry_proxy.explain(request.purpose, host, proxy, error)
        if told is not None:
            return told
    for cause in messages.causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            ca_file = f"{certs_dir}/{host}/ca.crt"
            return errors.PermanentError(
                f"{said} shows a certificate that cannot be verified"
                f" ({cause.verify_message})."
                f" {tls_faults.hint(cause, ca_file, closed=route.closed)}"
            )
        if tls_faults.shows_plain_server(cause):
            return errors.PermanentError(
                f"{said} does not support TLS. Give it a certificate, or add it to"
                " insecure-registries of the Docker Engine"
            )
        if isinstance(cause, unsendable):
            return errors.InvalidRequestError(
                f"{said} is not a valid address. Check the property"
                " server of dokku registry:report"
            )
    return errors.RegistryUnavailableError(f"{said} {_reason(error, is_late=is_late)}")


def _subject(request: Request, host: str) -> str:
    """Return the beginning of a sentence about a host, which it names once."""
    if request.purpose == f"reach {host}":
        return host
    return f"cannot {request.purpose}: {host}"


def _reason(error: Exception, *, is_late: bool) -> str:
    if is_late:
        return "does not answer in time"
    words = (_word(cause) for cause in messages.causes(error))
    return next(filter(None, words), f"disconnects ({type(error).__name__})")


def _word(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return _UNKNOWN_NAME
    if isinstance(cause, ssl.SSLError):
        return "ends its TLS connection unexpectedly"
    if isinstance(cause, OSError) and cause.strerror:
        return f"does not answer ({cause.strerror})"
    return "does not answer in time" if isinstance(cause, TimeoutError) else ""
