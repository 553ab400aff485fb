"""`registryd`, `registryd:help`, and `--help` of each command.

`hooks/commands.sh` has the lines of `help --all`.
"""

from dokku_registryd.core.dokku import command_usage, usage
from dokku_registryd.verbs.dokku import call as dokku_call

SUMMARY = "Manage pushes and healing of released images"
COMMANDS = {
    "registryd:doctor [--format text|json] [<app>]": (
        "Find problems that would break a deploy"
    ),
    "registryd:drill [--format text|json] [<app>]": (
        "Ask registries whether all images would come back"
    ),
    "registryd:fleet [--format text|json] [<app>]": (
        "List which hosts run which releases"
    ),
    "registryd:heal [--dry-run] [--format text|json] [<app>]": (
        "Restore missing images now"
    ),
    "registryd:health [--format text|json]": "Check whether the service is ready",
    "registryd:history [--failed] [--format text|json] [--limit <n>] [<app>]": (
        "List finished jobs from newest to oldest"
    ),
    "registryd:hold [--format text|json] [--off] [--reason <text>] <app> [<number>]": (
        "Keep what an app runs or keep one of its releases"
    ),
    "registryd:metrics [--all]": "Print metrics in Prometheus text format",
    "registryd:promote [--dry-run] [--format text|json] <app> <target> [<number>]": (
        "Have another app run a release of this one"
    ),
    "registryd:prune [--dry-run] [--format text|json] [--yes] [<app>]": (
        "Remove old numbers from registries"
    ),
    "registryd:push <app>": "Ensure that the registry has the deployed release",
    "registryd:releases [--format text|json] [<app>] [<number>]": (
        "List releases or show all of one"
    ),
    "registryd:report [<app>] [<flag>]": (
        "Displays a registryd report for one or more apps"
    ),
    "registryd:restore [--dry-run] [--format text|json] [--jobs <n>]": (
        "Bring all images back on a host restored from its backup"
    ),
    "registryd:rollback [--dry-run] [--format text|json] <app> [<number>]": (
        "Release again what ran before and deploy it"
    ),
    "registryd:set <app>|--global <property> (<value>)": (
        "Set or clear a registryd property for an app"
    ),
    "registryd:standby [--format text|json]": (
        "List releases of other hosts that are kept here"
    ),
    "registryd:status [--format text|json] [--watch]": (
        "Show whether all is well and what is not"
    ),
}

OPTIONS = {
    "--all": "Include process_* metrics",
    "--dry-run": "Print what would be done and change nothing",
    "--failed": "List failed jobs only",
    "--format": "Print text or JSON",
    "--jobs": "Pull so many images at a time",
    "--limit": "List at most so many",
    "--yes": "Agree to removals once per repository",
    "--off": "End the hold",
    "--reason": "Why, for others to read",
    "--watch": "Repeat it every two seconds until Ctrl-C",
}
"""What an option does, in any command that has it."""
MORE = {
    "registryd:promote": {
        "Options": {
            "--dry-run": "Say what it would do and change nothing",
            "--format text|json": "Print text or JSON",
        }
    },
    "registryd:rollback": {
        "Options": {
            "--dry-run": "Say what it would do and change nothing",
            "--format text|json": "Print text or JSON",
        }
    },
    "registryd:report": {
        "Options": {
            "--format stdout|json": "Print text or JSON",
            "--global": "Report the global values",
            "--registryd-heal": "Print one value; any row of the report is such a flag",
        }
    },
    "registryd:set": {
        "Options": {"--global": "Set the value of all apps without one of their own"},
        "Properties": {
            "follow <server>/<repository>|off": (
                "Whose releases by other hosts are kept here; several with commas,"
                " --global only"
            ),
            "heal on|off": "Whether missing images are restored",
            "hold all|<number>": (
                "What nothing may replace or remove, with reasons: see registryd:hold"
            ),
            "keep-releases <number>|<age>": (
                "Which superseded releases keep their local names: 10 or 30d or 10,30d"
            ),
            "keep-remote <number>|<age>|all": (
                "Which superseded releases their registry keeps; see registryd:prune"
            ),
            "mirror <server>[/<repository>]|off": (
                "A second registry that gets a copy of each release"
            ),
            "push-deadline <duration>": (
                "How long a deploy waits for its push: 90s or 15m or 2h or 1d"
            ),
            "push-policy wait|background": "Whether a deploy waits for its push",
            "release-records on|off": "Whether other hosts are told of live releases",
        },
    },
}
"""By command, sections that its line in `COMMANDS` does not tell."""


def perform(call: dokku_call.Call) -> int:
    """Print the help of a command, or of all."""
    line = next((line for line in COMMANDS if line.split(" ")[0] == call.name), "")
    if line:
        call.line(usage.command(line, COMMANDS[line], _sections(call.name, line)))
    else:
        call.line(usage.text("registryd", SUMMARY, COMMANDS))
    return 0


def _sections(name: str, line: str) -> dict[str, dict[str, str]]:
    flags = command_usage.Usage(line).flags
    options = {flag: OPTIONS.get(flag.split(" ")[0], "") for flag in flags}
    return MORE.get(name) or {"Options": options}
