"""A push under way: what it tells its deploy, and how it hears that nobody waits."""

from dokku_registryd import ports
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import orders, reply_writer

# While an upload moves, its hook waits for at least so long from each word on.
MOVING_SECONDS = 120.0
_WORD_SECONDS = 15.0


class Progress:
    """Takes the lines of one push.

    Args:
        release: What is pushed.
        context: Whose clock it goes by.
        reply: Whom it tells.
    """

    def __init__(
        self, release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
    ) -> None:
        self._release = release
        self._context = context
        self._says = reply
        self._word_due = context.clock.monotonic() + _WORD_SECONDS

    def note(self, text: str) -> None:
        """Pass a line on, and let the hook know that it may go on waiting.

        Raises:
            CancelledError: The deploy was broken off.
        """
        orders.check(self._release, self._context)
        self._says.output(text)
        now = self._context.clock.monotonic()
        if now >= self._word_due and not self._release.is_deploy_continued:
            self._word_due = now + _WORD_SECONDS
            self._says.deadline(MOVING_SECONDS)
