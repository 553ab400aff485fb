"""Reports in Dokku's format: arguments, rows and output.

The facts are those of Dokku 0.38.27 (`plugins/common`, ReportSingleApp;
`plugins/registry`, report.go). A row is named by the flag that selects it, and is
computed on use: most users set no template, and a script wants one value. There are no
data classes here, because importing them would double the time of a report.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from dokku_registryd import errors
from dokku_registryd.core.dokku import computed, pflag

Rows = Mapping[str, Callable[[], str]]

STDOUT = "stdout"
JSON = "json"
_INDENT = " " * 7
_MIN_WIDTH = 31
# Can be set per app and globally.
_SHARED = ("image-repo-template", "push-extra-tags", "push-on-release", "server")
# Go's encoding/json escapes these too, for use in HTML.
_ESCAPES = str.maketrans(
    {
        **{chr(code): f"\\u{code:04x}" for code in (*range(32), 0x2028, 0x2029)},
        **{mark: f"\\u{ord(mark):04x}" for mark in "<>&"},
        **dict(zip('\b\f\n\r\t"\\', map("\\{}".format, 'bfnrt"\\'), strict=True)),
    }
)


class ReportError(errors.RegistrydError):
    """The arguments of a report are invalid. See `registry:help`."""


class Request:
    """The arguments of a report.

    Args:
        app: Empty for all apps; `--global` for global values.
        info_flag: The flag of the one requested row; empty for all.
        form: `stdout` or `json`, if it is valid.
    """

    def __init__(self, *, app: str, info_flag: str, form: str) -> None:
        self.app = app
        self.info_flag = info_flag
        self.form = form

    def check(self) -> None:
        """Reject unknown formats, and formats combined with a row.

        Raises:
            ReportError: With Dokku's message.
        """
        if self.form not in {STDOUT, JSON}:
            raise ReportError(
                f'Format must be "stdout" or "json": {_quoted(self.form)}'
            )
        if self.form == JSON and self.info_flag:
            raise ReportError(
                "--format flag cannot be specified when specifying an info flag"
            )


def parse(command: str, arguments: Sequence[str]) -> Request:
    """Parse the arguments of `registry:report`.

    Raises:
        ReportError: Two single rows are requested.
        UsageError: pflag rejects an argument, or `--format` has no value.
    """
    flags = pflag.FlagSet(
        command,
        (
            pflag.Flag(
                name="format",
                usage="format: [ stdout | json ]",
                is_switch=False,
                default=STDOUT,
            ),
        ),
    )
    rest: list[str] = []
    info_flags: list[str] = []
    is_global = False
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--format":
            rest.append(argument)
            rest += itertools.islice(remaining, 1)
        elif argument == computed.GLOBAL:
            is_global = True
        elif argument.startswith("--"):
            info_flags.append(argument)
        else:
            rest.append(argument)
    if len(info_flags) > 1:
        raise ReportError(f"{command} command allows only a single flag")
    parsed = flags.parse(rest)
    return Request(
        app=computed.GLOBAL if is_global else parsed.argument(0),
        info_flag="".join(info_flags),
        form=parsed.strings["format"] or STDOUT,
    )


def registry_rows(app: str, read: computed.Reader) -> Rows:
    """Return the rows of `registry:report`, for an app or for `--global`."""
    values = _Values(app, read)
    rows: dict[str, Callable[[], str]] = {}
    for name in _SHARED:
        rows[f"--registry-computed-{name}"] = partial(values.computed, name)
        rows[f"--registry-global-{name}"] = partial(values.everywhere, name)
        if app != computed.GLOBAL:
            rows[f"--registry-{name}"] = partial(values.own, name)
    if app != computed.GLOBAL:
        rows["--registry-image-repo"] = partial(values.own, "image-repo")
        rows["--registry-computed-image-repo"] = values.image_repo
        rows["--registry-tag-version"] = lambda: values.own("tag-version").strip()
    return rows


def lines(plugin: str, app: str, rows: Rows, *, is_quiet: bool) -> list[str]:
    """Return the lines of a report."""
    width = max(_MIN_WIDTH, *map(len, rows))
    found = [] if is_quiet else [f"=====> {app} {plugin} information"]
    return found + [f"{_title(flag, width)}{rows[flag]()}" for flag in sorted(rows)]


@functools.cache
def _title(flag: str, width: int) -> str:
    """Return the title in front of a value; the same for thousands of apps."""
    title = flag.removeprefix("--").replace("-", " ") + ":"
    return f"{_INDENT}{title[0].upper()}{title[1:]:{width - 1}}"


def as_json(plugin: str, rows: Rows, *, has_legacy_keys: bool) -> str:
    """Return a report as Go's `json.Marshal` writes it."""
    values: dict[str, str] = {}
    for flag, value in rows.items():
        values[flag.removeprefix(f"--{plugin}-")] = value()
        if has_legacy_keys:
            values[flag.removeprefix("--")] = values[flag.removeprefix(f"--{plugin}-")]
    pairs = (f'"{key}":{_quoted(values[key])}' for key in sorted(values))
    return f"{{{','.join(pairs)}}}"


def single(rows: Rows, info_flag: str) -> str:
    """Return the value of one row.

    Raises:
        ReportError: There is no such row; the message lists all.
    """
    if info_flag not in rows:
        listed = ", ".join(sorted(rows))
        raise ReportError(f"Invalid flag passed, valid flags: {listed}")
    return rows[info_flag]()


class _Values:
    def __init__(self, app: str, read: computed.Reader) -> None:
        self.app = app
        self.read = read

    def own(self, name: str) -> str:
        return _shown(name, self.read(computed.CORE, self.app, name))

    def everywhere(self, name: str) -> str:
        found = self.read(computed.CORE, computed.GLOBAL, name)
        return _shown(name, found)

    def computed(self, name: str) -> str:
        if name == "server":
            # A blank value of the app overrides the global one, and means Docker Hub.
            return computed.server(self.own(name) or self.everywhere(name))
        value = self.own(name).strip() or self.everywhere(name)
        return value or ("false" if name == "push-on-release" else "")

    def image_repo(self) -> str:
        try:
            return computed.image_repo(self.app, self.read)
        except errors.RegistrydError:
            return f"dokku/{self.app}"


def _shown(name: str, value: str) -> str:
    """Return a value without a login: a server may contain one by mistake."""
    return computed.without_login(value) if name == "server" else value


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
