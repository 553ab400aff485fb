"""Commands that Dokku calls: `registry:report APP`, `registryd:set APP heal off`.

This module has what they share: the module of each command, Dokku's environment
variables, and Dokku's output style
(https://github.com/dokku/dokku/blob/v0.38.27/plugins/common/log.go). Scripts rely on
the texts, streams and exit statuses, so argparse is not used. Users and scripts wait
for these commands, so slow imports are done only by the commands that need them.
"""

import importlib
import itertools
import sys
from collections.abc import Iterable, MutableMapping

from dokku_registryd import errors, verbs
from dokku_registryd.core.text import terminal_text

_VERBS = "registryd_verbs"
_HELP = "registryd_help"
_ASKS_FOR_HELP = frozenset({"--help", "-h"})
_OURS = "registryd:"
MODULES = {
    "registry": "registry_help",
    "registry:help": "registry_help",
    "registry:login": "registry_login",
    "registry:logout": "registry_logout",
    "registry:report": "registry_report",
    "registry:set": "registry_set",
    "registryd": _HELP,
    "registryd:doctor": _VERBS,
    "registryd:drill": _VERBS,
    "registryd:fleet": _VERBS,
    "registryd:heal": _VERBS,
    "registryd:health": _VERBS,
    "registryd:help": _HELP,
    "registryd:history": _VERBS,
    "registryd:hold": _VERBS,
    "registryd:metrics": _VERBS,
    "registryd:promote": _VERBS,
    "registryd:prune": _VERBS,
    "registryd:push": _VERBS,
    "registryd:releases": _VERBS,
    "registryd:report": "registryd_report",
    "registryd:restore": _VERBS,
    "registryd:rollback": _VERBS,
    "registryd:set": "registryd_set",
    "registryd:standby": _VERBS,
    "registryd:status": _VERBS,
}
GLOBAL = "--global"
FAILED = 1
MISUSED = 2
NOT_IMPLEMENTED = 10  # DOKKU_NOT_IMPLEMENTED_EXIT: another plugin may know the name
NO_SUCH_APP = 20


class DokkuError(errors.RegistrydError):
    """A command failed; the message is printed behind Dokku's `!`.

    Args:
        message: One or more lines.
        status: The exit status.
        is_raw: Whether the message is printed to stderr without `!`.
    """

    def __init__(
        self, message: str, *, status: int = FAILED, is_raw: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_raw = is_raw


class Call:
    """One call of a command, and its output.

    Args:
        name: The command, such as `registry:report`.
        arguments: Its arguments; the app of `dokku --app` is added in front.
        environ: The environment that Dokku gives to plugins.
    """

    def __init__(
        self, name: str, arguments: list[str], environ: MutableMapping[str, str]
    ) -> None:
        self.name = name
        self.environ = environ
        self.arguments = _with_app(arguments, environ.get("DOKKU_APP_NAME", ""))
        self.is_quiet = bool(environ.get("DOKKU_QUIET_OUTPUT"))
        self.dokku_root = environ.get("DOKKU_ROOT") or "/home/dokku"
        self.lib_root = environ.get("DOKKU_LIB_ROOT") or "/var/lib/dokku"

    def line(self, text: str) -> None:
        """Print a line to stdout."""
        sys.stdout.write(f"{terminal_text.printable(text)}\n")

    def headline(self, text: str) -> None:
        """Print `=====> text`, unless Dokku runs with --quiet."""
        if not self.is_quiet:
            self.line(f"=====> {text}")

    def warn(self, text: str) -> None:
        """Print ` !     text` to stderr."""
        sys.stdout.flush()
        sys.stderr.write(f" !     {terminal_text.printable(text)}\n")


def perform(argv: list[str], environ: MutableMapping[str, str]) -> int:
    """Run one command and return its exit status.

    Raises:
        RegistrydError: A verb of the program failed; `cli` maps it to a status.
    """
    module = MODULES.get(argv[0])
    call = Call(argv[0], argv[1:], environ)
    if module is None:
        _suggest(call)
        return NOT_IMPLEMENTED
    if _asks_for_help(call):
        module = _HELP
    try:
        command = verbs.load(f"dokku_registryd.verbs.dokku.{module}")
        status = int(command.perform(call))
    except DokkuError as error:
        if error.is_raw:
            sys.stderr.write(f"{terminal_text.printable(str(error))}\n")
        else:
            call.warn(str(error))
        return error.status
    except errors.RegistrydError as error:
        if module == _VERBS:
            raise
        call.warn(str(error))
        return FAILED
    return status


def _asks_for_help(call: Call) -> bool:
    """Return whether to print the help of a command of ours.

    `registry:*` has pflag's usage instead, as in Dokku's own plugin.
    """
    flags = itertools.takewhile("--".__ne__, call.arguments)
    return call.name.startswith(_OURS) and not _ASKS_FOR_HELP.isdisjoint(flags)


def _suggest(call: Call) -> None:
    """Name a command that is similar to an unknown one of ours."""
    if call.name.startswith(_OURS):
        offered = [name.removeprefix(_OURS) for name in MODULES if _OURS in name]
        near = nearest(call.name.removeprefix(_OURS), offered)
        if near:
            call.warn(f"Did you mean {_OURS}{near}?")


def nearest(word: str, offered: Iterable[str]) -> str:
    """Return the most similar of some words; empty if none is similar."""
    # Only mistakes need it, and its import takes longer than a report.
    difflib = importlib.import_module("difflib")
    return next(iter(difflib.get_close_matches(word, list(offered), n=1)), "")


def _with_app(arguments: list[str], app: str) -> list[str]:
    """Put the app of `dokku --app APP` in front, as Dokku does for its own plugins.

    If the flag is not the first argument, Dokku passes it on, so it is removed here.
    """
    if not app:
        return arguments
    rest = list(arguments)
    for at in range(len(rest) - 1):
        if rest[at : at + 2] == ["--app", app]:
            del rest[at : at + 2]
            break
    return rest if GLOBAL in rest else [app, *rest]
