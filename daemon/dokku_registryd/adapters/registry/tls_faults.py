"""What a failed TLS handshake says of the other side, and what cures it."""

import ssl
from typing import Final

from dokku_registryd.adapters.registry import messages

# OpenSSL, x509_vfy.h: not yet valid, expired; wrong host name, wrong address.
_OUT_OF_TIME: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})
_TLS_TO_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})


def is_of_plain_server(error: Exception) -> bool:
    """Tell whether who was spoken to in TLS answered in plain text."""
    return any(map(shows_plain_server, messages.causes(error)))


def shows_plain_server(cause: BaseException) -> bool:
    """Tell whether one error shows by itself that the other side speaks no TLS."""
    return isinstance(cause, ssl.SSLError) and cause.reason in _TLS_TO_PLAIN


def hint(error: ssl.SSLCertVerificationError, ca_file: str, *, closed: str = "") -> str:
    """Return what an operator can do about a certificate.

    Args:
        error: How the handshake failed.
        ca_file: Where the certificate of a CA belongs.
        closed: Why that may be there unseen, with the way out.
    """
    if error.verify_code in _OUT_OF_TIME:
        return "Renew it, or correct the clock of this host"
    if error.verify_code in _OTHER_NAME:
        return (
            "Use a name that it is for (property server of dokku registry:report), or"
            " give the registry a certificate for this one"
        )
    if closed:
        return closed
    return f"Put that of its CA into {ca_file}, as for the Engine"
