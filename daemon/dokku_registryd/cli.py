"""Arguments in, exit status out: the only module that prints.

Nothing but the standard library's light modules is imported at the top, because Dokku's
hooks and impatient people wait for this program to start. A verb's module is imported
when it is called; it gets the parsed arguments and an `Output`.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable

from dokku_registryd import __version__, errors

PROGRAM = "dokku-registryd"

DONE = 0
FAILED = 1
MISUSED = 2
# From sysexits.h; the unit file lists 2 and 78 as not worth a restart.
ENGINE_UNAVAILABLE = 69
MISCONFIGURED = 78
# Names that Dokku calls us by, with subcommands behind a colon.
_DOKKU_NAMES = frozenset({"registry", "registryd"})
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong and where the right usage stands."""
        _complain(f"{message} (see {self.prog} --help)")
        self.exit(MISUSED)


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0].partition(":")[0] in _DOKKU_NAMES:
        return _guarded(lambda: _answer_dokku(argv), is_debugging=False)
    arguments = parse(argv)
    return _guarded(lambda: _perform(arguments), is_debugging=arguments.debug)


def _guarded(work: Callable[[], int], *, is_debugging: bool) -> int:
    """Do the work and turn what it raises into a complaint and an exit status."""
    try:
        return work()
    except BrokenPipeError:
        # The reader has seen enough (`| head`); the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (errors.RegistrydError, OSError) as error:
        if is_debugging:
            traceback = importlib.import_module("traceback")
            traceback.print_exc()
        _complain(_message(error))
        return _status(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments; end the program if they make no sense."""
    parser = _build_parser()
    arguments = parser.parse_args(argv)
    arguments.environ = os.environ
    arguments.overrides = {}
    for assignment in [*arguments.early_overrides, *arguments.late_overrides]:
        key, separator, value = assignment.partition("=")
        if not (key and separator):
            parser.error(f"argument --set: no KEY=VALUE: '{key}'")
        arguments.overrides[key] = value
    return arguments


def _perform(arguments: argparse.Namespace) -> int:
    output = importlib.import_module("dokku_registryd.commands.output")
    module = arguments.verb.replace("-", "_")
    command = importlib.import_module(f"dokku_registryd.commands.{module}")
    out = output.Output(line=_print, error=_complain)
    return int(command.perform(arguments, out))


def _answer_dokku(argv: list[str]) -> int:
    """Answer a command that reads its arguments by Dokku's rules."""
    dokku = importlib.import_module("dokku_registryd.commands.dokku")
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
        case _:
            return FAILED


def _build_parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Push Dokku releases and bring vanished images back.",
        epilog="A setting comes from --set, else from DOKKU_REGISTRYD_TABLE__KEY, "
        "else from /etc/dokku-registryd/config.toml, else it has its default.",
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"{PROGRAM} {__version__}",
        help="print the version and exit",
    )
    parser.set_defaults(late_overrides=[])
    _add_common(parser, overrides="early_overrides", default=None)
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", title="verbs", required=True, parser_class=Parser
    )
    _add_service_verbs(verbs)
    _add_release_verbs(verbs)
    _add_host_verbs(verbs)
    _add_hook_verbs(verbs)
    return parser


def _add_service_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    _add_verb(verbs, "run", "run the service in the foreground")
    _add_format(_add_verb(verbs, "check", "check settings, folders and variables"))
    _add_format(_add_verb(verbs, "status", "show what the service does and lacks"))
    doctor = _add_verb(verbs, "doctor", "find what would break the next deploy")
    doctor.add_argument("app", nargs="?", metavar="APP", help="look at one app only")
    _add_format(doctor)


def _add_release_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    releases = _add_verb(verbs, "releases", "list releases, newest first")
    releases.add_argument("app", nargs="?", metavar="APP", help="list one app only")
    _add_format(releases)
    heal = _add_verb(verbs, "heal", "bring vanished images back now")
    heal.add_argument("app", nargs="?", metavar="APP", help="heal one app only")
    heal.add_argument(
        "--dry-run", action="store_true", help="tell what is missing, change nothing"
    )
    _add_format(heal)
    push = _add_verb(verbs, "push", "push the latest release of an app again")
    push.add_argument("app", metavar="APP", help="name the app to push")


def _add_host_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    install = _add_verb(verbs, "install", "install on this host (root)")
    install.add_argument(
        "--companion", action="store_true", help="leave Dokku's own plugin in charge"
    )
    _add_installing(install)
    uninstall = _add_verb(verbs, "uninstall", "give all back to Dokku's plugin (root)")
    uninstall.add_argument(
        "--force", action="store_true", help="do so while accepted releases wait"
    )
    uninstall.add_argument(
        "--purge", action="store_true", help="remove ledger, settings, properties too"
    )
    _add_installing(uninstall)
    adopt = _add_verb(verbs, "adopt", "adopt what Dokku's plugin has released")
    adopt.add_argument(
        "--dry-run", action="store_true", help="tell what differs, change nothing"
    )
    _add_format(adopt)


def _add_installing(verb: Parser) -> None:
    verb.add_argument(
        "--dry-run", action="store_true", help="tell what would be done, do nothing"
    )
    verb.add_argument(
        "--root", metavar="DIR", default="", help="let DIR stand for / (for tests)"
    )


def _add_hook_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Add what only hooks call; without a help text the list leaves it out."""
    follow = _add_verb(verbs, "follow")
    follow.add_argument("--data-dir", metavar="DIR", required=True)
    follow.add_argument("id", metavar="ID")
    image_repo = _add_verb(verbs, "image-repo")
    image_repo.add_argument("app", metavar="APP")
    _add_verb(verbs, "held-logins")


def _add_verb(
    verbs: "argparse._SubParsersAction[Parser]", name: str, text: str = ""
) -> Parser:
    if text:
        verb = verbs.add_parser(name, help=text, formatter_class=_formatter)
        verb.description = f"{text[0].upper()}{text[1:]}."
    else:
        verb = verbs.add_parser(name, formatter_class=_formatter)
    verb.allow_abbrev = False
    # Suppressed defaults keep what was already said before the verb.
    _add_common(verb, overrides="late_overrides", default=argparse.SUPPRESS)
    return verb


def _add_common(parser: Parser, *, overrides: str, default: str | None) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=default,
        help="read settings from FILE (DOKKU_REGISTRYD_CONFIG)",
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest=overrides,
        action="append",
        default=default or [],
        help="override a setting, such as daemon.workers=2",
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        default=default or False,
        help="show where an error came from",
    )


def _add_format(parser: Parser) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="print text or json (default text)",
    )


def _formatter(prog: str) -> argparse.HelpFormatter:
    # A fixed width also saves the import of shutil, a fifth of the start-up time.
    return argparse.HelpFormatter(prog, max_help_position=26, width=80)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # the one print of results


def _complain(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr)  # noqa: T201  # and of complaints
