"""`registry` and `registry:help`; `hooks/commands.sh` has the lines of `help --all`."""

from dokku_registryd.core.dokku import usage
from dokku_registryd.verbs.dokku import call as dokku_call

SUMMARY = "Manage registry settings for an app"
COMMANDS = {
    "registry:login [--global|--password-stdin] [<app>] <server> <username>"
    " [<password>]": "Login to a docker registry",
    "registry:logout [--global] [<app>] <server>": "Logout from a docker registry",
    "registry:report [<app>] [<flag>]": (
        "Displays a registry report for one or more apps"
    ),
    "registry:set <app>|--global <property> (<value>)": (
        "Set or clear a registry property for an app"
    ),
}


def perform(call: dokku_call.Call) -> int:
    """Print the help."""
    call.line(usage.text("registry", SUMMARY, COMMANDS))
    return 0
