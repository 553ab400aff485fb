"""`health`: whether the service is ready, for an operator, a script or a monitor."""

import argparse

from dokku_registryd import errors
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import asking

_READY = 200


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print `ready` and return 0, or print the reasons and return 1."""
    reasons = _reasons(arguments)
    if arguments.format == "json":
        out.json({"ready": not reasons, "reasons": reasons})
    else:
        for line in reasons or ["ready"]:
            out.line(line)
    return 1 if reasons else 0


def _reasons(arguments: argparse.Namespace) -> list[str]:
    try:
        status, text = asking.ask(arguments, "/readyz")
    except errors.TransientError as error:
        return [str(error)]
    return [] if status == _READY else text.splitlines() or [f"status {status}"]
