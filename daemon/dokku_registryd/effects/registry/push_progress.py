"""A push under way: what it tells its deploy, and how it hears that nobody waits."""

from dokku_registryd import ports
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import orders, reply

# While an upload moves, its hook waits for at least so long from each word on.
MOVING_SECONDS = 120.0
_WORD_SECONDS = 15.0


class Progress:
    """Takes the lines of one push.

    Args:
        release: What is pushed.
        world: Whose clock it goes by.
        says: Whom it tells.
    """

    def __init__(self, release: Release, world: ports.World, says: reply.Voice) -> None:
        self._release = release
        self._world = world
        self._says = says
        self._word_due = world.clock.monotonic() + _WORD_SECONDS

    def note(self, text: str) -> None:
        """Pass a line on, and let the hook know that it may go on waiting.

        Raises:
            CancelledError: The deploy was broken off.
        """
        orders.check(self._release, self._world)
        self._says.output(text)
        now = self._world.clock.monotonic()
        if now >= self._word_due and not self._release.is_accepted:
            self._word_due = now + _WORD_SECONDS
            self._says.deadline(MOVING_SECONDS)
