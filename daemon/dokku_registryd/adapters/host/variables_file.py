"""Reads `/etc/default/dokku-registryd`, the variables of the service and of hooks."""

from collections.abc import Mapping
from pathlib import Path

from dokku_registryd.core.install import environment_files
from dokku_registryd.core.install.environment_files import EnvironmentFile


def read(path: Path) -> EnvironmentFile:
    """Return the lines of the file; none if this user cannot read it.

    Hooks, which run as Dokku's user, go on without it then too; `doctor` names that.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError:
        text = ""
    return environment_files.parse(text)


def for_hooks(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a hook: those of the file that it takes, before ours.

    Args:
        path: The file.
        environ: The variables of this process; systemd has read the file at its start.
    """
    found = read(path).values.items()
    return {
        **environ,
        **{
            name: value for name, value in found if environment_files.is_for_hooks(name)
        },
    }
