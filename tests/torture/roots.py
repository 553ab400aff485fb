"""`$DOKKU_ROOT` that is not where it was: a disk that is not mounted, or moved."""

import shutil
from pathlib import Path
from typing import Final, Literal

Way = Literal["a link to nowhere", "empty", "half restored", "moved behind a link"]
WAYS: Final[tuple[Way, ...]] = (
    "a link to nowhere",
    "empty",
    "half restored",
    "moved behind a link",
)


class DokkuRoot:
    """The folder with one folder for each app.

    Args:
        path: Where it is in peace.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(f"{path.name}.aside")
        self.has_apps = True
        """Whether all apps are to be found at its path."""

    @property
    def is_in_place(self) -> bool:
        """Whether all is as it was."""
        return not self._aside.exists()

    def displace(self, way: Way) -> None:
        """Let it be away."""
        self._path.rename(self._aside)
        self.has_apps = way == "moved behind a link"
        match way:
            case "a link to nowhere":
                self._path.symlink_to(self._aside.with_name("not-mounted"))
            case "moved behind a link":
                self._path.symlink_to(self._aside)
            case "empty":
                self._path.mkdir()
                (self._path / "lost+found").mkdir()
            case "half restored":
                self._path.mkdir()
                for folder in sorted(self._aside.iterdir())[::2]:
                    shutil.copytree(folder, self._path / folder.name)

    def bring_back(self) -> None:
        """Let it be in its place again."""
        if self.is_in_place:
            return
        if self._path.is_symlink():
            self._path.unlink()
        else:
            shutil.rmtree(self._path)
        self._aside.rename(self._path)
        self.has_apps = True
