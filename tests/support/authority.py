"""A CA of the tests' own, and what it signs for a registry.

What it signs is valid since years ago, so that a clock that was set back by some days
finds it valid too. The library that shifts clocks makes that possible.
"""

import os
import ssl
import subprocess
from pathlib import Path
from typing import Final

from support import clock_shift

_AGO: Final = "-800d"
_YEARS: Final = 9000  # days
_SHORT: Final = 10  # days; that was long ago
_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA.

    Args:
        folder: A missing or empty folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / "ca.crt"
        """The CA's own certificate."""
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-subj", "/CN=registryd tests"),
            *("-days", str(_YEARS), "-keyout", str(folder / "ca.key")),
            *("-out", str(self.certificate)),
        )

    def context(self, name: str, *, is_expired: bool = False) -> ssl.SSLContext:
        """Return the settings of a server with a certificate for a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair(name, is_expired=is_expired))
        return context

    def pair(self, name: str, *, is_expired: bool = False) -> tuple[Path, Path]:
        """Return a certificate for a name, and its key."""
        base = self._folder / f"{name}-{is_expired}"
        days = _SHORT if is_expired else _YEARS
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-subj", "/CN=registry", "-days", str(days)),
            *("-CA", str(self.certificate), "-CAkey", str(self._folder / "ca.key")),
            *("-addext", f"subjectAltName=DNS:{name}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", f"{base}.key", "-out", f"{base}.crt"),
        )
        return Path(f"{base}.crt"), Path(f"{base}.key")


def _openssl(*arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments],
        env=os.environ | clock_shift.environ(_AGO),
        check=True,
        capture_output=True,
    )
