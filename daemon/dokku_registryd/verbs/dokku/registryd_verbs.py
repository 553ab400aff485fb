"""Verbs of the program that Dokku also calls: `registryd:doctor`, `registryd:heal`, ….

Some users of Dokku may run these commands only. They must not change settings, such as
the folder of credential helpers, or read other files. So a verb accepts only the
arguments that the help of its command names.
"""

import sys
import types

from dokku_registryd import verbs
from dokku_registryd.core.dokku import command_usage, pflag
from dokku_registryd.verbs import output
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import registryd_help


def perform(call: dokku_call.Call) -> int:
    """Run the program's verb of the same name and return its exit status.

    Raises:
        DokkuError: The arguments are invalid.
    """
    usage = _usage(call.name)
    try:
        given = usage.parse(call.arguments)
    except pflag.UsageError as error:
        if error.reason:
            text = f"{error.reason}. Usage: dokku {usage.line}"
            raise dokku_call.DokkuError(text, status=error.status) from error
        call.line(f"Usage: dokku {usage.line}")
        return error.status
    verb = call.name.partition(":")[2]
    arguments = types.SimpleNamespace(
        verb=verb,
        config=None,
        overrides={},
        debug=False,
        environ=call.environ,
        root="",
    )
    for name, value in given.items():
        setattr(arguments, name.replace("-", "_"), value)
    module = verbs.load(f"{verbs.__name__}.{verbs.MODULES[verb]}")
    return int(module.perform(arguments, output.Output(line=_print, error=call.warn)))


def _usage(name: str) -> command_usage.Usage:
    line = next(
        line for line in registryd_help.COMMANDS if line.partition(" ")[0] == name
    )
    return command_usage.Usage(line)


def _print(text: str) -> None:
    # Flush each line: a push prints its progress.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
