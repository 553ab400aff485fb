"""The arguments of a command, parsed from the line of its help.

`registryd:doctor [--format text|json] [<app>]` has a flag with its values, the first of
them as default, and an optional app; `[--all]` would be a switch, `[--limit <n>]` a
flag with a positive number and `[--reason <text>]` one with any text, both without a
default. Further arguments are named in the same way: `<app> [<number>]`. So a command
accepts exactly the arguments that its help names.
"""

from collections.abc import Sequence

from dokku_registryd.core.dokku import pflag

_NUMBER = "<n>"
_TEXT = "<text>"
_POSITIVE = frozenset({"number"})
"""Arguments that must be positive numbers."""
_DIGITS = 6


class Usage:
    """The arguments of one command.

    Args:
        line: Its line in the help.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self.command, *takes = _words(line)
        named = [word for word in takes if word.strip("[]").startswith("<")]
        self._arguments = [word.strip("[]<>") for word in named]
        self._least = sum(not word.startswith("[") for word in named)
        self.flags = [word[1:-1] for word in takes if word.startswith("[--")]
        """Each flag with its values, such as `--format text|json`."""
        flags = [flag[2:].split() for flag in self.flags]
        self._switches = [name for name, *values in flags if not values]
        self._numbers = [name for name, *values in flags if values == [_NUMBER]]
        self._texts = [name for name, *values in flags if values == [_TEXT]]
        self._values = {
            name: tuple(values[0].split("|"))
            for name, *values in flags
            if values and name not in {*self._numbers, *self._texts}
        }

    def parse(self, arguments: Sequence[str]) -> dict[str, str | bool | None]:
        """Return the values of flags and arguments by name; None if not given.

        Raises:
            UsageError: The arguments are invalid, or ask for help.
        """
        flags = self._flags()
        parsed = flags.parse(arguments)
        for name, values in self._values.items():
            if parsed.strings[name] not in values:
                raise flags.mistake(f"--{name} must be {' or '.join(values)}")
        for name in self._numbers:
            if not _is_number(parsed.strings.get(name, "")):
                raise flags.mistake(f"--{name} must be a number from 1 to 999999")
        self._check_arguments(flags, parsed)
        found: dict[str, str | bool | None] = {**parsed.strings}
        plain = (*self._numbers, *self._texts)
        found |= {name: parsed.strings.get(name) or None for name in plain}
        found |= {name: name in parsed.switches for name in self._switches}
        given = dict(zip(self._arguments, parsed.positional, strict=False))
        return found | {name: given.get(name) for name in self._arguments}

    def _flags(self) -> pflag.FlagSet:
        return pflag.FlagSet(
            self.command,
            (
                *(pflag.Flag(name=name, usage="") for name in self._switches),
                *(
                    pflag.Flag(name=name, usage="", is_switch=False, default=values[0])
                    for name, values in self._values.items()
                ),
                *(
                    pflag.Flag(name=name, usage="", is_switch=False)
                    for name in (*self._numbers, *self._texts)
                ),
            ),
        )

    def _check_arguments(self, flags: pflag.FlagSet, parsed: pflag.Parsed) -> None:
        given, named = parsed.positional, self._arguments
        if len(given) < self._least:
            # As Dokku's own commands say it, which end with 1.
            missing = named[len(given)]
            said = "Please specify an app to run the command on"
            if missing != "app":
                said = f"Please specify the {missing}"
            raise pflag.UsageError(said, status=1, reason=said)
        if len(given) > len(named):
            raise flags.mistake(f"unexpected argument: {given[len(named)]}")
        for name, text in zip(named, given, strict=False):
            if name in _POSITIVE and not (text and _is_number(text)):
                raise flags.mistake(f"{name} must be from 1 to 999999, not {text}")


def _is_number(text: str) -> bool:
    """Return whether a text is a positive number, or empty: the flag was not given."""
    is_short = text.isascii() and len(text) <= _DIGITS
    return not text or (is_short and text.isdigit() and int(text) > 0)


def _words(line: str) -> list[str]:
    """Split at blanks outside brackets."""
    words: list[str] = []
    for word in line.split(" "):
        if words and words[-1].startswith("[") and not words[-1].endswith("]"):
            words[-1] = f"{words[-1]} {word}"
        else:
            words.append(word)
    return words
