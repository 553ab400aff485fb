"""A plugin's folder that is this repository, as `dokku plugin:install URL` makes it.

The hooks are elsewhere (`Paths.hooks`), since git changes the files of a checkout one
by one. Links in the top folder lead to them; git ignores these. The checkout's own
files `install`, `update`, `uninstall` and `plugin.toml` stay as they are.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dokku_registryd.core.install.paths import Paths

OWN: Final = frozenset({"install", "plugin.toml", "uninstall"})
"""Files of a plugin that a checkout has itself."""
_SIGN: Final = "daemon/dokku_registryd/__init__.py"


def is_checkout(plugin: Path) -> bool:
    """Return whether the plugin's folder is this repository, or a copy of it."""
    return (plugin / _SIGN).is_file()


def wanted(where: Paths, names: Iterable[str]) -> dict[str, str]:
    """Return the links to hooks with these names, each with its target."""
    return {name: f"{where.hooks}/{name}" for name in names if name not in OWN}


def links(where: Paths) -> dict[str, str]:
    """Return the links that lead to hooks, dangling ones too, each with its target."""
    found = {}
    for path in Path(where.plugin).iterdir():
        target = str(path.readlink()) if path.is_symlink() else ""
        if target.startswith(f"{where.hooks}/"):
            found[path.name] = target
    return found


def put_links(where: Paths, names: Iterable[str], owner: tuple[int, int]) -> None:
    """Make the links, and remove those that lead to other hooks.

    Args:
        where: The paths.
        names: Names of all files of the plugin. Those that others read should be first,
            since a hook works from the moment that its link exists.
        owner: User and group that own the links.

    Raises:
        OSError: The file system refuses.
    """
    folder, targets = Path(where.plugin), wanted(where, names)
    for name, target in targets.items():
        # The name of none of Dokku's triggers.
        beside = folder / ".link.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        if os.geteuid() == 0:
            os.chown(beside, *owner, follow_symlinks=False)
        beside.replace(folder / name)
    drop_links(where, links(where).keys() - targets.keys())


def drop_links(where: Paths, names: Iterable[str]) -> None:
    """Remove links by name.

    Raises:
        OSError: The file system refuses.
    """
    for name in names:
        (Path(where.plugin) / name).unlink(missing_ok=True)
