"""Flags as Dokku's own subcommands parse them, and their usage texts.

Dokku uses Go's pflag (https://pkg.go.dev/github.com/spf13/pflag), whose order, texts
and exit statuses are kept: flags may be anywhere, `--` ends them, an error prints the
usage and then itself. The texts are those of version 1.0.6 and newer. There are no data
classes here, because importing them takes longer than a report.
"""

from collections.abc import Iterator, Sequence

from dokku_registryd import errors

MISUSED = 2
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class Flag:
    """One flag: a switch, or one with a string value."""

    def __init__(
        self, *, name: str, usage: str, is_switch: bool = True, default: str = ""
    ) -> None:
        self.name = name
        self.usage = usage
        self.is_switch = is_switch
        self.default = default


class Parsed:
    """A parsed command line."""

    def __init__(self, strings: dict[str, str]) -> None:
        self.positional: list[str] = []
        self.switches: set[str] = set()
        self.strings = strings

    def argument(self, at: int) -> str:
        """Return a positional argument; empty if it is missing."""
        return self.positional[at] if at < len(self.positional) else ""


class UsageError(errors.RegistrydError):
    """The command line is invalid, or asks for help; the text is complete."""

    def __init__(self, message: str, *, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        """The error without the usage; empty if help was requested."""


class FlagSet:
    """The flags of one command."""

    def __init__(self, command: str, flags: tuple[Flag, ...]) -> None:
        self.command = command
        self.flags = flags

    def parse(self, arguments: Sequence[str]) -> Parsed:
        """Parse a command line.

        Raises:
            UsageError: It is invalid, or asks for help.
        """
        parsed = Parsed(
            {flag.name: flag.default for flag in self.flags if flag.default}
        )
        rest = iter(arguments)
        for argument in rest:
            if argument == "--":
                parsed.positional.extend(rest)
            elif argument.startswith("--"):
                self._take(argument, rest, parsed)
            elif argument.startswith("-") and argument != "-":
                raise self._shorthand(argument[1:])
            else:
                parsed.positional.append(argument)
        return parsed

    def usage(self) -> str:
        """Return the usage, without a line break at the end."""
        heads = [
            f"      --{flag.name}{'' if flag.is_switch else ' string'}"
            for flag in self.flags
        ]
        width = max(map(len, heads), default=0)
        lines = [f"Usage of {self.command}:"]
        for head, flag in zip(heads, self.flags, strict=True):
            default = f' (default "{flag.default}")' if flag.default else ""
            lines.append(f"{head:{width}}   {flag.usage}{default}")
        return "\n".join(lines)

    def mistake(self, text: str) -> UsageError:
        """Return the error for an invalid command line."""
        return UsageError(f"{self.usage()}\n{text}", status=MISUSED, reason=text)

    def _take(self, argument: str, rest: Iterator[str], parsed: Parsed) -> None:
        name, is_given, value = argument[2:].partition("=")
        if not name or name.startswith("-"):
            raise self.mistake(f"bad flag syntax: {argument}")
        flag = next((flag for flag in self.flags if flag.name == name), None)
        if flag is None and name == "help":
            raise UsageError(self.usage(), status=0)
        if flag is None:
            raise self.mistake(f"unknown flag: --{name}")
        if flag.is_switch:
            self._switch(name, value if is_given else "true", parsed)
            return
        if not is_given:
            following = next(rest, None)
            if following is None:
                raise self.mistake(f"flag needs an argument: {argument}")
            value = following
        parsed.strings[name] = value

    def _switch(self, name: str, value: str, parsed: Parsed) -> None:
        if value in _TRUE:
            parsed.switches.add(name)
        elif value in _FALSE:
            parsed.switches.discard(name)
        else:
            raise self.mistake(
                f'invalid argument "{value}" for "--{name}" flag:'
                f' strconv.ParseBool: parsing "{value}": invalid syntax'
            )

    def _shorthand(self, letters: str) -> UsageError:
        if letters.startswith("h"):
            return UsageError(self.usage(), status=0)
        return self.mistake(f"unknown shorthand flag: '{letters[0]}' in -{letters}")
