"""Reports in Dokku's form: how they are asked for, computed and printed.

Facts are those of Dokku 0.38.27 (`plugins/common`, ReportSingleApp; `plugins/registry`,
report.go). A row is named by the flag that asks for it alone, and computed when it is
needed: most people set no template, and a script wants one value. There are no data
classes here, because the library for them would double the time that a report takes.
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
# Settable for the app and for all apps.
_SHARED = ("image-repo-template", "push-extra-tags", "push-on-release", "server")
# Go's encoding/json escapes these too, so that the text may stand in HTML.
_ESCAPES = str.maketrans(
    {
        **{chr(code): f"\\u{code:04x}" for code in (*range(32), 0x2028, 0x2029)},
        **{mark: f"\\u{ord(mark):04x}" for mark in "<>&"},
        **dict(zip('\b\f\n\r\t"\\', map("\\{}".format, 'bfnrt"\\'), strict=True)),
    }
)


class ReportError(errors.RegistrydError):
    """A report is asked for in a way that makes no sense. See `registry:help`."""


class Request:
    """What report is wanted.

    Args:
        app: Empty for all apps; `--global` for what holds for all apps.
        info_flag: The one row that is wanted, empty for all.
        form: `stdout` or `json`, if it is a good one.
    """

    def __init__(self, *, app: str, info_flag: str, form: str) -> None:
        self.app = app
        self.info_flag = info_flag
        self.form = form

    def check(self) -> None:
        """Refuse forms that do not exist or do not fit.

        Raises:
            ReportError: In Dokku's words.
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
    """Read what follows `registry:report`.

    Raises:
        ReportError: Two single rows are wanted.
        UsageError: pflag refuses what is left, or no format follows `--format`.
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
    """Return a whole report for people."""
    width = max(_MIN_WIDTH, *map(len, rows))
    found = [] if is_quiet else [f"=====> {app} {plugin} information"]
    return found + [f"{_title(flag, width)}{rows[flag]()}" for flag in sorted(rows)]


@functools.cache
def _title(flag: str, width: int) -> str:
    """Return what stands before a value; the same for thousands of apps."""
    title = flag.removeprefix("--").replace("-", " ") + ":"
    return f"{_INDENT}{title[0].upper()}{title[1:]:{width - 1}}"


def as_json(plugin: str, rows: Rows, *, has_legacy_keys: bool) -> str:
    """Return a whole report as Go's `json.Marshal` writes it."""
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
        ReportError: There is no such row; all are listed.
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
            # A blank value of the app beats the global one, and means Docker Hub.
            return computed.server(self.own(name) or self.everywhere(name))
        value = self.own(name).strip() or self.everywhere(name)
        return value or ("false" if name == "push-on-release" else "")

    def image_repo(self) -> str:
        try:
            return computed.image_repo(self.app, self.read)
        except errors.RegistrydError:
            return f"dokku/{self.app}"


def _shown(name: str, value: str) -> str:
    """Return a value for anybody to see: a server may hold a login by mistake."""
    return computed.without_login(value) if name == "server" else value


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
