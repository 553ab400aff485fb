"""Sends one message to one Apprise URL. The service starts it as a process of its own.

Apprise (https://github.com/caronc/apprise) knows mail, webhooks and the usual chats. It
is an optional part of an installation, and takes more memory than all of the service.

The input is one JSON object: `url`, `title`, `body` and `type` (`failure` or
`success`); without `body` the URL is only checked. Nothing that Apprise prints or logs
is used, except the number of an HTTP status: its texts may contain the URL.
"""

import logging
import re
import sys
from enum import IntEnum
from typing import Final

from dokku_registryd.core.text import json_documents

_STATUS: Final = re.compile(r"\berror=([1-5][0-9]{2})\b")


class Exit(IntEnum):
    """The exit status."""

    SENT = 0
    NOT_SENT = 3
    NOT_UNDERSTOOD = 4
    NOT_INSTALLED = 5


class _Statuses(logging.Handler):
    """Keeps the HTTP statuses that Apprise logs, and no text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += _STATUS.findall(record.getMessage())


def main() -> Exit:
    """Read the input, and send."""
    given = json_documents.load(sys.stdin.buffer.read())
    try:
        import apprise  # noqa: PLC0415 - optional, and large
    except ImportError:
        return Exit.NOT_INSTALLED
    statuses = _Statuses()
    for name in ("apprise", ""):
        logger = logging.getLogger(name)
        logger.handlers = [statuses]
    asset = apprise.AppriseAsset(
        app_id="dokku-registryd",
        app_desc="Registry pushes and image healing for Dokku",
        async_mode=False,
        secure_logging=True,
    )
    target = apprise.Apprise(asset=asset)
    if not target.add(given["url"]):
        return Exit.NOT_UNDERSTOOD
    if "body" not in given:
        return Exit.SENT
    is_sent = target.notify(
        title=given["title"],
        body=given["body"],
        notify_type=given["type"],
        body_format="text",
    )
    if is_sent:
        return Exit.SENT
    sys.stdout.write(" ".join(statuses.seen[-1:]))
    return Exit.NOT_SENT


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # noqa: BLE001 - its traceback might contain the URL
        sys.exit(Exit.NOT_SENT)
