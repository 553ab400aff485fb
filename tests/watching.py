"""Looks at every call of a port, to see the order of things or to end it all."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

_Port = TypeVar("_Port")


class CrashError(BaseException):
    """The end of the process, wherever it happens: no `except Exception` sees it."""


class Watched:
    """A port that tells before each call which method is about to run.

    `notice` may look at the world, change it, or raise in place of the call.
    """

    def __init__(self, port: object, notice: Callable[[str], None]) -> None:
        self._port = port
        self._notice = notice

    def __getattr__(self, name: str) -> Any:
        """Give a method of the port, announced when it is called."""
        method = getattr(self._port, name)

        def announced(*arguments: object, **keywords: object) -> object:
            self._notice(name)
            return method(*arguments, **keywords)

        return announced


def watch(port: _Port, notice: Callable[[str], None]) -> _Port:
    """Put `notice` before every call of a port."""
    return cast("_Port", Watched(port, notice))
