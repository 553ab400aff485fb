"""`push`: ensure that the registry has an app's deployed release."""

import argparse

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.hooks import follow
from dokku_registryd.verbs.output import Output


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Request a push of the deployed release and print its progress."""
    preparation.enter(arguments, out)
    preparation.check_app(arguments, arguments.app)
    trigger = triggers.Trigger(kind=Kind.PUSH, app=arguments.app)
    return follow.leave(arguments, out, trigger)
