"""How long a hook waits, and what it says meanwhile of whom it waits for.

The daemon ends a release at its deadline. A hook cannot rely on that: a daemon may be
frozen, or its disk may be full. So it has a clock of its own, which leaves the daemon
the time to speak first, and it does not wait in silence.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.hook import replies

# What the daemon may take to end a release whose deadline is over; as in follow-reply.
MARGIN_SECONDS = 60.0
FIRST_WORD_SECONDS = 20.0
_SHOWN_SECONDS = 10.0  # a hook that is answered at once need not load the settings
_GAP_SECONDS = 10.0


class Patience:
    """One wait.

    Args:
        arguments: The hook's arguments; `waited` are the seconds so far, `left` those
            until its end, if the daemon has said when that is.
        now: Seconds that never run backwards.
        describe: Names whom it waits for, as the beginning of a sentence.
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
        """Take a line of the reply in."""
        if kind is not replies.Line.DEADLINE:
            self._latest, self._spoken_at = text, now
            self._word_at = now + FIRST_WORD_SECONDS
        elif text.isascii() and text.isdigit():
            ends = now + float(text) + MARGIN_SECONDS
            is_later = self._ends is None or ends > self._ends
            if is_later or not self._is_told:
                self._ends, self._is_told = ends, True

    def check(self, now: float, *, say: Callable[[replies.Printed], None]) -> None:
        """Speak when there was silence for long.

        Raises:
            TransientError: The wait is over.
        """
        passed, self._checked_at = now - self._checked_at, now
        if now - self._spoken_at < _SHOWN_SECONDS and not self._is_told:
            return
        if self._ends is None:
            self._ends = self._began + _deadline(self._arguments) + MARGIN_SECONDS
        if passed > _GAP_SECONDS:
            # Who did not run for a while knows nothing of others.
            self._ends = max(self._ends, now + MARGIN_SECONDS)
        if now >= self._ends:
            raise errors.TransientError(
                f"no end of the release within its push-deadline and"
                f" {MARGIN_SECONDS:.0f} s more: {self._describe()} does not get on."
                " The deploy fails, and the release is taken back"
            )
        if now >= self._word_at:
            self._speak(now, say)

    def options(self, now: float) -> list[str]:
        """Return the options with which another process goes on with this wait."""
        found = [f"--waited={now - self._began:.3f}"]
        if self._is_told and self._ends is not None:
            found.append(f"--left={max(0.0, self._ends - now):.3f}")
        return found

    def _speak(self, now: float, say: Callable[[replies.Printed], None]) -> None:
        silent = now - self._spoken_at
        self._word_at = now + silent
        text = f"Waiting: {self._describe()} has said nothing for {silent:.0f} s"
        if self._latest:
            text = f"{text}. The last word was: {self._latest}"
        quiet = bool(self._arguments.environ.get("DOKKU_QUIET_OUTPUT"))
        shown = replies.show(replies.Line.DETAIL, text, quiet=quiet)
        if shown is not None:
            say(shown)


def _deadline(arguments: argparse.Namespace) -> float:
    """Return an app's push-deadline, as far as settings and properties can be read."""
    from dokku_registryd import config  # noqa: PLC0415 - takes long, for few hooks

    try:
        settings = config.load(
            file=arguments.config,
            overrides={**arguments.overrides, "paths.data_dir": arguments.data_dir},
            environ=arguments.environ,
        )
        files = property_files.PropertyFiles(
            config_root=settings.config_root,
            dokku_root=Path(settings.paths.dokku_root),
            deployed_root=settings.deployed_dir,
        )
        policy = dokku_policy.resolve(arguments.app, files.get, settings.defaults)
    except (errors.RegistrydError, OSError):
        # A daemon may go by settings that were right when it began.
        return dokku_policy.Defaults().push_deadline_seconds
    return policy.push_deadline_seconds
