"""The command line: verbs, their options and the usage error.

Only `cli` imports it, and only if a command line needs a parser: importing argparse
and building all verbs takes longer than starting Python.
"""

import argparse
import difflib
import functools
import os
import re
import sys
from typing import Any

from dokku_registryd import PROGRAM, __version__
from dokku_registryd.verbs import output

_MISUSED = 2
_LEAST_SECONDS, _MOST_SECONDS = 0.1, 86_400.0
_MOST_JOBS = 999_999
_HOOK_VERBS = frozenset({"follow", "image-repo", "held-logins"})  # never suggested


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, and is the same on each Python."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.color = False  # Python 3.14 colours help on a terminal.

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print the error and how to get help, and exit."""
        if message.startswith("argument VERB: "):
            message = _describe_unknown(message)
        text = f"{message} (see {self.prog} --help)"
        line = output.failed_start(text) if self.prog == f"{PROGRAM} run" else ""
        if line:
            self._print_message(f"{line}\n", sys.stdout)
            self.exit(_MISUSED)
        self.exit(_MISUSED, f"{PROGRAM}: {text}\n")

    def reject(self, unknown: list[str]) -> None:
        """Print that the verb does not take these words, and exit."""
        options = list(self._option_string_actions)
        name = unknown[0].partition("=")[0]
        near = difflib.get_close_matches(name, options, n=1)
        hint = f", did you mean {near[0]}?" if near and name.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")


def _describe_unknown(message: str) -> str:
    """Name an unknown verb and a similar one, but none that only hooks call."""
    verb, _, rest = message.removeprefix("argument VERB: invalid choice: ").partition(
        " (choose from "
    )
    offered = re.findall(r"[a-z][a-z-]+", rest)
    near = difflib.get_close_matches(
        verb.strip("'"), [name for name in offered if name not in _HOOK_VERBS], n=1
    )
    return f"unknown verb {verb}" + (f", did you mean {near[0]}?" if near else "")


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments; exit with a usage error if they are invalid."""
    parser = _build_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.verb_parser.reject(unknown)
    del arguments.verb_parser
    arguments.environ = os.environ
    arguments.overrides = {}
    for assignment in [*arguments.early_overrides, *arguments.late_overrides]:
        key, separator, value = assignment.partition("=")
        if not (key and separator):
            parser.error(f"argument --set: expected KEY=VALUE, not '{key}'")
        arguments.overrides[key] = value
    return arguments


@functools.cache
def _build_parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Push Dokku releases and restore missing images.",
        epilog="help VERB prints the help of a verb. A setting is read from --set, "
        "then from DOKKU_REGISTRYD_TABLE__KEY, then from "
        "/etc/dokku-registryd/config.toml; otherwise it has its default. Set variables "
        "for the service and the hooks in /etc/default/dokku-registryd.",
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    parser.set_defaults(root="")  # used instead of `/`, by `install` and tests
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
    status = _add_verb(verbs, "status", "show whether all is well, and what is not")
    _add_format(status)
    status.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=2.0,
        help="show it again every SECONDS (default 2)",
    )
    _add_format(_add_verb(verbs, "health", "check whether the service is ready"))
    metrics = _add_verb(verbs, "metrics", "print metrics in Prometheus text format")
    metrics.add_argument("--all", action="store_true", help="include process_* metrics")
    _add_format(_add_verb(verbs, "notify", "send a test message to the operator"))
    doctor = _add_verb(verbs, "doctor", "find problems that would break a deploy")
    doctor.add_argument(
        "app", nargs="?", metavar="APP", help="check the host and this app"
    )
    _add_format(doctor)


def _add_release_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    releases = _add_verb(verbs, "releases", "list releases, newest first")
    releases.add_argument("app", nargs="?", metavar="APP", help="list one app only")
    releases.add_argument(
        "number", nargs="?", metavar="N", type=_count, help="show all of release N"
    )
    releases.add_argument(
        "--limit", metavar="N", type=_count, default=0, help="list the latest N only"
    )
    _add_format(releases)
    heal = _add_verb(verbs, "heal", "restore missing images now")
    heal.add_argument("app", nargs="?", metavar="APP", help="heal one app only")
    heal.add_argument(
        "--dry-run", action="store_true", help="list missing images, change nothing"
    )
    _add_format(heal)
    restore = _add_verb(
        verbs, "restore", "bring all images back on a host restored from its backup"
    )
    restore.add_argument(
        "--jobs",
        metavar="N",
        type=_count,
        help="pull N images at a time (default daemon.workers)",
    )
    restore.add_argument(
        "--dry-run", action="store_true", help="list what would come, change nothing"
    )
    _add_format(restore)
    drill = _add_verb(
        verbs, "drill", "ask registries whether all images would come back"
    )
    drill.add_argument("app", nargs="?", metavar="APP", help="ask about one app only")
    _add_format(drill)
    fleet = _add_verb(verbs, "fleet", "list which hosts run which releases")
    fleet.add_argument("app", nargs="?", metavar="APP", help="list one app only")
    _add_format(fleet)
    standby = _add_verb(
        verbs, "standby", "list releases of other hosts that are kept here"
    )
    _add_format(standby)
    history = _add_verb(verbs, "history", "list finished jobs, newest first")
    history.add_argument("app", nargs="?", metavar="APP", help="list one app only")
    history.add_argument("--failed", action="store_true", help="list failed jobs only")
    history.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        help="list at most N jobs (default 20)",
    )
    _add_format(history)
    prune = _add_verb(verbs, "prune", "remove old numbers from registries")
    prune.add_argument("app", nargs="?", metavar="APP", help="prune one app only")
    prune.add_argument(
        "--dry-run", action="store_true", help="print the plan, change nothing"
    )
    prune.add_argument(
        "--yes", action="store_true", help="agree to removals, once per repository"
    )
    _add_format(prune)
    rollback = _add_verb(
        verbs, "rollback", "release again what ran before, and deploy it"
    )
    rollback.add_argument("app", metavar="APP", help="the app")
    _add_repeating(rollback, "roll back to this release (default what ran before)")
    promote = _add_verb(verbs, "promote", "have another app run a release of this one")
    promote.add_argument("app", metavar="APP", help="the app that has the release")
    promote.add_argument("target", metavar="TARGET", help="the app that will run it")
    _add_repeating(promote, "promote this release (default what APP runs)")
    hold = _add_verb(verbs, "hold", "keep what an app runs, or a release for good")
    hold.add_argument("app", metavar="APP", help="the app")
    hold.add_argument(
        "number", nargs="?", metavar="N", type=_count, help="hold this release only"
    )
    hold.add_argument("--reason", metavar="TEXT", help="why, for others to read")
    hold.add_argument("--off", action="store_true", help="end the hold")
    _add_format(hold)
    push = _add_verb(verbs, "push", "ensure that the registry has the deployed release")
    push.add_argument("app", metavar="APP", help="push this app")


def _add_host_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    install = _add_verb(verbs, "install", "install plugin and service (root)")
    modes = install.add_mutually_exclusive_group()
    modes.add_argument(
        "--companion", action="store_true", help="keep Dokku's own plugin enabled"
    )
    _add_from_plugin(modes)
    _add_installing(install)
    uninstall = _add_verb(
        verbs, "uninstall", "uninstall and re-enable Dokku's plugin (root)"
    )
    uninstall.add_argument(
        "--force", action="store_true", help="discard unfinished background pushes"
    )
    uninstall.add_argument(
        "--purge", action="store_true", help="remove ledger, settings, properties too"
    )
    _add_from_plugin(uninstall)
    _add_installing(uninstall)
    forget = _add_verb(verbs, "forget", "remove the data of a missing app")
    forget.add_argument("app", metavar="APP", help="the missing app")
    forget.add_argument(
        "--yes", action="store_true", help="confirm; without it nothing is removed"
    )
    adopt = _add_verb(verbs, "adopt", "record releases of Dokku's own plugin")
    adopt.add_argument(
        "--dry-run", action="store_true", help="list differences, change nothing"
    )
    _add_format(adopt)


def _add_repeating(verb: Parser, number: str) -> None:
    """Add what all verbs have that deploy an earlier release again."""
    verb.add_argument("number", nargs="?", metavar="N", type=_count, help=number)
    verb.add_argument(
        "--dry-run", action="store_true", help="say what it would do, change nothing"
    )
    _add_format(verb)


def _add_from_plugin(verb: "argparse._ActionsContainer") -> None:
    """Add the option of the hooks that Dokku runs for `plugin:install` and others."""
    verb.add_argument("--from-plugin", action="store_true", help=argparse.SUPPRESS)


def _add_installing(verb: Parser) -> None:
    verb.add_argument(
        "--dry-run", action="store_true", help="list the steps, change nothing"
    )
    verb.add_argument(
        "--root", metavar="DIR", default="", help="use DIR instead of / (for tests)"
    )


def _add_hook_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verbs that only hooks call; without help text they are not listed."""
    follow = _add_verb(verbs, "follow")
    follow.add_argument("--data-dir", metavar="DIR", required=True)
    follow.add_argument("--printed", metavar="LINES", type=int, default=0)
    follow.add_argument("--app", metavar="APP", default="")
    follow.add_argument("--waited", metavar="SECONDS", type=float, default=0.0)
    follow.add_argument("--left", metavar="SECONDS", type=float, default=None)
    follow.add_argument("id", metavar="ID")
    image_repo = _add_verb(verbs, "image-repo")
    image_repo.add_argument("app", metavar="APP")
    _add_verb(verbs, "held-logins")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds from 0.1 to 86400, not {text!r}"
        )
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text!r}")
    return min(int(text), _MOST_JOBS)


def _add_verb(
    verbs: "argparse._SubParsersAction[Parser]", name: str, text: str = ""
) -> Parser:
    if text:
        verb = verbs.add_parser(name, help=text, formatter_class=_formatter)
        verb.description = f"{text[0].upper()}{text[1:]}."
    else:
        verb = verbs.add_parser(name, formatter_class=_formatter)
    verb.allow_abbrev = False
    verb.set_defaults(verb_parser=verb)
    # Suppressed defaults keep options that were given before the verb.
    _add_common(verb, overrides="late_overrides", default=argparse.SUPPRESS)
    return verb


def _add_common(parser: Parser, *, overrides: str, default: str | None) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=default,
        help="read settings from FILE ($DOKKU_REGISTRYD_CONFIG)",
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
        help="print the traceback of an error",
    )


def _add_format(parser: Parser) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="print text or json (default text)",
    )


def _formatter(prog: str) -> argparse.HelpFormatter:
    # A fixed width also avoids importing shutil, a fifth of the start-up time.
    return argparse.HelpFormatter(prog, max_help_position=26, width=80)
