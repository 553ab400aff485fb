"""The reach watch: a thread that asks now and then whether registries answer.

It keeps what it finds in memory: after a restart each registry is asked again. It
delays no release and refuses none: a registry that was silent may answer the next push.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.registry import reach
from dokku_registryd.core.status import unchecked
from dokku_registryd.effects.registry import reach as questions
from dokku_registryd.runtime import turns

TURN_SECONDS: Final = 60.0
"""How often registries that may be due are looked for."""
LIST_SECONDS: Final = 300.0
"""How often the apps are listed, which reads their properties."""


class ReachWatch(turns.TurnThread):
    """Asks registries until it is stopped.

    Args:
        context: Returns the ports in use.
        note: Called with what is known about all registries, after each turn.
        interval_seconds: The setting `registry.reach_check_seconds`; 0 means never.
    """

    def __init__(
        self,
        *,
        context: Callable[[], ports.Context],
        note: Callable[[tuple[reach.Reach, ...]], None],
        interval_seconds: float,
    ) -> None:
        super().__init__("reach-watch")
        self._ports = context
        self._note = note
        self._interval = interval_seconds
        self._known: dict[str, reach.Reach] = {}
        self._listed: set[str] = set()
        self._listed_until = 0.0
        self._unchecked = unchecked.PENDING
        self._untold: set[str] = set()
        """Those whose latest question was broken off by a bug."""

    def reload(self, *, interval_seconds: float) -> None:
        """Use another interval from the next turn on."""
        self._interval = interval_seconds

    @property
    def unchecked(self) -> str:
        """Why registries were not all asked, as `core.status.unchecked` names it."""
        if self.has_died:
            return unchecked.DEAD
        return self._unchecked if self._interval else unchecked.OFF

    def turn(self) -> None:
        """Ask the registries that are due.

        Raises:
            RegistrydError: Ledger or apps cannot be read.
        """
        interval = self._interval
        if not interval:
            self._known = {}
            self._unchecked = unchecked.PENDING
            self._note(())
            return
        context = self._ports()
        wanted = self._wanted(context, interval)
        self._known = {name: one for name, one in self._known.items() if name in wanted}
        for domain in sorted(wanted):
            if self._stopping.is_set():
                return
            at = context.clock.monotonic()
            if reach.is_due(self._known.get(domain), at=at, interval=interval):
                self._untold.discard(domain)
                try:
                    self.ask(partial(self._ask, domain, context), domain=domain)
                except errors.DefectError:  # It says nothing.
                    self._untold.add(domain)
        self._unchecked = self._why_unchecked(wanted)
        self._note(tuple(self._known.values()))

    def _why_unchecked(self, wanted: set[str]) -> str:
        if self._untold & wanted - self._known.keys():
            return unchecked.UNANSWERED
        known = self._known.values()
        is_done = len(known) == len(wanted) and all(one.is_decided for one in known)
        return "" if is_done else unchecked.PENDING

    def _wanted(self, context: ports.Context, interval: float) -> set[str]:
        now = context.clock.monotonic()
        if now >= self._listed_until:
            self._listed = questions.domains(context)
            self._listed_until = now + min(LIST_SECONDS, interval)
        return self._listed

    def _seconds(self) -> float:
        return min(TURN_SECONDS, self._interval or TURN_SECONDS)

    def _postpone(self, error: errors.RegistrydError) -> None:
        structlog.get_logger().debug("registry.unasked", error=str(error))

    def _log_crash(self, error: Exception, asked: dict[str, str]) -> None:
        structlog.get_logger().error(
            "reach.crashed", error=type(error).__name__, exc_info=True, **asked
        )

    def _ask(self, domain: str, context: ports.Context) -> None:
        error = questions.ask(domain, context)
        if error is None:
            return
        before = self._known.get(domain)
        found = self._known[domain] = reach.after(
            before,
            domain=domain,
            error=error,
            at=context.clock.monotonic(),
            now=context.clock.now(),
        )
        was_silent = before is not None and before.is_silent
        if found.is_silent and not was_silent:
            structlog.get_logger().warning(
                "registry.silent", domain=domain, error=error
            )
        elif before is not None and was_silent and not found.is_silent:
            structlog.get_logger().info(
                "registry.answered",
                domain=domain,
                silent_seconds=round(max(0.0, context.clock.now() - before.since), 1),
            )
