"""The files that an installation puts on a host: plugin, systemd files, settings.

A wheel has them inside the package, in `_share` (pyproject.toml, force-include); a
checkout has them at its root.
"""

from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_EXECUTABLE = 0o755
_PLAIN = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """One file to install."""

    content: bytes
    mode: int

    @property
    def is_executable(self) -> bool:
        """Whether it is a program."""
        return self.mode == _EXECUTABLE


def plugin() -> dict[str, Shipped]:
    """Return the plugin's files by name.

    `dokku help` runs every file called `commands` at any depth of a plugin, and this
    repository can be one. So our file is `commands.sh` here, and `commands` on a host.
    """
    folder = _folder() / "hooks"
    return {
        path.name.removesuffix(".sh"): _shipped(path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def commands() -> str:
    """Return the hook that lists our commands for `dokku help`."""
    return (_folder() / "hooks" / "commands.sh").read_text()


def unit() -> str:
    """Return the systemd unit, for the default paths."""
    return (_folder() / "systemd" / "dokku-registryd.service").read_text()


def tmpfiles() -> str:
    """Return the rules for systemd-tmpfiles, for the default paths."""
    return (_folder() / "systemd" / "dokku-registryd.tmpfiles.conf").read_text()


def manual() -> str:
    """Return the man page."""
    return (_folder() / "contrib" / "man" / "dokku-registryd.8").read_text()


def completion() -> str:
    """Return the completion for bash."""
    return (_folder() / "contrib" / "bash-completion" / "dokku-registryd").read_text()


def settings() -> str:
    """Return the settings file with every key at its default."""
    return (_folder() / "config.example.toml").read_text()


def _folder() -> Path:
    packed = _PACKAGE / "_share"
    return packed if packed.is_dir() else _PACKAGE.parents[1]


def _shipped(content: bytes) -> Shipped:
    # Detected by the first line, since some installers of wheels lose the mode.
    is_script = content.startswith(b"#!")
    return Shipped(content=content, mode=_EXECUTABLE if is_script else _PLAIN)
