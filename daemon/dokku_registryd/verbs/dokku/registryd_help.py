"""`registryd` and `registryd:help`; `hooks/commands` has the lines of `help --all`."""

from dokku_registryd.core.dokku import usage
from dokku_registryd.verbs.dokku import call as dokku_call

SUMMARY = "Manage pushes and healing of released images"
COMMANDS = {
    "registryd:doctor [--format text|json] [<app>]": (
        "Find problems that would break a deploy"
    ),
    "registryd:heal [--dry-run] [--format text|json] [<app>]": (
        "Restore missing images now"
    ),
    "registryd:health [--format text|json]": "Check whether the service is ready",
    "registryd:history [--failed] [--format text|json] [--limit <n>] [<app>]": (
        "List finished jobs from newest to oldest"
    ),
    "registryd:metrics [--all]": "Print metrics in Prometheus text format",
    "registryd:push <app>": "Ensure that the registry has the deployed release",
    "registryd:releases [--format text|json] [<app>]": (
        "List releases from newest to oldest"
    ),
    "registryd:report [<app>] [<flag>]": (
        "Displays a registryd report for one or more apps"
    ),
    "registryd:set <app>|--global <property> (<value>)": (
        "Set or clear a registryd property for an app"
    ),
    "registryd:status [--format text|json] [--watch]": (
        "Show whether all is well and what is not"
    ),
}


def perform(call: dokku_call.Call) -> int:
    """Print the help."""
    call.line(usage.text("registryd", SUMMARY, COMMANDS))
    return 0
