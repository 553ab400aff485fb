"""`dokku-registryd`, watched: each step is noted beforehand, and may be its last.

Nothing of production code is changed for this. What counts as a step is found by
looking, so that a new one cannot be forgotten: every method of every protocol in
`ports`, in each class of `adapters` that has them all, and every change of files, every
connection and every program that is started, which the interpreter itself announces.

`TORTURE_ORDERS` is a folder. Steps are noted in its file `trace`; a file `order` there
says which process dies at which step.
"""

import importlib
import inspect
import json
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ANNOUNCED: Final = frozenset(
    {
        "os.chmod",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "socket.connect",
        "subprocess.Popen",
    }
)
# To read the time changes nothing anywhere, and happens all the time.
_WITHOUT_EFFECT: Final = frozenset({"Clock"})


class Steps:
    """Notes each step of this process, and ends it at the one that was ordered."""

    def __init__(self, folder: Path, role: str) -> None:
        self._order = folder / "order"
        self._role = role
        self._count = 0
        self._left: tuple[int, int] = (0, 0)
        """The order that is counted for, and how many of its steps are left."""
        self._inside = threading.local()
        self._lock = threading.Lock()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._trace = os.open(folder / "trace", flags, 0o600)

    def make(self, name: str) -> None:
        """Note that a step is about to be made."""
        if getattr(self._inside, "is_busy", False):
            return
        self._inside.is_busy = True
        try:
            with self._lock:
                self._count += 1
                self._note(name)
                if self._is_last(name):
                    self._note("DIES")
                    os.kill(os.getpid(), signal.SIGKILL)
        finally:
            self._inside.is_busy = False

    def _note(self, what: str) -> None:
        line = f"{self._role} {os.getpid()} {self._count} {what}\n"
        os.write(self._trace, line.encode())

    def _is_last(self, name: str) -> bool:
        try:
            order = json.loads(self._order.read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        if order["role"] != self._role or order["name"] not in {"", name}:
            return False
        known, left = self._left
        left = (left if known == order["id"] else order["count"]) - 1
        self._left = (order["id"], left)
        if left > 0:
            return False
        try:
            self._order.rename(self._order.with_name("order.obeyed"))
        except FileNotFoundError:
            return False  # Another process was faster.
        return True


def watch_ports(make: Callable[[str], None]) -> None:
    """Announce each call of a port, for any class that implements it."""
    for protocol, implementer in implementers():
        for method in methods_of(protocol):
            setattr(
                implementer,
                method,
                _announced(
                    getattr(implementer, method),
                    f"{implementer.__name__}.{method}",
                    make,
                ),
            )


def implementers() -> Iterator[tuple[type, type]]:
    """Give each protocol of `ports` with each class of `adapters` that has it all."""
    ports = importlib.import_module("dokku_registryd.ports")
    protocols = [
        entry
        for entry in vars(ports).values()
        if getattr(entry, "_is_protocol", False)
        and entry.__name__ != "Protocol"
        and entry.__name__ not in _WITHOUT_EFFECT
    ]
    found: dict[tuple[type, type], None] = {}
    for module in _adapters():
        for _, candidate in inspect.getmembers(module, inspect.isclass):
            if candidate.__module__ != module.__name__:
                continue
            for protocol in protocols:
                if all(hasattr(candidate, name) for name in _members(protocol)):
                    found[(protocol, candidate)] = None
    missing = set(protocols) - {protocol for protocol, _ in found}
    if missing:
        raise LookupError(f"no adapter implements {missing}")
    return iter(found)


def methods_of(protocol: type) -> list[str]:
    """Return the names of a protocol's methods."""
    return [
        name
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


def _members(protocol: type) -> list[str]:
    """Return what a class must have: methods, and `__iter__` where it is one."""
    return [*methods_of(protocol), *({"__iter__"} & vars(protocol).keys())]


def _adapters() -> Iterator[Any]:
    package = importlib.import_module("dokku_registryd.adapters")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)


def _announced(
    method: Callable[..., Any], name: str, make: Callable[[str], None]
) -> Callable[..., Any]:
    def announced(*arguments: Any, **keywords: Any) -> Any:
        make(name)
        return method(*arguments, **keywords)

    return announced


def watch_interpreter(make: Callable[[str], None]) -> None:
    """Announce what the interpreter is about to change outside of this process."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and _is_ours(path):
                make(f"open {_folder(path)}")
        elif event in _ANNOUNCED:
            make(f"{event} {_folder(arguments[0])}".strip())

    sys.addaudithook(hook)


def _is_ours(path: object) -> bool:
    return not str(path).startswith(("/dev/", "/proc/"))


def _folder(path: object) -> str:
    """Return a word for a place that is the same in every run."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    parts = Path(os.fsdecode(path)).parts
    return parts[-2] if len(parts) > 1 else ""


def main() -> None:
    """Run the program as it is, watched."""
    sys.path.pop(0)  # The script's own folder must not hide modules of its names.
    roles = {"run": "daemon", "follow": "hook"}
    role = next((roles[word] for word in sys.argv[1:] if word in roles), "command")
    steps = Steps(Path(os.environ["TORTURE_ORDERS"]), role)
    watch_ports(steps.make)
    watch_interpreter(steps.make)
    cli = importlib.import_module("dokku_registryd.cli")
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
