"""`metrics`: what the service counts, in Prometheus' text format.

It is meant for a file that node_exporter's textfile collector reads. That program has
`process_*` metrics of its own and refuses those of others, so they are left out.
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
