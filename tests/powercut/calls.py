"""What `strace` wrote down: the system calls that change a disk, in their order.

Each program is traced into a file of its own. A call counts from its end on, when its
caller has not gone on yet; so ends, by the one clock of the machine, are in an order in
which the consequences of a call come after it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NAMES: Final = (
    "openat,open,creat,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,"
    "fallocate,copy_file_range,sendfile,rename,renameat,renameat2,link,linkat,unlink,"
    "unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,fsync,fdatasync,sync,syncfs,chdir,"
    "fchdir"
)
"""What is traced. A program that changes the disk by other calls is found out, since
what the calls lead to is compared with the disk (`recorder`)."""
OPTIONS: Final = (
    "--follow-forks",
    "--seccomp-bpf",
    "--daemonize",
    "--absolute-timestamps=format:unix,precision:ns",
    "--syscall-times=ns",
    "--decode-fds=path",
    "--strings-in-hex",
    "--string-limit=16777216",
    "--quiet=attach,personality",
    "--signal=none",
    f"--trace={_NAMES}",
)
"""All texts are in hexadecimal digits: no name and no content can be mistaken."""

_LINE: Final = re.compile(r"(\d+) +(\d+)\.(\d{9}) (.*)")
_END: Final = re.compile(
    r"\) += (\?|-?\d+)(?:<([^>]*)>(\(deleted\))?)?(?: .*)? <(\d+)\.(\d{9})>"
)
_RESUMED: Final = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_UNFINISHED: Final = " <unfinished ...>"
_WORKING: Final = re.compile(r"AT_FDCWD<([^>]*)>")
_PATH: Final = re.compile(r"(AT_FDCWD|\d+)<([^>]*)>(\(deleted\))?")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_SECOND: Final = 1_000_000_000
_LONGEST_END: Final = 20_000  # a path of 4,096 bytes, each as four letters


@dataclass(frozen=True, slots=True)
class Opened:
    """An argument that is a descriptor: its number, and where it leads.

    `path` is empty for an entry that is not a file, or for a file without a name.
    """

    number: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that succeeded.

    Attributes:
        name: What was called.
        arguments: Texts as bytes, descriptors as `Opened`, all else as it was written.
        result: What it returned.
        began: When it began, in nanoseconds since the epoch.
        ended: When it ended.
        trace: Which program made it.
        folder: The working folder of the process, as far as it is known.
    """

    name: str
    arguments: tuple[bytes | Opened | str, ...]
    result: int
    began: int
    ended: int
    trace: str
    folder: str


def read(files: list[Path], marks: list[bytes]) -> list[Call]:
    """Return all calls of several programs, by the time of their ends.

    Args:
        files: What was written down of each.
        marks: Only calls that name one of these paths, or a path without its folder.
    """
    spelled = [spell(mark) for mark in marks]
    calls = [call for file in files for call in _read(file, spelled)]
    return sorted(calls, key=lambda call: call.ended)


def spell(text: bytes) -> str:
    """Return a text as it is written down."""
    return "".join(f"\\x{byte:02x}" for byte in text)


def _read(file: Path, marks: list[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, str]] = {}
    folders: dict[str, str] = {}
    """The working folder of each process."""
    with file.open() as lines:
        for line in lines:
            found = _LINE.fullmatch(line.rstrip("\n"))
            if found is None:
                raise ValueError(f"{file.name}: {line[:200]!r}")
            pid, seconds, parts, text = found.groups()
            at = int(seconds) * _SECOND + int(parts)
            if text.startswith(("+++", "---")):
                continue
            if text.endswith(_UNFINISHED):
                begun[pid] = at, text.removesuffix(_UNFINISHED)
                continue
            ended = 0
            if resumed := _RESUMED.fullmatch(text):
                ended = at
                at, head = begun.pop(pid)
                text = head + resumed[2]
            if known := _WORKING.search(text):
                folders[pid] = known[1]
            folder = folders.get(pid, "")
            is_move = text.startswith(("chdir(", "fchdir("))
            where = f"{folder} {text}"
            is_ours = any(mark in where for mark in marks) or text.startswith("sync(")
            if not is_ours and not is_move:
                continue
            call = _parse(text, at, ended, file.name, _plain(folder).decode())
            if call is None:
                continue
            if is_move:
                folders[pid] = spell(_moved(call).encode())
            else:
                yield call


def _moved(call: Call) -> str:
    """Return the working folder after a process has changed it."""
    to = call.arguments[0]
    if isinstance(to, Opened):
        return to.path
    assert isinstance(to, bytes)
    return os.path.normpath(Path(call.folder) / os.fsdecode(to))


def _parse(text: str, began: int, ended: int, trace: str, folder: str) -> Call | None:
    end = _END.search(text, max(0, len(text) - _LONGEST_END))
    if end is None:
        raise ValueError(f"{trace}: {text[-200:]!r}")
    if end[1] == "?" or end[1].startswith("-"):
        return None
    name, _, rest = text[: end.start()].partition("(")
    took = int(end[4]) * _SECOND + int(end[5])
    arguments = tuple(_argument(part) for part in _split(rest))
    if end[2] is not None:
        arguments += (_opened(end[1], end[2], end[3]),)
    return Call(
        name=name,
        arguments=arguments,
        result=int(end[1]),
        began=began,
        ended=ended or began + took,
        trace=trace,
        folder=folder,
    )


def _split(text: str) -> list[str]:
    """Split arguments at commas outside of brackets; texts hold neither."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        if letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and not depth:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()] if text.strip() else []


def _argument(text: str) -> bytes | Opened | str:
    if found := _PATH.fullmatch(text):
        return _opened(found[1], found[2], found[3])
    if texts := _TEXT.findall(text):
        if any(more for _, more in texts):
            raise ValueError(f"a text was cut off: {text[:200]}")
        # The parts of `writev` are written one behind the other.
        return b"".join(_plain(part) for part, _ in texts)
    return text


def _opened(number: str, path: str, deleted: str | None) -> Opened:
    plain = _plain(path).decode("utf-8", "surrogateescape")
    is_file = plain.startswith("/") and not deleted
    return Opened(-1 if number == "AT_FDCWD" else int(number), plain if is_file else "")


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
