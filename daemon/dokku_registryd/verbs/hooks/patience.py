"""The timeout of a waiting hook, and its messages about the process it waits for.

The daemon ends a release at its deadline. A hook cannot rely on that: the daemon may
hang, or its disk may be full. So the hook has its own timeout, which is longer than the
daemon's, and reports a long silence.
"""

import argparse
from collections.abc import Callable

from dokku_registryd import errors
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.hook import replies

# How long the daemon may take to end an overdue release; as in follow-reply.
MARGIN_SECONDS = 60.0
FIRST_WORD_SECONDS = 20.0
_SHOWN_SECONDS = 10.0  # a hook that is answered at once does not load the settings
_GAP_SECONDS = 10.0


class Patience:
    """The timeout of one wait.

    Args:
        arguments: The hook's arguments; `waited` are the elapsed seconds, `left` the
            remaining seconds if the daemon has announced the deadline, else None.
        now: Monotonic time in seconds.
        describe: Returns the subject of a message: the process that it waits for.
    """

    def __init__(
        self, arguments: argparse.Namespace, *, now: float, describe: Callable[[], str]
    ) -> None:
        self._arguments = arguments
        self._describe = describe
        self._began = now - arguments.waited
        self._ends = None if arguments.left is None else now + arguments.left
        self._is_told = arguments.left is not None
        self._checked_at = now
        self._spoken_at = now
        self._word_at = now + FIRST_WORD_SECONDS
        self._latest = ""

    def heard(self, kind: replies.Line, text: str, *, now: float) -> None:
        """Process a line of the reply."""
        if kind is not replies.Line.DEADLINE:
            self._latest, self._spoken_at = text, now
            self._word_at = now + FIRST_WORD_SECONDS
        elif text.isascii() and text.isdigit():
            ends = now + float(text) + MARGIN_SECONDS
            is_later = self._ends is None or ends > self._ends
            if is_later or not self._is_told:
                self._ends, self._is_told = ends, True

    def check(self, now: float, *, say: Callable[[replies.Printed], None]) -> None:
        """Print a message after a long silence.

        Raises:
            TransientError: The timeout is over.
        """
        passed, self._checked_at = now - self._checked_at, now
        if now - self._spoken_at < _SHOWN_SECONDS and not self._is_told:
            return
        if self._ends is None:
            self._ends = self._began + _deadline(self._arguments) + MARGIN_SECONDS
        if passed > _GAP_SECONDS:
            # This process was suspended, and perhaps the daemon too.
            self._ends = max(self._ends, now + MARGIN_SECONDS)
        if now >= self._ends:
            raise errors.TransientError(
                f"the release did not finish within its push-deadline and another"
                f" {MARGIN_SECONDS:.0f} s: {self._describe()} makes no progress."
                " The deploy fails, and the release is cancelled. See: dokku"
                " registryd:status"
            )
        if now >= self._word_at:
            self._speak(now, say)

    def options(self, now: float) -> list[str]:
        """Return the options for another process to continue this wait."""
        found = [f"--waited={now - self._began:.3f}"]
        if self._is_told and self._ends is not None:
            found.append(f"--left={max(0.0, self._ends - now):.3f}")
        return found

    def _speak(self, now: float, say: Callable[[replies.Printed], None]) -> None:
        silent = now - self._spoken_at
        self._word_at = now + silent
        text = f"Waiting: no message from {self._describe()} for {silent:.0f} s"
        if self._latest:
            text = f"{text}. Last message: {self._latest}"
        quiet = bool(self._arguments.environ.get("DOKKU_QUIET_OUTPUT"))
        shown = replies.show(replies.Line.DETAIL, text, quiet=quiet)
        if shown is not None:
            say(shown)


def _deadline(arguments: argparse.Namespace) -> float:
    """Return an app's push-deadline, or the default if settings are unreadable."""
    # They take long to load, for few hooks.
    from dokku_registryd import config  # noqa: PLC0415
    from dokku_registryd.wiring import properties  # noqa: PLC0415

    try:
        settings = config.load(
            file=arguments.config,
            overrides={**arguments.overrides, "paths.data_dir": arguments.data_dir},
            environ=arguments.environ,
        )
        files = properties.build_properties(settings)
        policy = dokku_policy.resolve(arguments.app, files.get, settings.defaults)
    except (errors.RegistrydError, OSError):
        # The daemon may still use settings that were valid when it started.
        return dokku_policy.Defaults().push_deadline_seconds
    return policy.push_deadline_seconds
