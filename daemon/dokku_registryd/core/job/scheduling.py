"""Scheduling: which waiting job may start next.

A job comes before another one if a hook or user waits for it but not for the other;
otherwise the one accepted first comes first. (Background work, for which none waits, is
internal heals, background pushes, checks of releases, which come late, and what is
followed of other hosts, which comes last.) A job may start when it is due, its lanes
are free, and no due job ahead of it waits for one of them. Of the jobs that may start,
the one that has waited longest starts; a retried job counts from the end of its latest
attempt, so it goes behind jobs that have not run yet.

Background work never uses all workers. Nor does one registry, since it may hang: the
jobs of a host get half of the workers, and more only if the host has just served a
request and no job of another host may start. Every operation takes logarithmic time,
since a hundred thousand trigger files may arrive at once. Time is an argument; nothing
blocks.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dokku_registryd.core.job import jobs, shares
from dokku_registryd.core.job.kinds import Kind

_Rank = tuple[int, int]
"""Its precedence, and its position: the smallest comes first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    job: jobs.Job
    order: int
    """Position by acceptance: the order within a lane."""
    turn: int
    """Position by acceptance or by the end of its latest attempt: between apps."""
    due: float

    @property
    def rank(self) -> _Rank:
        return (self.job.precedence, self.order)

    @property
    def call(self) -> _Rank:
        return (self.job.precedence, self.turn)


class Schedule:
    """The waiting and running jobs. Not thread-safe.

    Args:
        most_background: The maximum number of background jobs that run at the same
            time; None for no limit.
        most_of_host: The maximum number of jobs of one registry that run at the same
            time unless it has just served a request; None for no limit.
    """

    def __init__(
        self, most_background: int | None = None, most_of_host: int | None = None
    ) -> None:
        self._most_background = most_background
        self._entries: dict[str, _Entry] = {}
        self._running: list[jobs.Job] = []
        self._busy: set[str] = set()
        self._orders: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._counter = itertools.count()
        self._shares = shares.Shares(most_of_host)
        self._of_app: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._due: set[str] = set()
        # Heaps keep names of removed jobs until they reach the top; see `_head`.
        self._later: list[tuple[float, str]] = []
        self._lines: defaultdict[str, list[tuple[_Rank, str]]] = defaultdict(list)
        self._ready: defaultdict[str, list[tuple[_Rank, str]]] = defaultdict(list)
        """The jobs that may start, by host."""

    def put(self, job: jobs.Job, *, due: float = 0.0) -> None:
        """Add a waiting job; a job that was here before keeps its position.

        Args:
            job: The job; it replaces a waiting one with the same identity.
            due: The earliest time to start; 0 means at once.
        """
        self._withdraw(job.job_id)
        now = next(self._counter)
        order = self._orders.setdefault(job.job_id, now)
        if self._is_running(job.job_id):
            self._turns[job.job_id] = now
        turn = self._turns.setdefault(job.job_id, now)
        self._entries[job.job_id] = _Entry(job, order, turn, due)
        for app in job.trigger.apps or ("",):
            self._of_app[app][job.job_id] = None
        if due:
            heapq.heappush(self._later, (due, job.job_id))
        else:
            self._admit(job.job_id)

    def take(self, now: float) -> jobs.Job | None:
        """Return the job to start, if any, and mark its lanes busy."""
        self._admit_due(now)
        is_full = self._is_background_full()
        first: tuple[bool, _Rank, str] | None = None
        for host in list(self._ready):
            head = self._ready_head(host)
            if head is None or (head[0][0] and is_full):
                continue
            is_beyond = self._shares.is_used_up(host)
            if is_beyond and not self._shares.may_go_beyond(host, now):
                continue
            first = min(first or (is_beyond, *head), (is_beyond, *head))
        if first is None:
            return None
        job = self._entries[first[2]].job
        self._remove(job.job_id)
        self._running.append(job)
        self._shares.begin(job.host)
        self._busy.update(job.lanes)
        return job

    def note_served(self, host: str, now: float) -> None:
        """Record that a registry has just served all requests of a job."""
        self._shares.note_served(host, now)

    def release(self, job: jobs.Job) -> None:
        """Free the lanes of a job whose attempt has ended."""
        self._running.remove(job)
        self._shares.end(job.host)
        self._busy.difference_update(job.lanes)
        self._forget_order(job.job_id)
        self._offer_heads(job)

    def withdraw(self, job_id: str) -> bool:
        """Remove a waiting job; return False if it does not wait."""
        is_waiting = job_id in self._entries
        self._withdraw(job_id)
        self._forget_order(job_id)
        return is_waiting

    def next_due(self) -> float | None:
        """Return when the next job becomes due that is not due now."""
        while self._later:
            due, job_id = self._later[0]
            entry = self._entries.get(job_id)
            if entry is not None and entry.due == due and job_id not in self._due:
                return due
            heapq.heappop(self._later)
        return None

    def expedite(self, app: str, *, kind: Kind | None = None) -> None:
        """Make the waiting jobs of an app due at once.

        Args:
            app: The app.
            kind: Only jobs of this kind; None for all.
        """
        for job_id in list(self._of_app.get(app, ())):
            job = self._entries[job_id].job
            if kind in {None, job.kind}:
                self.put(job)

    def waiting(self) -> list[jobs.Job]:
        """Return the waiting jobs, oldest first."""
        return self._sorted(self._entries)

    def waiting_of(self, app: str) -> list[jobs.Job]:
        """Return the waiting jobs of one app, oldest first."""
        return self._sorted(self._of_app.get(app, ()))

    def waiting_before(self, job: jobs.Job) -> list[jobs.Job]:
        """Return the waiting jobs of a running job's apps that are older than it."""
        order = self._orders.get(job.job_id, next(self._counter))
        of_apps = {
            job_id: None
            for app in job.trigger.apps
            for job_id in self._of_app.get(app, ())
            if self._entries[job_id].order < order
        }
        return self._sorted(of_apps)

    def is_preempted(self, app: str, now: float) -> bool:
        """Return whether a waiting job preempts a heal of an app."""
        return any(job.is_preempting for job in self._due_of(app, now))

    def is_disowned(self, app: str, now: float) -> bool:
        """Return whether a waiting job preempts a push of an app."""
        return any(job.is_disowning for job in self._due_of(app, now))

    def has_urgent(self, now: float) -> bool:
        """Return whether a job could start that goes before checks of releases.

        Idle workers take such a job at once, so they are all busy, or jobs that give
        way use up the share of its registry.
        """
        self._admit_due(now)
        others = (job for job in self._running if not job.rules.is_last)
        most = self._most_background
        is_full = most is not None and sum(job.is_background for job in others) >= most
        return any(
            self._is_urgent(host, now, is_full=is_full) for host in list(self._ready)
        )

    def is_busy(self, now: float) -> bool:
        """Return whether a job uses a registry, or could start before checks."""
        return any(job.rules.is_remote for job in self._running) or self.has_urgent(now)

    def has(self, kind: Kind, app: str, *, image: str = "", tag: str = "") -> bool:
        """Return whether a job of this kind and app is waiting.

        Args:
            kind: The kind.
            app: The app; of hosts that are followed, several may have one.
            image: The image that it is about; empty for a job of any.
            tag: The tag of that.
        """
        waiting = (
            self._entries[job_id].job.trigger for job_id in self._of_app.get(app, ())
        )
        return any(
            one.kind is kind and (not image or (one.image, one.tag) == (image, tag))
            for one in waiting
        )

    def running(self) -> list[jobs.Job]:
        """Return the running jobs."""
        return list(self._running)

    def _is_urgent(self, host: str, now: float, *, is_full: bool) -> bool:
        """Return whether the first job of a host goes before others, and could start.

        Args:
            host: The registry.
            now: Monotonic seconds.
            is_full: Whether no more background work may start.
        """
        head = self._ready_head(host)
        job = self._entries[head[1]].job if head else None
        if job is None or job.rules.is_last:
            return False
        if job.is_background:
            is_alike = any(one.rules.gives_way for one in self._running)
            if is_full or (job.rules.gives_way and is_alike):
                return False
        elif not job.rules.gives_way and self._is_in_way(host):
            return True
        return not self._shares.is_used_up(host) or self._shares.may_go_beyond(
            host, now
        )

    def _is_in_way(self, host: str) -> bool:
        """Return whether a job of a registry runs that gives way."""
        return any(job.host == host and job.rules.gives_way for job in self._running)

    def _due_of(self, app: str, now: float) -> Iterator[jobs.Job]:
        for job_id in self._of_app.get(app, ()):
            entry = self._entries[job_id]
            if not entry.due or entry.due <= now:
                yield entry.job

    def _sorted(self, job_ids: Iterable[str]) -> list[jobs.Job]:
        entries = sorted(
            (self._entries[job_id] for job_id in job_ids), key=lambda entry: entry.order
        )
        return [entry.job for entry in entries]

    def _admit_due(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now:
            self._admit(heapq.heappop(self._later)[1])

    def _admit(self, job_id: str) -> None:
        entry = self._entries[job_id]
        self._due.add(job_id)
        for lane in entry.job.lanes:
            heapq.heappush(self._lines[lane], (entry.rank, job_id))
        self._offer(job_id)

    def _offer(self, job_id: str) -> None:
        if self._may_begin(job_id):
            entry = self._entries[job_id]
            heapq.heappush(self._ready[entry.job.host], (entry.call, job_id))

    def _ready_head(self, host: str) -> tuple[_Rank, str] | None:
        """Return the first job of a host that may start."""
        line = self._ready.get(host)
        while line:
            call, job_id = line[0]
            if self._may_begin(job_id):
                entry = self._entries[job_id]
                if (call, host) == (entry.call, entry.job.host):
                    return line[0]
            heapq.heappop(line)
        self._ready.pop(host, None)
        return None

    def _may_begin(self, job_id: str) -> bool:
        if job_id not in self._due:
            return False
        lanes = self._entries[job_id].job.lanes
        return self._busy.isdisjoint(lanes) and all(
            self._head(lane) == job_id for lane in lanes
        )

    def _head(self, lane: str) -> str | None:
        """Return the first due job of a lane."""
        line = self._lines.get(lane)
        while line:
            rank, job_id = line[0]
            if job_id in self._due:
                entry = self._entries[job_id]
                if rank == entry.rank and lane in entry.job.lanes:
                    return job_id
            heapq.heappop(line)
        self._lines.pop(lane, None)
        return None

    def _is_background_full(self) -> bool:
        if self._most_background is None:
            return False
        running = sum(job.is_background for job in self._running)
        return running >= self._most_background

    def _offer_heads(self, job: jobs.Job) -> None:
        for lane in job.lanes:
            head = self._head(lane)
            if head is not None:
                self._offer(head)

    def _withdraw(self, job_id: str) -> None:
        entry = self._entries.get(job_id)
        if entry is not None:
            self._remove(job_id)
            self._offer_heads(entry.job)

    def _remove(self, job_id: str) -> None:
        entry = self._entries.pop(job_id)
        self._due.discard(job_id)
        for app in entry.job.trigger.apps or ("",):
            self._of_app[app].pop(job_id, None)
            if not self._of_app[app]:
                del self._of_app[app]

    def _forget_order(self, job_id: str) -> None:
        if job_id not in self._entries and not self._is_running(job_id):
            self._orders.pop(job_id, None)
            self._turns.pop(job_id, None)

    def _is_running(self, job_id: str) -> bool:
        return any(job.job_id == job_id for job in self._running)
