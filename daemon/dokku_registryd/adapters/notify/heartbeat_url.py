"""Asks one address once. The service starts it as a process of its own.

The input is one JSON object with `url`. Only the HTTP status is printed, since all
other texts may contain the address.
"""

import ssl
import sys
import urllib.error
import urllib.request
from typing import Final

from dokku_registryd.core.text import json_documents

SECONDS: Final = 10.0
_OK, _REFUSED = 0, 3


def main() -> int:
    """Read the input, and ask."""
    url = json_documents.load(sys.stdin.buffer.read())["url"]
    request = urllib.request.Request(  # noqa: S310 - the settings allow http and https
        url, headers={"User-Agent": "dokku-registryd"}
    )
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=SECONDS, context=_trust()
        ) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        sys.stdout.write(str(error.code))
        return _REFUSED
    return _OK


def _trust() -> ssl.SSLContext:
    """Return the TLS settings: what curl trusts, with the CAs of the system."""
    context = ssl.create_default_context()
    # Python 3.13 enables this, and so rejects private CAs without a key usage.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # noqa: BLE001 - its traceback might contain the address
        sys.exit(_REFUSED)
