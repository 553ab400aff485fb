"""Dokku's format of a help text: a heading, and commands in two columns."""

from collections.abc import Mapping

_INDENT = " " * 4
_GAP = " " * 2


def text(name: str, summary: str, commands: Mapping[str, str]) -> str:
    """Return the help of one plugin, without a line break at the end.

    Args:
        name: The plugin's command, such as `registry`.
        summary: One line about the plugin.
        commands: The description of each command line.
    """
    width = max(map(len, commands))
    return "\n".join(
        (
            f"Usage: dokku {name}[:COMMAND]",
            "",
            summary,
            "",
            "Additional commands:",
            *(
                f"{_INDENT}{line:{width}}{_GAP}{does}"
                for line, does in commands.items()
            ),
        )
    )
