"""Dokku's list of commands for completion in bash, so that new ones are known at once.

Dokku writes it after `plugin:install` and similar commands, but not when a plugin comes
in another way: the first word of each line of `dokku help --all`, sorted
(https://github.com/dokku/dokku/blob/v0.38.27/plugins/plugin/internal-functions). If it
is missing, Dokku's completion makes it; so it is changed, never created.
"""

from collections.abc import Iterable
from typing import Final

PATH: Final = "/var/cache/dokku-completion"
_OURS: Final = "registryd:"


def including(text: str, commands: Iterable[str]) -> str:
    """Return the list with our commands instead of earlier ones of ours.

    Args:
        text: The list.
        commands: Lines of the help, such as `registryd:push <app>`.
    """
    names = {command.split(" ")[0] for command in commands}
    return _written([*_others(text), *names])


def excluding(text: str) -> str:
    """Return the list without our commands."""
    return _written(_others(text))


def _others(text: str) -> list[str]:
    return [name for name in text.splitlines() if not name.startswith(_OURS)]


def _written(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(names))
