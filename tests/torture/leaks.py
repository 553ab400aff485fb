"""Secrets where they have no place: looked for while a host lives."""

import base64
import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

_LOOK_SECONDS: Final = 0.3


class LeakWatch:
    """Looks at arguments and variables of a host's processes, again and again.

    Args:
        root: A folder that all processes of the host know of.
        secrets: Texts that must not be visible.
        login: The user name and the password that go together.
    """

    def __init__(
        self, root: Path, secrets: Sequence[str], login: tuple[str, str]
    ) -> None:
        self._root = str(root).encode()
        self._forms = (
            *(secret.encode() for secret in secrets),
            base64.b64encode(":".join(login).encode()),
        )
        self._found: set[str] = set()
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begin."""
        self._watcher.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """End."""
        self._is_over.set()
        self._watcher.join()

    @property
    def found(self) -> list[str]:
        """What was seen so far."""
        return sorted(self._found)

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    content = _public_of(process)
                    is_ours = self._root in content
                    if is_ours and any(form in content for form in self._forms):
                        self._found.add(f"process {content[:200]!r}")


def _public_of(process: Path) -> bytes:
    """Return what other processes may see of one."""
    return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
