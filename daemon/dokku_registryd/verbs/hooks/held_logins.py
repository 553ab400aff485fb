"""`held-logins`: which logins an auth config leaves to helpers, without any secret.

The hook `pre-delete` keeps what this prints until the app is gone. Nothing is printed
for a file that names no helper.
"""

import argparse
import sys

from dokku_registryd import errors
from dokku_registryd.core.auth import config_edits, config_file
from dokku_registryd.verbs.output import Output

_MAX_BYTES = 1 << 20


def perform(arguments: argparse.Namespace, out: Output) -> int:  # noqa: ARG001 - verbs share one signature
    """Read an auth config from stdin and print what is no secret in it.

    Raises:
        RegistrydError: It is no auth config.
    """
    content = sys.stdin.buffer.read(_MAX_BYTES)
    try:
        document = config_edits.without_secrets(config_file.load(content))
    except config_file.MalformedAuthError as error:
        raise errors.RegistrydError(f"cannot read the auth config: {error}") from None
    if document:
        out.line(config_edits.render(document).decode())
    return 0
