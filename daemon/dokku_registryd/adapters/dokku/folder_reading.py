"""The files of one folder, read with what `stat` says of each.

A file that cannot be read is neither absent nor empty: the reason is kept, and everyone
who asks for it gets that.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.adapters.files import atomic


class FolderReading:
    """Reads the files of one folder, and collects the `stat` results of each.

    Args:
        place: The folder, for messages.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._unread: dict[str, str] = {}
        self.values: dict[str, str] = {}
        """The content of the files, in a fixed order."""
        self.told: list[os.stat_result | None] = []
        self.is_lasting = True
        """Whether the `stat` results show each change."""

    @property
    def is_whole(self) -> bool:
        """Whether all existing files could be read."""
        return not self._unread

    def why(self, name: str) -> str:
        """Return why a file, or its folder, cannot be read; empty if it can."""
        return self._unread.get(name) or self._unread.get("", "")

    def properties(
        self, root: int | None, app: str, *, only: Iterable[str] | None = None
    ) -> None:
        """Read all properties of one folder, or `only` those of these names."""
        if root is None:
            self.told.append(None)
            return
        try:
            folder = property_reading.open_app(app, inside=root)
        except OSError as error:
            self._miss("", error)
            return
        if folder is None:
            self.told.append(None)
            return
        try:
            self.told.append(os.fstat(folder))
            # Names of properties have no dot; those of logins do.
            listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
            wanted = listed if only is None else set(only).intersection(listed)
            for name in sorted(name for name in wanted if "." not in name):
                self._property(folder, name)
        except OSError as error:
            self._miss("", error)
        finally:
            os.close(folder)

    def check_missing(self, config_root: Path, deployed_root: Path, app: str) -> None:
        """Assume that a released app has a folder."""
        try:
            property_reading.check_missing(config_root, deployed_root, app)
        except OSError as error:
            self._miss("", error)

    def file(self, folder: int | None, name: str) -> bytes | None:
        """Return a file's content; None if it does not exist or is unreadable."""
        if folder is None:
            self.told.append(None)
            return None
        try:
            status, raw = atomic.read_known(folder, name, limit=property_reading.LIMIT)
        except FileNotFoundError:
            self.is_lasting = False
            return None
        except OSError as error:
            self._miss(name, error)
            return None
        self.told.append(status)
        return raw

    def _property(self, folder: int, name: str) -> None:
        try:
            status, raw = property_reading.read(folder, name)
        except FileNotFoundError:
            self.is_lasting = False  # Removed after it was listed.
            return
        except OSError as error:
            self._miss(name, error)
            return
        self.told.append(status)
        self.is_lasting = self.is_lasting and status is not None
        self.values[name] = raw.decode("utf-8", errors="replace")

    def _miss(self, name: str, error: OSError) -> None:
        place = f"{self._place}/{name}" if name else self._place
        self._unread[name] = f"cannot read {place}: {property_reading.reason(error)}"
