"""Precedence: what takes an app away, or its name, goes before a push of that app.

A push may take an hour, or stand still, and what is behind it in its lanes would wait
for it: the first deploy of a new app of the same name too.
"""

from dokku_registryd import errors, ports


def give_way(app: str, what: str, context: ports.Context) -> None:
    """Return if a push of an app may go on.

    Args:
        app: The app.
        what: What is pushed, for the message.
        context: The host.

    Raises:
        PreemptedError: The app is being destroyed, or gets another name.
    """
    if context.is_disowned(app):
        raise errors.PreemptedError(
            f"the push of {what} gave way: {app} is being destroyed or renamed"
        )
