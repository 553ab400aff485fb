"""Dokku's format of a help text: a heading, and commands in two columns.

The help of one command has the same form, with its options and properties.
"""

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
    return command(f"{name}[:COMMAND]", summary, {"Additional commands": commands})


def command(line: str, summary: str, sections: Mapping[str, Mapping[str, str]]) -> str:
    """Return the help of one command, without a line break at the end.

    Args:
        line: The command with its arguments.
        summary: One line about it.
        sections: By heading, a description of each option or property; a section
            without any is omitted.
    """
    lines = [f"Usage: dokku {line}", "", summary]
    for heading, rows in sections.items():
        if rows:
            lines += ["", f"{heading}:", *_columns(rows)]
    return "\n".join(lines)


def _columns(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows))
    return [f"{_INDENT}{name:{width}}{_GAP}{does}" for name, does in rows.items()]
