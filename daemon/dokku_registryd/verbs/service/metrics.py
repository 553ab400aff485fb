"""`metrics`: the metrics of the service, in Prometheus text format.

The output is meant for node_exporter's textfile collector. That program exports its own
`process_*` metrics and rejects duplicates, so they are omitted.
"""

import argparse
import re

from dokku_registryd import errors
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import asking

_DONE = 200


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the metrics, or nothing at all.

    Raises:
        TransientError: The service does not answer.
    """
    status, text = asking.ask(arguments, "/metrics")
    if status != _DONE:
        raise errors.TransientError(f"the service answers with status {status}")
    if not arguments.all:
        text = _without_process(text)
    out.line(text.removesuffix("\n"))
    return 0


def _without_process(text: str) -> str:
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not re.match(r"(# (HELP|TYPE) )?process_", line)
    )
