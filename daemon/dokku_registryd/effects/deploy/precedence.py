"""Precedence: the destruction or rename of an app preempts a push of that app.

A push may take an hour, or hang, and jobs behind it in its lanes would wait for it,
such as the first deploy of a new app of the same name.
"""

from dokku_registryd import errors, ports


def give_way(app: str, what: str, context: ports.Context) -> None:
    """Raise unless a push of an app may continue.

    Args:
        app: The app.
        what: The pushed reference, for the message.
        context: The host.

    Raises:
        PreemptedError: The app is being destroyed or renamed.
    """
    if context.is_disowned(app):
        raise errors.PreemptedError(
            f"the push of {what} was preempted: {app} is being destroyed or renamed"
        )
