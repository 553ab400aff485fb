"""`notify`: sends a test message by each way that the settings name."""

import argparse
import os
import time

from dokku_registryd import errors
from dokku_registryd.core.notify import episodes, messages
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding, Level
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import check
from dokku_registryd.wiring import notifications


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print a finding for each way; return 1 if a message was not delivered.

    Raises:
        ConfigurationError: The settings are invalid.
        RegistrydError: They name no way.
    """
    settings = preparation.enter(arguments, out)
    # It runs as the service does, so that what arrives now will arrive then.
    environ = check.service_environ(arguments.environ)
    channels = notifications.build_channels(settings, environ)
    if not channels:
        raise errors.RegistrydError(
            "no channel is set: add notify.urls or notify.command to the settings, see"
            " docs/notifications.md"
        )
    message = messages.Message(
        host=os.uname().nodename, at=time.time(), due=episodes.Due(), open=0
    )
    found = [_finding(each.name, each.send(message)) for each in channels]
    if arguments.format == "json":
        out.json([finding.as_document() for finding in found])
    else:
        for finding in found:
            out.line(f"{finding.level:<4}  {finding.check}: {finding.text}")
    return int(any(finding.level is Level.FAIL for finding in found))


def _finding(name: str, error: str) -> Finding:
    return findings.fail(name, error) if error else findings.ok(name, "delivered")
