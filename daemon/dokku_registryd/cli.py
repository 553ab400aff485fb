"""Runs a verb and returns its exit status; the only module that prints.

Hooks, monitors and users wait for this program to start. So this module imports nothing
slow at the top, and reads the most frequent command lines without a parser. It imports
a verb's module on use, and passes the parsed arguments and an `Output` to it.
"""

import importlib
import os
import sys
import types
from collections.abc import Callable

from dokku_registryd import PROGRAM, __version__, errors
from dokku_registryd.core.text import terminal_text

TYPE_CHECKING = False  # as in `typing`, whose import takes as long as Python's start
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn

DONE = 0
FAILED = 1
MISUSED = 2
# From sysexits.h; the unit file does not restart after 2 (usage) and 78.
ENGINE_UNAVAILABLE = 69
NOT_PERMITTED = 77
MISCONFIGURED = 78
# The commands that Dokku calls, with subcommands behind a colon.
_DOKKU_NAMES = frozenset({"registry", "registryd"})
# They read the file of variables below `--root` themselves.
_WITH_A_ROOT = frozenset({"install", "uninstall"})
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_STATUS = {
    ("status",): "text",
    ("status", "--format", "text"): "text",
    ("status", "--format", "json"): "json",
}


def run() -> "NoReturn":
    """Run one verb, and end this process with its exit status."""
    try:
        status = main()
    except Exception:  # noqa: BLE001 - a bug; Python would tell of it, and wait then
        sys.excepthook(*sys.exc_info())
        status = FAILED
    if is_held():
        _drop_output()
        os._exit(status)  # What they do not finish, the next process does.
    raise SystemExit(status)


def is_held() -> bool:
    """Return whether requests under way would hold the end of this process.

    Python waits at its end for the threads of pools, and so for what they wait for.
    """
    threading = sys.modules.get("threading")
    return threading is not None and any(
        not thread.daemon and thread is not threading.main_thread()
        for thread in threading.enumerate()
    )


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    _escape_unencodable()
    words = sys.argv[1:] if argv is None else argv
    if words in (["--version"], ["version"]):
        return _guarded(_print_version)
    if words and words[0].partition(":")[0] in _DOKKU_NAMES:
        return _guarded(lambda: _answer_dokku(words), complain=_warn)
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    try:
        arguments = read_status(words) or parse(words or ["--help"])
    except SystemExit as end:
        status = end.code if words else MISUSED
        return _guarded(lambda: status if isinstance(status, int) else DONE)
    return _guarded(lambda: _perform(arguments), is_debugging=arguments.debug)


def _escape_unencodable() -> None:
    """Escape what the terminal's encoding lacks, in a registry's words for example."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # It may be closed.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if encoding.lower() != "utf-8" and reconfigure is not None:
        codecs = importlib.import_module("codecs")
        codecs.register_error("registryd", terminal_text.escape_unencodable)
        reconfigure(errors="registryd")


def parse(argv: list[str]) -> "argparse.Namespace":
    """Return the arguments; exit with a usage error if they are invalid."""
    module = importlib.import_module("dokku_registryd.verbs.arguments")
    arguments: argparse.Namespace = module.parse(argv)
    return arguments


def read_status(argv: list[str]) -> "Any":
    """Return the arguments of a `status` without options; None for others."""
    form = _STATUS.get(tuple(argv))
    if form is None:
        return None
    return types.SimpleNamespace(
        verb="status",
        format=form,
        config=None,
        watch=None,
        overrides={},
        debug=False,
        environ=os.environ,
        root="",
    )


def _guarded(
    work: Callable[[], int],
    *,
    is_debugging: bool = False,
    complain: Callable[[str], None] | None = None,
) -> int:
    """Call `work` and turn its exceptions into an error message and exit status."""
    try:
        status = work()
        sys.stdout.flush()  # Here a full disk can still be reported.
    except BrokenPipeError:
        _drop_output()  # The reader has seen enough (`| head`).
        return FAILED
    except (errors.RegistrydError, OSError) as error:
        if is_debugging:
            traceback = importlib.import_module("traceback")
            traceback.print_exc()
        (complain or _complain)(terminal_text.printable(_message(error)))
        if isinstance(error, OSError):
            _drop_output()  # The output itself may have failed (full disk).
        return _status(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _drop_output() -> None:
    """Drop the output that could not be printed.

    Otherwise the interpreter retries at exit and changes the exit status to 120.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _perform(arguments: "argparse.Namespace") -> int:
    output = importlib.import_module("dokku_registryd.verbs.output")
    verbs = importlib.import_module("dokku_registryd.verbs")
    module = f"{verbs.__name__}.{verbs.MODULES[arguments.verb]}"
    try:
        command = verbs.load(module)
    except ImportError as error:
        return _lack(arguments.verb, error)
    if arguments.verb not in _WITH_A_ROOT:
        variables = importlib.import_module("dokku_registryd.verbs.service_variables")
        variables.add_to(arguments.environ)
    out = output.Output(line=_print, error=_complain)
    return int(command.perform(arguments, out))


def _lack(verb: str, error: ImportError) -> int:
    """Say that a module is missing; a service does so as in `daemon.failed`."""
    last_words = importlib.import_module("dokku_registryd.core.status.last_words")
    text = last_words.of_import(error)
    output = importlib.import_module("dokku_registryd.verbs.output")
    line = output.failed_start(text) if verb == "run" else ""
    if not line:
        raise errors.RegistrydError(text) from error
    _print(line)
    return FAILED


def _answer_dokku(argv: list[str]) -> int:
    """Run a command that Dokku calls."""
    dokku = importlib.import_module("dokku_registryd.verbs.dokku.call")
    return int(dokku.perform(argv, os.environ))


def _message(error: errors.RegistrydError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}."
    return str(error)


def _status(error: errors.RegistrydError | OSError) -> int:
    match error:
        case errors.ConfigurationError():
            return MISCONFIGURED
        case errors.EngineUnavailableError():
            return ENGINE_UNAVAILABLE
        case errors.ClosedFolderError():
            return NOT_PERMITTED
        case _:
            return FAILED


def _print_version() -> int:
    _print(f"{PROGRAM} {__version__}")
    return DONE


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # the one print of results


def _complain(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr)  # noqa: T201  # and of errors


def _warn(text: str) -> None:
    print(f" !     {text}", file=sys.stderr)  # noqa: T201  # in Dokku's form
