"""Requests of verbs to the running service, and the error if it does not answer."""

import argparse

from dokku_registryd import errors
from dokku_registryd.core.status import service_states
from dokku_registryd.verbs import data_folder, identity
from dokku_registryd.verbs.service import service_view


def ask(arguments: argparse.Namespace, target: str) -> tuple[int, str]:
    """Return the service's HTTP status and text for a target such as `/readyz`.

    Raises:
        ConfigurationError: The settings are invalid.
        TransientError: The service does not answer; the text says what to do.
    """
    data_dir = data_folder.locate(arguments)
    identity.become_owner(data_dir, arguments.environ)
    view = service_view.look(data_dir, arguments.environ, target, root=arguments.root)
    if view.answer is None:
        raise errors.TransientError(_why_silent(view))
    return view.answer


def _why_silent(view: service_view.View) -> str:
    if view.refusal:
        return view.refusal
    if view.is_closed and view.state.name in {
        service_states.RUNNING,
        service_states.UNKNOWN,
    }:
        return service_view.NO_ACCESS
    if view.state.is_running:
        return (
            f"the service (pid {view.state.pid}) has no status socket: status.socket is"
            " empty, or the service is still starting, or its log has a line"
            " status.failed with the reason"
        )
    return view.state.reason()
