"""`held-logins`: the logins of an auth config that helpers store, without secrets.

The hook `pre-delete` keeps this output until the app is destroyed. The output is empty
for a file without helpers.
"""

import argparse
import sys

from dokku_registryd import errors
from dokku_registryd.core.auth import config_edits, config_file
from dokku_registryd.verbs.output import Output

_MAX_BYTES = 1 << 20


def perform(arguments: argparse.Namespace, out: Output) -> int:  # noqa: ARG001 - verbs share one signature
    """Read an auth config from stdin and print it without its secrets.

    Raises:
        RegistrydError: It is not an auth config.
    """
    content = sys.stdin.buffer.read(_MAX_BYTES)
    try:
        document = config_edits.without_secrets(config_file.load(content))
    except config_file.MalformedAuthError as error:
        raise errors.RegistrydError(f"cannot read the auth config: {error}") from None
    if document:
        out.line(config_edits.render(document).decode())
    return 0
