"""The spool: trigger files, and the lock of the process that owns them.

Layout of the data folder::

    lock             locked (flock) by the process that owns the spool; never removed
    spool/tmp        where hooks write
    spool/new        not accepted yet, or accepted and without an outcome; a release
                     whose deploy was interrupted has the name `ID.cancelled`
    spool/rejected   invalid files, each with a file `NAME.reason`

A file in `new` is a level, not an edge: it stays until its job has a recorded outcome,
so neither a crash nor a lost inotify event can lose it. Names and contents come from
other processes and are trusted only after the checks in `read`.
"""

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic, dirs
from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.hook import triggers

HOOK: Final = peek.HOOK
DAEMON: Final = peek.DAEMON


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A valid trigger file."""

    trigger_id: str
    trigger: triggers.Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that was rejected, and why."""

    name: str
    reason: str


class Spool:
    """The trigger files in one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.new = data_dir / "spool" / "new"
        self._tmp = data_dir / "spool" / "tmp"
        self._rejected = data_dir / "spool" / "rejected"

    def prepare(self) -> None:
        """Create the missing folders."""
        for folder in (self.new, self._tmp, self._rejected):
            atomic.make_folder(folder)

    def scan(self, known: frozenset[str] | set[str]) -> Iterator[Found | Refused]:
        """Yield the files in `new` with unknown names, oldest first.

        Invalid files are moved to `rejected`. Hooks name their files by time, so the
        order of names is the order of triggers.
        """
        with (
            contextlib.suppress(FileNotFoundError),
            dirs.opened(self._data_dir, "spool", "new") as folder,
        ):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - of an open folder
                if name not in known:
                    found = self._look(folder, name)
                    if found is not None:
                        yield found

    def add(self, trigger_id: str, trigger: triggers.Trigger) -> None:
        """Write a trigger, as a hook does."""
        self.prepare()
        temporary = self._tmp / trigger_id
        atomic.replace(temporary, triggers.render(trigger))
        temporary.rename(self.new / trigger_id)
        atomic.sync_folder(self.new)

    def remove(self, trigger_id: str) -> None:
        """Remove a trigger whose outcome is recorded."""
        with (
            contextlib.suppress(FileNotFoundError),
            dirs.opened(self._data_dir, "spool", "new") as folder,
        ):
            os.unlink(trigger_id, dir_fd=folder)

    def take_back(self, trigger_id: str) -> bool:
        """Cancel a release, as its hook would.

        One rename turns its trigger file into the cancellation. It needs no disk space,
        and one of both files exists at any time.

        Returns:
            Whether the file existed.
        """
        taken_back = f"{trigger_id}{triggers.CANCELLED_ENDING}"
        try:
            with dirs.opened(self._data_dir, "spool", "new") as folder:
                os.rename(trigger_id, taken_back, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
        except FileNotFoundError:
            return False
        return True

    def promise(self, trigger_id: str) -> None:
        """Remove the waiter from a release's trigger file: its deploy has continued.

        The hook will then exit with success, and a process that reads the file without
        a ledger must not take that for an interrupted deploy.

        Raises:
            OSError: The disk refuses; the file is unchanged.
        """
        with contextlib.suppress(FileNotFoundError, errors.InvalidTriggerError):
            with dirs.opened(self._data_dir, "spool", "new") as folder:
                trigger = triggers.parse(_read(folder, trigger_id))
            if not trigger.waiter:
                return
            unbound = dataclasses.replace(trigger, waiter="")
            atomic.replace(self._tmp / trigger_id, triggers.render(unbound))
            (self._tmp / trigger_id).rename(self.new / trigger_id)
            if self.is_taken_back(trigger_id):
                self.remove(trigger_id)  # The file is a cancellation by now.
            atomic.sync_folder(self.new)

    def is_taken_back(self, trigger_id: str) -> bool:
        """Return whether a hook has just cancelled a trigger."""
        return os.path.lexists(self.new / f"{trigger_id}{triggers.CANCELLED_ENDING}")

    def pending(self) -> int:
        """Return the number of files in `new`.

        Raises:
            OSError: The folder exists but cannot be read.
        """
        return peek.pending(str(self._data_dir))

    def rejected(self) -> int:
        """Return the number of rejected files.

        Raises:
            OSError: The folder exists but cannot be read.
        """
        return peek.rejected(str(self._data_dir))

    def _look(self, folder: int, name: str) -> Found | Refused | None:
        if not triggers.is_trigger_id(name):
            return self._reject(folder, name, "its name is not a valid trigger name")
        try:
            trigger = triggers.parse_file(name, _read(folder, name))
            return Found(trigger_id=name, trigger=trigger)
        except FileNotFoundError:
            return None  # Its writer has removed it.
        except errors.InvalidTriggerError as error:
            return self._reject(folder, name, str(error))

    def _reject(self, folder: int, name: str, reason: str) -> Refused:
        shown = name if triggers.is_trigger_id(name) else _safe_name(name)
        place = (self._data_dir, "spool", "rejected")
        atomic.make_folder(self._rejected)
        with dirs.opened(*place) as rejected:
            shown = self._free_name(shown)
            with contextlib.suppress(FileNotFoundError):
                # A rename moves a symlink or a FIFO itself and opens neither.
                os.rename(name, shown, src_dir_fd=folder, dst_dir_fd=rejected)
            atomic.replace_in(rejected, f"{shown}.reason", f"{reason}\n".encode())
        return Refused(name=shown, reason=reason)

    def _free_name(self, wanted: str) -> str:
        """Return an unused name in `rejected`.

        A folder with the name would make the rename fail, and a file that cannot be
        moved would block all later triggers.
        """
        candidates = itertools.chain(
            [wanted], (f"{wanted}.{number}" for number in itertools.count(2))
        )
        return next(
            name
            for name in candidates
            if not os.path.lexists(self._rejected / name)
            and not os.path.lexists(self._rejected / f"{name}.reason")
        )


def _read(folder: int, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        if error.errno == errno.ELOOP:
            raise errors.InvalidTriggerError("it is a symbolic link") from None
        raise errors.InvalidTriggerError(
            f"it cannot be opened: {os.strerror(error.errno or 0)}"
        ) from None
    try:
        _check_owner(os.fstat(descriptor))
        return os.read(descriptor, triggers.MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _check_owner(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise errors.InvalidTriggerError("it is not a regular file")
    if status.st_uid not in {os.geteuid(), 0}:
        raise errors.InvalidTriggerError(
            f"it belongs to user {status.st_uid}, not to user {os.geteuid()}"
        )
    if status.st_nlink != 1:
        raise errors.InvalidTriggerError("it has a second name (hard link)")


def _safe_name(name: str) -> str:
    raw = os.fsencode(name)
    return "unnamed-" + hashlib.sha256(raw).hexdigest()[:16]


class SpoolLock:
    """The lock of one spool.

    `flock`, not `lockf`: a POSIX lock is released when the process closes any
    descriptor of the file. We never remove the file. Another program may: so the data
    folder itself is locked too, or two processes could lock two files of the same name.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._descriptor: int | None = None
        self._folder: int | None = None

    def acquire(self, role: str, *, app: str = "", tells: str = "") -> bool:
        """Acquire the lock if it is free, and record the holder.

        Args:
            role: `HOOK` or `DAEMON`.
            app: The app whose deploy a hook belongs to.
            tells: More lines about this process; see `core/install/builds.py`.
        """
        atomic.make_folder(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, atomic.PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if not _is_same_file(descriptor, self._path) or not peek.try_lock(folder):
            os.close(folder)
            os.close(descriptor)
            return False
        us = os.getpid()
        line = f"{role} {us} {processes.started(us)} {app}".rstrip()
        text = f"{line}\nreads {' '.join(triggers.OPTIONAL_KEYS)}\n{tells}"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        self._descriptor, self._folder = descriptor, folder
        return True

    def beat(self) -> None:
        """Report progress of the lock's holder (`stale_holder`)."""
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def holder(self) -> tuple[str, int] | None:
        """Return role and process ID of the holder; None if the lock is free."""
        return peek.holder(str(self._path.parent))

    def release(self) -> None:
        """Release the lock; harmless if it is not held."""
        for descriptor in (self._folder, self._descriptor):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._folder = None


def _is_same_file(descriptor: int, path: Path) -> bool:
    held = os.fstat(descriptor)
    try:
        named = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
