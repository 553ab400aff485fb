"""`push`: make sure that the registry has an app's deployed release."""

import argparse

from dokku_registryd.commands import follow, scene
from dokku_registryd.commands.output import Output
from dokku_registryd.core import triggers
from dokku_registryd.core.kinds import Kind


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Ask for a push of the deployed release and print what comes of it."""
    scene.enter(arguments, out)
    scene.check_app(arguments, arguments.app)
    trigger = triggers.Trigger(kind=Kind.PUSH, app=arguments.app)
    return follow.leave(arguments, out, trigger)
