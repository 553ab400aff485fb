"""The Engine's folders of certificates, as far as the user of the service sees them.

Source: https://docs.docker.com/engine/security/certificates/, and moby,
registry/registry.go, `ReadCertsDirectory`. The Engine is root and this program is not:
below a folder that is closed to it there is nothing for it, and that is said where it
matters instead of ending every request.
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
    """What the folder of one host holds."""

    authorities: tuple[Path, ...] = ()
    """Certificates of CAs, trusted besides those of the system."""
    clients: tuple[tuple[Path, Path], ...] = ()
    """Certificates that we show, with their keys."""
    changed: tuple[int, ...] = ()
    """When these files were changed, in nanoseconds since the epoch."""
    closed: str = ""
    """Why the folder cannot be looked into, with the way out; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A user, where root looks in his place."""

    uid: int
    groups: frozenset[int]

    def may(self, wanted: int, status: os.stat_result) -> bool:
        """Return whether a mode lets this user do what these bits stand for."""
        mode = stat.S_IMODE(status.st_mode) & wanted
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(mode & stat.S_IRWXU)
        if status.st_gid in self.groups:
            return bool(mode & stat.S_IRWXG)
        return bool(mode & stat.S_IRWXO)


def visitor(owner: os.stat_result, *, further_group: int | None = None) -> Visitor:
    """Return the user that owns something, with the groups that he is in."""
    try:
        name = pwd.getpwuid(owner.st_uid).pw_name
        groups = frozenset(os.getgrouplist(name, owner.st_gid))
    except KeyError:
        groups = frozenset({owner.st_gid})
    more = frozenset() if further_group is None else frozenset({further_group})
    return Visitor(uid=owner.st_uid, groups=groups | more)


def look(folder: Path) -> Certificates:
    """Return what a folder holds; nothing if it is missing or closed to us.

    Raises:
        PermanentError: Half a client certificate is there.
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
    """Trust the certificates in a file, and pass over everything else in it.

    Go's `AppendCertsFromPEM`: blocks of other kinds, and certificates that cannot be
    read, are left out without a word.

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
    """Give one sentence for each place that the service cannot look into.

    Args:
        certs_dir: The folder with one folder for each host.
        reader: Who runs the service, where we are root; else None.
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
                    f"{path} cannot be read by the user of the service, so it counts"
                    f" for nothing: sudo chmod 0644 {path}"
                )
            elif not trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path):
                yield (
                    f"{path} holds no certificate in PEM form, so it counts for"
                    " nothing, for the Engine too. Put one there, or remove it"
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
    """Say which folder on the way is closed."""
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
