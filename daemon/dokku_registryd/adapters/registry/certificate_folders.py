"""The Engine's folders of certificates, as the user of the service can read them.

Source: https://docs.docker.com/engine/security/certificates/, and moby,
registry/registry.go, `ReadCertsDirectory`. The Engine is root and this program is not:
it cannot read a closed folder, and reports that in errors about certificates instead of
failing every request.
"""

import contextlib
import os
import pwd
import re
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dokku_registryd import errors

_MOST_BYTES: Final = 4 << 20
_CERTIFICATE: Final = re.compile(
    r"^-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]*^-----END CERTIFICATE-----",
    re.MULTILINE | re.ASCII,
)
_SEARCH: Final = 0o111
_READ: Final = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The certificates of one host's folder."""

    authorities: tuple[Path, ...] = ()
    """Certificates of CAs, trusted in addition to those of the system."""
    clients: tuple[tuple[Path, Path], ...] = ()
    """Client certificates with their keys."""
    changed: tuple[int, ...] = ()
    """The times of the last change of these files, in nanoseconds since the epoch."""
    closed: str = ""
    """Why the folder cannot be read, with a hint; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A user whose access root checks."""

    uid: int
    groups: frozenset[int]

    def may(self, wanted: int, status: os.stat_result) -> bool:
        """Return whether a mode grants this user the access of these bits."""
        mode = stat.S_IMODE(status.st_mode) & wanted
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(mode & stat.S_IRWXU)
        if status.st_gid in self.groups:
            return bool(mode & stat.S_IRWXG)
        return bool(mode & stat.S_IRWXO)


def visitor(owner: os.stat_result, *, further_group: int | None = None) -> Visitor:
    """Return the user that owns a path, with its groups."""
    try:
        name = pwd.getpwuid(owner.st_uid).pw_name
        groups = frozenset(os.getgrouplist(name, owner.st_gid))
    except KeyError:
        groups = frozenset({owner.st_gid})
    more = frozenset() if further_group is None else frozenset({further_group})
    return Visitor(uid=owner.st_uid, groups=groups | more)


def look(folder: Path) -> Certificates:
    """Return the certificates in a folder; none if it is missing or closed.

    Raises:
        PermanentError: A client certificate has no key, or a key no certificate.
        OSError: The disk fails.
    """
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            return Certificates()
        files = sorted(path for path in folder.iterdir() if path.is_file())
        changed = tuple(path.stat().st_mtime_ns for path in files)
    except (FileNotFoundError, NotADirectoryError):
        return Certificates()
    except PermissionError:
        return Certificates(closed=_closed(folder))
    keys = {path.with_suffix("") for path in files if path.suffix == ".key"}
    shown = {path.with_suffix("") for path in files if path.suffix == ".cert"}
    for lonely in sorted(keys ^ shown):
        raise errors.PermanentError(
            f"cannot use the client certificate in {folder}: {lonely.name}.cert and"
            f" {lonely.name}.key must both be there"
        )
    return Certificates(
        authorities=tuple(path for path in files if path.suffix == ".crt"),
        clients=tuple(
            (folder / f"{stem.name}.cert", folder / f"{stem.name}.key")
            for stem in sorted(shown)
        ),
        changed=changed,
    )


def trust(context: ssl.SSLContext, path: Path) -> bool:
    """Load the certificates of a file, and ignore everything else in it.

    As Go's `AppendCertsFromPEM`: blocks of other kinds and unreadable certificates are
    ignored.

    Returns:
        Whether there was one.
    """
    found = False
    for block in _blocks(path):
        with contextlib.suppress(ssl.SSLError, ValueError):
            context.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(block))
            found = True
    return found


def _blocks(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("ascii", errors="replace")
    except OSError:
        return []
    return _CERTIFICATE.findall(text)


def survey(certs_dir: Path, reader: Visitor | None) -> Iterator[str]:
    """Yield one sentence for each path that the service cannot read.

    Args:
        certs_dir: The folder with one folder for each host.
        reader: The user of the service, if this process is root; else None.
    """
    for folder in (*reversed(certs_dir.parents), certs_dir):
        try:
            status = folder.stat()
        except OSError:
            break
        is_open = _may(_SEARCH, folder, status, reader)
        if stat.S_ISDIR(status.st_mode) and not is_open:
            yield _sentence(folder, "0711")
            return
    try:
        hosts = sorted(path for path in certs_dir.iterdir() if path.is_dir())
    except OSError:
        return
    for folder in hosts:
        if not _may(_SEARCH | _READ, folder, folder.stat(), reader):
            yield _sentence(folder, "0755")
            continue
        yield from _files(folder, reader)


def _files(folder: Path, reader: Visitor | None) -> Iterator[str]:
    for path in sorted(folder.glob("*.crt")):
        with contextlib.suppress(OSError):
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                continue
            if not _may(_READ, path, status, reader):
                yield (
                    f"{path} cannot be read by the user of the service, so it is"
                    f" not used: sudo chmod 0644 {path}"
                )
            elif not trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path):
                yield (
                    f"{path} contains no certificate in PEM form, so neither the"
                    " service nor the Engine uses it. Put one there, or remove it"
                )


def _may(
    wanted: int, path: Path, status: os.stat_result, reader: Visitor | None
) -> bool:
    if reader is not None:
        return all(
            reader.may(bits, status) for bits in (_SEARCH, _READ) if wanted & bits
        )
    flags = (os.X_OK if wanted & _SEARCH else 0) | (os.R_OK if wanted & _READ else 0)
    return os.access(path, flags, effective_ids=True)


def _closed(folder: Path) -> str:
    """Return a sentence for the closed folder of a path."""
    for path in (*reversed(folder.parents), folder):
        try:
            path.stat()
        except OSError:
            return _sentence(path.parent, "0711")
    return _sentence(folder, "0755")


def _sentence(folder: Path, mode: str) -> str:
    return (
        f"{folder} is closed to the user of the service, so no certificate of a"
        f" registry in it is used: sudo chmod {mode} {folder}"
    )
