"""A running push: reports progress to its deploy, and detects its cancellation."""

from dokku_registryd import ports
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import orders, reply_writer

# While an upload makes progress, its hook waits at least this long after each line.
MOVING_SECONDS = 120.0
_WORD_SECONDS = 15.0


class Progress:
    """Handles the progress lines of one push.

    Args:
        release: The pushed release.
        context: The host, for its clock.
        reply: The reply.
    """

    def __init__(
        self, release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
    ) -> None:
        self._release = release
        self._context = context
        self._says = reply
        self._word_due = context.clock.monotonic() + _WORD_SECONDS

    def note(self, text: str) -> None:
        """Write a line to the reply, and extend the hook's deadline.

        Raises:
            CancelledError: The deploy was interrupted.
        """
        orders.check(self._release, self._context)
        self._says.output(text)
        now = self._context.clock.monotonic()
        if now >= self._word_due and not self._release.is_deploy_continued:
            self._word_due = now + _WORD_SECONDS
            self._says.deadline(MOVING_SECONDS)
