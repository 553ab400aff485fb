"""Verbs of the program that Dokku calls too: `registryd:doctor`, `registryd:heal`, ….

A user of Dokku may be allowed these commands only. Settings, such as the place of
credential helpers, and other files are for the operator's shell, so a verb gets what
the help of its command names, and nothing else.
"""

import importlib
import sys
import types

from dokku_registryd import verbs
from dokku_registryd.core.dokku import command_usage, pflag
from dokku_registryd.verbs import output
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import registryd_help


def perform(call: dokku_call.Call) -> int:
    """Do what the program's verb of this name does; its statuses are the same.

    Raises:
        DokkuError: The arguments are wrong.
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
        verb=verb, config=None, overrides={}, debug=False, environ=call.environ
    )
    for name, value in given.items():
        setattr(arguments, name.replace("-", "_"), value)
    module = importlib.import_module(f"{verbs.__name__}.{verbs.MODULES[verb]}")
    return int(module.perform(arguments, output.Output(line=_print, error=call.warn)))


def _usage(name: str) -> command_usage.Usage:
    line = next(
        line for line in registryd_help.COMMANDS if line.partition(" ")[0] == name
    )
    return command_usage.Usage(line)


def _print(text: str) -> None:
    # At once: what a push comes to is told line by line.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
