"""The threads that no job waits for: they follow other hosts, ask ahead, and tell.

They begin after the service is ready, and end before its jobs are drained.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from dokku_registryd import config, errors
from dokku_registryd.adapters.host import clocks
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.notify import troubles
from dokku_registryd.core.release import completeness
from dokku_registryd.core.status import follow_state, health, unchecked
from dokku_registryd.runtime import (
    announcer,
    execution,
    follower,
    heartbeat,
    login_watch,
    notifier,
    reach_watch,
    trouble_facts,
)
from dokku_registryd.wiring import credentials, notifications


class Watchers:
    """All of them, for one service.

    Args:
        settings: The settings in effect.
        book: The ledger.
        clock: The host's.
        executor: Has the context of each attempt, and the counters.
    """

    def __init__(
        self,
        settings: config.Settings,
        *,
        book: ledger.SqliteLedger,
        clock: clocks.SystemClock,
        executor: execution.Executor,
    ) -> None:
        self._settings = settings
        self._book = book
        self._clock = clock
        self._executor = executor
        self._notifier: notifier.Notifier | None = None
        self._announcer: announcer.Announcer | None = None
        self._follower = follower.Follower(
            context=lambda: executor.context,
            interval_seconds=settings.follow.interval_seconds,
        )
        self._login_watch = login_watch.LoginWatch(
            store=book,
            context=lambda: executor.context,
            locate=credentials.build_locator(settings),
            interval_seconds=settings.registry.login_check_seconds,
        )
        self._reach_watch = reach_watch.ReachWatch(
            context=lambda: executor.context,
            note=executor.counters.asked,
            interval_seconds=settings.registry.reach_check_seconds,
        )
        self._heartbeat = heartbeat.Heartbeat(
            sweeps=lambda: executor.counters.counts().sweeps_done,
            monotonic=clock.monotonic,
        )

    def start(
        self,
        environ: Mapping[str, str],
        *,
        why_unready: Callable[[], Sequence[health.Reason]],
    ) -> None:
        """Start all threads.

        Args:
            environ: The service's variables.
            why_unready: Returns why the service is not ready; serves one thread.
        """
        self._follower.start()
        self._login_watch.start()
        self._reach_watch.start()
        settings = self._settings
        facts = trouble_facts.TroubleFacts(
            read_book=self._read_troubles,
            counted=self._executor.counters,
            why_unready=why_unready,
            logins=lambda: self._login_watch.troubles,
        )
        self._heartbeat.ask = notifications.build_heartbeat(settings, environ)
        self._notifier = notifier.Notifier(
            store=self._book,
            look=facts.look,
            channels=notifications.build_channels(settings, environ),
            clock=self._clock,
            delay=self._notice_delay,
            host=settings.daemon.host_name or os.uname().nodename,
            grace_seconds=settings.notify.grace_seconds,
            lag_seconds=settings.notify.lag_seconds,
            heartbeat=self._heartbeat.turn,
        )
        self._notifier.start()
        self._announcer = announcer.Announcer(
            store=self._book,
            plugins=notifications.build_plugins(settings, environ),
            clock=self._clock,
            delay=self._notice_delay,
        )
        self._executor.finishing.subscribe(self._announcer.hint)
        self._announcer.start()

    def stop(self) -> None:
        """Stop all threads: what comes now is the end of the service."""
        self._follower.stop()
        self._login_watch.stop()
        self._reach_watch.stop()
        if self._announcer is not None:
            self._announcer.stop()
        if self._notifier is not None:
            self._notifier.stop()

    def reload(self, settings: config.Settings) -> None:
        """Take over other settings from the next turns on."""
        self._settings = settings
        self._follower.reload(interval_seconds=settings.follow.interval_seconds)
        self._login_watch.reload(
            locate=credentials.build_locator(settings),
            interval_seconds=settings.registry.login_check_seconds,
        )
        self._reach_watch.reload(interval_seconds=settings.registry.reach_check_seconds)
        if self._notifier is not None:
            self._heartbeat.ask = notifications.build_heartbeat(settings, os.environ)
            self._notifier.reload(
                channels=notifications.build_channels(settings, os.environ),
                grace_seconds=settings.notify.grace_seconds,
                lag_seconds=settings.notify.lag_seconds,
            )

    @property
    def follow_state(self) -> follow_state.FollowState:
        """What is followed, without a lock."""
        return self._follower.state

    def read_unchecked(self) -> Iterator[tuple[str, str]]:
        """Return what was not checked and why, as `core.status.unchecked` names it."""
        for what, why in (
            (unchecked.LOGINS, self._login_watch.unchecked),
            (unchecked.REGISTRIES, self._reach_watch.unchecked),
        ):
            if why:
                yield what, why

    def _read_troubles(self) -> troubles.Book:
        # Our own connection and its lock may be blocked by a hung disk.
        book = ledger.SqliteLedger(self._settings.ledger_file, read_only=True)
        try:
            amiss = book.amiss()
            return troubles.Book(
                failed=book.failed_jobs(),
                retried=book.retried_jobs(),
                unpushed=book.unpushed(),
                incomplete={
                    app: completeness.describe(known.missing, known.lacking)
                    for app, known in amiss
                    if known.lacking
                },
                lost_numbers={
                    app: f"it {completeness.tell(known.standing, (), 0)}"
                    for app, known in amiss
                    if not known.lacking
                },
            )
        finally:
            book.close()

    def _notice_delay(self, failures: int) -> float:
        return self._executor.backoff.after(failures, errors.TransientError(""))
