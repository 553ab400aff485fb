"""Causes of a failed TLS handshake, and hints."""

import ssl
from typing import Final

from dokku_registryd.adapters.registry import messages

# OpenSSL, x509_vfy.h: not yet valid, expired; wrong host name, wrong address.
_OUT_OF_TIME: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})
_TLS_TO_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})


def is_of_plain_server(error: Exception) -> bool:
    """Return whether a server answered a TLS request in plain text."""
    return any(map(shows_plain_server, messages.causes(error)))


def shows_plain_server(cause: BaseException) -> bool:
    """Return whether one error itself shows that the server does not use TLS."""
    return isinstance(cause, ssl.SSLError) and cause.reason in _TLS_TO_PLAIN


def hint(error: ssl.SSLCertVerificationError, ca_file: str, *, closed: str = "") -> str:
    """Return a hint about a certificate.

    Args:
        error: The error of the handshake.
        ca_file: The path for the certificate of a CA.
        closed: Why it may exist but cannot be read, with a hint.
    """
    if error.verify_code in _OUT_OF_TIME:
        return "Renew it, or correct the clock of this host"
    if error.verify_code in _OTHER_NAME:
        return (
            "Use one of its names (property server of dokku registry:report), or give"
            " the registry a certificate for this one"
        )
    if closed:
        return closed
    return f"Put the certificate of its CA into {ca_file}, as for the Engine"
