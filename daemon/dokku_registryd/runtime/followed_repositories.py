"""The followed repositories, and what this process knows of their records.

Each one is read when its turn comes and the budget of its registry allows it. A
registry that fails is asked again after growing waits, and what was known of it stays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import check_turns, follow_turns, following
from dokku_registryd.core.release.follow_turns import Known, Spent
from dokku_registryd.core.status.follow_state import Read
from dokku_registryd.effects import follow, follow_look
from dokku_registryd.effects.registry import discretion

_REFUSED_SECONDS: Final = 600.0
"""The least time to the next question after a refusal: a login may be locked for it."""
_ASKED_ENOUGH: Final = "its registry was asked enough within this hour"

Ask = Callable[[str, Callable[[], Known]], Known]


@dataclass(slots=True)
class _Entry:
    """One repository."""

    followed_at: float
    """Since when it is followed, in seconds since the epoch."""
    known: Known = field(default_factory=Known)
    looked_at: float = 0.0
    """Seconds since the epoch; 0 for never."""
    tried_at: float = 0.0
    """Monotonic seconds."""
    retry_at: float = 0.0
    """When it may be asked again after a failure, in monotonic seconds."""
    failures: int = 0
    partial_since: float = 0.0
    """Since when some of its records cannot be read; 0 if all can."""
    is_held_back: bool = False
    """Whether the budget of its registry has left no look at it for long."""
    problem: str = ""

    def hold_back(self, now: float) -> None:
        """Note that it is not its turn; what is old may be out of date.

        Args:
            now: Seconds since the epoch.
        """
        if abs(now - self.looked_at) >= follow_turns.FULL_SECONDS:
            self.is_held_back = True
            self.problem = self.problem or _ASKED_ENOUGH


class FollowedRepositories:
    """Reads the records of the followed repositories. For one thread.

    Args:
        ask: Returns what a question about a repository returns, and raises
            `DefectError` for a bug in it.
    """

    def __init__(self, ask: Ask = lambda _name, question: question()) -> None:
        self._ask = ask
        self._entries: dict[str, _Entry] = {}
        self._spent: list[Spent] = []
        self._hosts: dict[str, str] = {}
        """The registries of checked releases, by their jobs."""

    def follow(self, names: tuple[str, ...], now: float) -> None:
        """Begin to follow repositories, and end it for all others.

        Args:
            names: All that are followed.
            now: Seconds since the epoch.
        """
        known = self._entries
        self._entries = {name: known.get(name, _Entry(now)) for name in names}

    def read(self, own_host: str) -> Mapping[str, Read]:
        """Return what is known of each, without a request."""
        return {
            name: Read(
                seen=following.seen_of(
                    entry.known.records, own_host, is_partial=bool(entry.partial_since)
                )
                if entry.looked_at
                else None,
                looked_at=entry.looked_at,
                problem=entry.problem,
                unread_since=(
                    entry.looked_at or entry.followed_at
                    if entry.failures or entry.is_held_back
                    else entry.partial_since
                ),
            )
            for name, entry in self._entries.items()
        }

    def look(self, context: ports.Context, is_over: Callable[[], bool]) -> None:
        """Look at those whose turn it is.

        Args:
            context: The host.
            is_over: Returns whether the service stops.

        Raises:
            RegistrydError: Apps or ledger cannot be read.
        """
        if not self._entries:
            return
        owners = follow.owners(context)
        now = context.clock.now()
        self._spent = [
            one for one in self._spent if now - one.at < check_turns.READS_SECONDS
        ]
        budget = follow_turns.Budget([*self._spent, *self._checked(context)], now)
        silent: set[str] = set()
        turns = sorted(self._entries.items(), key=lambda pair: pair[1].tried_at)
        for name, entry in turns:
            domain = reference.parse(name).domain
            is_waiting = context.clock.monotonic() < entry.retry_at
            if is_over() or is_waiting or domain in silent:
                continue
            is_full = self._kind_of_look(entry, domain, budget, context)
            if is_full is None:
                entry.hold_back(now)
            elif not self._look(
                name,
                owners.get(name, ""),
                context,
                is_full=is_full,
                check=partial(_end_if, is_over),
            ):
                silent.add(domain)

    def _kind_of_look(
        self,
        entry: _Entry,
        domain: str,
        budget: follow_turns.Budget,
        context: ports.Context,
    ) -> bool | None:
        """Return whether to look in full; None if the budget is used up."""
        is_known = entry.known.full_at is not None
        if entry.known.is_full_due(context.clock.monotonic()) and budget.take(
            domain, is_full=True, is_again=is_known
        ):
            return True
        return False if is_known and budget.take(domain, is_full=False) else None

    def _look(
        self,
        name: str,
        owner: str,
        context: ports.Context,
        *,
        is_full: bool,
        check: Callable[[], None],
    ) -> bool:
        """Look at one repository; return False if its registry does not answer."""
        entry = self._entries[name]
        entry.tried_at = context.clock.monotonic()
        discreet = discretion.Discretion()
        spent = [0, 0]

        def spend(requests: int, reads: int) -> None:
            spent[0] += requests
            spent[1] += reads

        try:
            found = self._ask(
                name,
                lambda: follow_look.look(
                    name,
                    owner,
                    entry.known,
                    discreet.over(context),
                    is_full=is_full,
                    check=check,
                    spend=spend,
                ),
            )
        except (
            errors.LedgerError,
            errors.EngineUnavailableError,
            errors.PreemptedError,
        ):
            raise
        except errors.RegistrydError as error:
            _note_failure(name, entry, discreet.error(error), context)
            return not isinstance(error, errors.TransientError)
        finally:
            self._spent.append(
                Spent(
                    host=reference.parse(name).domain,
                    at=context.clock.now(),
                    requests=spent[0],
                    reads=spent[1],
                )
            )
        _note_look(name, entry, found, discreet.text(found.problem), context)
        return True

    def _checked(self, context: ports.Context) -> Iterator[Spent]:
        """Yield what checks of releases have asked."""
        since = context.clock.now() - check_turns.READS_SECONDS
        found = context.ledger.checks_since(since)
        self._hosts = {job: self._hosts[job] for job in found if job in self._hosts}
        for job_id, record in found.items():
            if job_id not in self._hosts:
                release = context.ledger.release_of(job_id)
                if release is None:
                    continue
                self._hosts[job_id] = reference.parse(release.reference).domain
            yield Spent(
                host=self._hosts[job_id],
                at=record.checked_at,
                requests=record.requests,
                reads=record.reads,
            )


def _note_look(
    name: str,
    entry: _Entry,
    found: Known,
    problem: str,
    context: ports.Context,
) -> None:
    """Note what a look has found; what is wrong with one number is told once."""
    now = context.clock.now()
    was_bad = entry.failures or entry.partial_since
    if problem and problem != entry.problem:
        structlog.get_logger().warning("follow.interrupted", target=name, error=problem)
    elif was_bad and not problem:
        structlog.get_logger().info("follow.resumed", target=name)
    entry.known, entry.looked_at = found, now
    entry.failures, entry.retry_at, entry.problem = 0, 0.0, problem
    entry.partial_since = (entry.partial_since or now) if problem else 0.0
    entry.is_held_back = False


def _end_if(is_over: Callable[[], bool]) -> None:
    if is_over():
        raise errors.PreemptedError("the service stops")


def _note_failure(
    name: str, entry: _Entry, error: errors.RegistrydError, context: ports.Context
) -> None:
    entry.failures += 1
    entry.problem = str(error)
    delay = context.delay(entry.failures, error)
    if isinstance(error, errors.PermanentError):
        delay = max(delay, _REFUSED_SECONDS)
    entry.retry_at = context.clock.monotonic() + delay
    if entry.failures == 1:
        structlog.get_logger().warning(
            "follow.interrupted", target=name, error=entry.problem
        )
