"""The follower: a thread that looks which releases other hosts run.

In each turn it reads the records of the followed repositories, compares them with the
names on this host, requests a job for each image that lacks, and removes superseded
names. What it knows is lost with the process, and found again by its first turn: names
on the Engine and records in registries are the truth.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import followed_names, following
from dokku_registryd.core.status import follow_state
from dokku_registryd.core.status.follow_state import FollowState
from dokku_registryd.effects import follow
from dokku_registryd.runtime import followed_repositories, turns

_SPREAD_PERCENT: Final = 20
"""By how much a turn may come sooner or later, so that hosts do not ask together."""
_DEAD: Final = (
    "nothing is followed any more, since a bug ended the thread (see the log, restart)"
)


class Follower(turns.TurnThread):
    """Looks for releases of other hosts until it is stopped.

    Args:
        context: Returns the ports in use.
        interval_seconds: The setting `follow.interval_seconds`.
    """

    def __init__(
        self, *, context: Callable[[], ports.Context], interval_seconds: float
    ) -> None:
        super().__init__("follower")
        self._ports = context
        self._interval = interval_seconds
        self._repositories = followed_repositories.FollowedRepositories(
            lambda name, question: self.ask(question, target=name)
        )
        self._since: dict[str, float] = {}
        self._state = FollowState()

    @property
    def state(self) -> FollowState:
        """What is followed, as of the last turn."""
        return replace(self._state, problem=_DEAD) if self.has_died else self._state

    def reload(self, *, interval_seconds: float) -> None:
        """Use another interval at once: the one before may be a day."""
        is_other, self._interval = self._interval != interval_seconds, interval_seconds
        if is_other:
            self.wake()

    def turn(self) -> None:
        """Look at what is due, request what lacks, and remove what is superseded.

        Raises:
            RegistrydError: Property, apps, ledger or Engine cannot be read.
        """
        context = self._ports()
        said = follow.followed(context)
        names = said.repositories
        self._repositories.follow(names, context.clock.now())
        if not names and not context.following.may_have_names:
            self._state = FollowState()
            return
        self._repositories.look(context, self._stopping.is_set)
        self._compare(said.doubt, context)

    def _seconds(self) -> float:
        return self._interval * _spread()

    def _postpone(self, error: errors.RegistrydError) -> None:
        self._state = replace(self._state, problem=str(error))
        structlog.get_logger().debug("follow.postponed", error=str(error))

    def _log_crash(self, error: Exception, asked: dict[str, str]) -> None:
        structlog.get_logger().error(
            "follow.crashed", error=type(error).__name__, exc_info=True, **asked
        )

    def _compare(self, doubt: str, context: ports.Context) -> None:
        """Compare records and names, and see to the difference."""
        read = self._repositories.read(context.host)
        context.following.may_have_names = False  # unless a job gives one meanwhile
        kept = list(followed_names.kept_of(context.engine.images()))
        if kept:
            context.following.may_have_names = True
        seen = {name: one.seen for name, one in read.items()}
        plan = following.plan(seen, kept, keep=context.most_followed, is_all=not doubt)
        following.remember(context.following, plan, seen)
        self._request(plan, context)
        follow.remove(plan.removable, context)
        self._show(plan, read, context)
        if read or kept:
            self._state = replace(self._state, problem=doubt)

    def _request(self, plan: following.Plan, context: ports.Context) -> None:
        now = context.clock.monotonic()
        for item in plan.items:
            attempt = context.following.attempts.get(item.name)
            if item.is_here or not following.is_due(attempt, now):
                continue
            context.submit(
                triggers.Trigger(
                    kind=Kind.FOLLOW,
                    app=item.record.app,
                    image=item.target,
                    tag=item.name,
                )
            )

    def _show(
        self,
        plan: following.Plan,
        read: follow_state.AllRead,
        context: ports.Context,
    ) -> None:
        now, monotonic = context.clock.now(), context.clock.monotonic()
        lacking = [item.name for item in plan.items if not item.is_here]
        self._since = {name: self._since.get(name, now) for name in lacking}
        attempts = context.following.attempts
        self._state = follow_state.of(
            plan,
            read,
            since=self._since,
            reasons={
                name: following.why_not(attempts.get(name), monotonic)
                for name in lacking
            },
            own_host=context.host,
        )


def _spread() -> float:
    """Return a factor around 1."""
    share = secrets.randbelow(2 * _SPREAD_PERCENT + 1) - _SPREAD_PERCENT
    return 1 + share / 100
