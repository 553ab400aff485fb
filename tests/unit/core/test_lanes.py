"""Which waiting job may begin, against a model that looks at all of them each time."""

from dataclasses import dataclass, replace

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, scheduling, shares
from dokku_registryd.core.job.kinds import Kind
from support import examples

APPS = ["web", "api", "db"]
HOSTS = ["", "r.example", "s.example"]
MOST_BACKGROUND = 1
MOST_OF_HOST = 1
KINDS = [
    Kind.RELEASE,
    Kind.HEAL,
    Kind.DESTROYED,
    Kind.RENAMED,
    Kind.PUSH,
    Kind.VERIFY,
    Kind.MIRROR,
    Kind.PUBLISH,
    Kind.FOLLOW,
]


@dataclass
class Waiting:
    """What the model knows of a waiting job."""

    job: jobs.Job
    order: int
    turn: int
    due: float

    @property
    def call(self) -> tuple[int, int]:
        """What decides between two that may begin."""
        return (self.precedence, self.turn)

    @property
    def precedence(self) -> int:
        """Who goes first: what is awaited, background work, checks, other hosts."""
        if not is_background(self.job):
            return 0
        return 1 + self.job.rules.is_last + (self.job.kind is Kind.FOLLOW)


class LanesMachine(RuleBasedStateMachine):
    """Lanes and model get the same calls and must choose the same jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = scheduling.Schedule(MOST_BACKGROUND, MOST_OF_HOST)
        self.waiting: dict[str, Waiting] = {}
        self.running: list[jobs.Job] = []
        self.orders: dict[str, int] = {}
        self.turns: dict[str, int] = {}
        self.served: dict[str, float] = {}
        self.now = 0.0
        self.count = 0

    @rule(
        kind=strategies.sampled_from(KINDS),
        app=strategies.sampled_from(APPS),
        other=strategies.sampled_from(APPS),
        wait=strategies.sampled_from([0.0, 0.0, 1.0, 3.0]),
        is_internal=strategies.booleans(),
        host=strategies.sampled_from(HOSTS),
    )
    def accept(
        self,
        kind: Kind,
        app: str,
        other: str,
        wait: float,
        host: str,
        *,
        is_internal: bool,
    ) -> None:
        """Let a new job wait, perhaps for a time to come."""
        self.count += 1
        job_id = f"{kind.value}-{self.count}" if is_internal else str(self.count)
        trigger = triggers.Trigger(
            kind=kind, app=app, other=other if kind is Kind.RENAMED else ""
        )
        self.put(jobs.Job(job_id=job_id, trigger=trigger, host=host), wait)

    @rule()
    def take(self) -> None:
        """Take the next job from both."""
        expected = self.next_of_model()

        assert self.lanes.take(self.now) == expected

        if expected is not None:
            del self.waiting[expected.job_id]
            self.running.append(expected)

    @precondition(lambda self: self.running)
    @rule(data=strategies.data())
    def finish(self, data: strategies.DataObject) -> None:
        """End the attempt of a running job for good."""
        job = data.draw(strategies.sampled_from(self.running))
        self.running.remove(job)
        self.lanes.release(job)
        if job.job_id not in self.waiting:
            self.forget(job.job_id)

    @precondition(lambda self: self.running)
    @rule(data=strategies.data(), wait=strategies.sampled_from([0.0, 2.0]))
    def retry(self, data: strategies.DataObject, wait: float) -> None:
        """End an attempt with another one to follow, perhaps in the other lane."""
        job = data.draw(strategies.sampled_from(self.running))
        is_background_push = job.kind is Kind.RELEASE and data.draw(
            strategies.booleans()
        )
        self.put(
            replace(
                job, is_background_push=is_background_push or job.is_background_push
            ),
            wait,
        )
        self.running.remove(job)
        self.lanes.release(job)

    @precondition(lambda self: self.waiting)
    @rule(data=strategies.data())
    def withdraw(self, data: strategies.DataObject) -> None:
        """Take a waiting job out."""
        job_id = data.draw(strategies.sampled_from(sorted(self.waiting)))
        del self.waiting[job_id]
        self.forget(job_id)
        assert self.lanes.withdraw(job_id)
        assert not self.lanes.withdraw(job_id)

    @rule(app=strategies.sampled_from(APPS))
    def expedite(self, app: str) -> None:
        """Make an app's jobs due."""
        self.lanes.expedite(app)
        for entry in self.waiting.values():
            if app in entry.job.trigger.apps:
                entry.due = 0.0

    @rule(host=strategies.sampled_from(HOSTS[1:]))
    def serve(self, host: str) -> None:
        """Let a registry have done what a job asked of it."""
        self.served[host] = self.now
        self.lanes.note_served(host, self.now)

    @rule(seconds=strategies.sampled_from([0.5, 1.0, 2.0, shares.SERVING_SECONDS]))
    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    @rule(kind=strategies.sampled_from(KINDS), app=strategies.sampled_from(APPS))
    def compare(self, kind: Kind, app: str) -> None:
        """Both tell the same of what waits and runs."""
        entries = sorted(self.waiting.values(), key=lambda entry: entry.order)
        of_app = [entry.job for entry in entries if app in entry.job.trigger.apps]

        assert self.lanes.waiting() == [entry.job for entry in entries]
        assert self.lanes.waiting_of(app) == of_app
        assert self.lanes.running() == self.running
        assert self.lanes.has(kind, app) == any(job.kind is kind for job in of_app)
        assert self.lanes.is_preempted(app, self.now) == any(
            entry.job.kind in {Kind.RELEASE, Kind.DESTROYED, Kind.RENAMED}
            and not entry.job.is_background_push
            and entry.due <= self.now
            for entry in entries
            if app in entry.job.trigger.apps
        )
        assert self.lanes.is_disowned(app, self.now) == any(
            entry.job.kind in {Kind.DESTROYED, Kind.ABANDONED, Kind.RENAMED}
            and entry.due <= self.now
            for entry in entries
            if app in entry.job.trigger.apps
        )

    def put(self, job: jobs.Job, wait: float) -> None:
        """Let a job wait in both."""
        due = self.now + wait if wait else 0.0
        self.count += 1
        order = self.orders.setdefault(job.job_id, self.count)
        if any(job.job_id == other.job_id for other in self.running):
            self.turns[job.job_id] = self.count
        turn = self.turns.setdefault(job.job_id, self.count)
        self.waiting[job.job_id] = Waiting(job, order, turn, due)
        self.lanes.put(job, due=due)

    def forget(self, job_id: str) -> None:
        """Note that a job is gone for good."""
        del self.orders[job_id], self.turns[job_id]

    def next_of_model(self) -> jobs.Job | None:
        """Return the first job that is due, free, and overtakes none in a lane.

        One whose registry has its share comes last, and only if that serves.
        """
        blocked = {lane for job in self.running for lane in job.lanes}
        is_full = sum(map(is_background, self.running)) >= MOST_BACKGROUND
        free: list[Waiting] = []
        for entry in sorted(self.by_age(), key=lambda entry: entry.precedence):
            if entry.due > self.now or (is_full and entry.precedence):
                continue
            if blocked.isdisjoint(entry.job.lanes):
                free.append(entry)
            blocked.update(entry.job.lanes)
        within = [entry for entry in free if not self.is_share_used(entry.job.host)]
        beyond = [entry for entry in free if self.serves(entry.job.host)]
        best = min(within or beyond, key=lambda entry: entry.call, default=None)
        return best.job if best else None

    def is_share_used(self, host: str) -> bool:
        """Tell whether a registry has as many jobs as it gets in any case."""
        running = sum(job.host == host for job in self.running)
        return bool(host) and running >= MOST_OF_HOST

    def serves(self, host: str) -> bool:
        """Tell whether a registry has just served."""
        served_at = self.served.get(host)
        return served_at is not None and self.now - served_at < shares.SERVING_SECONDS

    def by_age(self) -> list[Waiting]:
        """Return what waits, the oldest first."""
        return sorted(self.waiting.values(), key=lambda entry: entry.order)


def is_background(job: jobs.Job) -> bool:
    """Return whether a job may be long and no hook or user waits for it."""
    internal = ("heal-", "verify-", "mirror-", "publish-", "follow-")
    return job.is_background_push or job.job_id.startswith(internal)


LanesMachine.TestCase.settings = settings(
    max_examples=examples.number_of(150), stateful_step_count=40, deadline=None
)
TestLanes = LanesMachine.TestCase


def test_very_many_jobs_run_once_and_in_order() -> None:
    """A flood of triggers is worked in the order in which it came."""
    line = scheduling.Schedule()
    flood = [
        jobs.Job(
            job_id=str(number),
            trigger=triggers.Trigger(kind=Kind.DEPLOYED, app=f"app-{number % 100}"),
        )
        for number in range(examples.number_of(100_000))
    ]
    for job in flood:
        line.put(job)

    ran = []
    while (job_taken := line.take(0.0)) is not None:
        ran.append(job_taken)
        line.release(job_taken)

    assert ran == flood


def _release(job_id: str, host: str, app: str = "") -> jobs.Job:
    trigger = triggers.Trigger(kind=Kind.RELEASE, app=app or f"app-{job_id}")
    return jobs.Job(job_id=job_id, trigger=trigger, host=host)


def _take_all(line: scheduling.Schedule, now: float = 0.0) -> list[str]:
    """Begin all that may, and return their names."""
    taken = iter(lambda: line.take(now), None)
    return [job.job_id for job in taken if job is not None]


def test_a_registry_that_hangs_gets_half_of_the_workers() -> None:
    """Deploys to one registry never take all workers, before any other job comes."""
    line = scheduling.Schedule(most_of_host=4)
    for number in range(24):
        line.put(_release(str(number), "hangs.example"))

    hanging = _take_all(line)
    line.put(_release("web", "good.example"))

    assert hanging == ["0", "1", "2", "3"]
    assert _take_all(line) == ["web"]


def test_a_registry_that_serves_gets_all_workers() -> None:
    """Where one registry is all that there is, no worker is idle while it serves."""
    line = scheduling.Schedule(most_of_host=4)
    for number in range(8):
        line.put(_release(str(number), "good.example"))
    _take_all(line)

    line.note_served("good.example", 0.0)

    assert _take_all(line, now=1.0) == ["4", "5", "6", "7"]


def test_a_registry_that_serves_gives_way() -> None:
    """Beyond its half a registry gets a worker only if no other one's job may begin."""
    line = scheduling.Schedule(most_of_host=1)
    line.note_served("good.example", 0.0)
    for number in range(3):
        line.put(_release(str(number), "good.example"))
    line.put(_release("other", "other.example"))

    assert _take_all(line) == ["0", "other", "1", "2"]


def test_jobs_without_a_registry_have_no_limit() -> None:
    """Jobs with no registry, or an unknown one, start in their order."""
    line = scheduling.Schedule(most_of_host=1)
    for number in range(3):
        line.put(_release(str(number), ""))

    assert _take_all(line) == ["0", "1", "2"]


def test_who_is_tried_again_goes_behind() -> None:
    """A job that had its turn comes after all that wait for their first one."""
    line = scheduling.Schedule()
    for name in ("a", "b", "c"):
        line.put(_release(name, "r.example"))
    first = line.take(0.0)
    assert first is not None

    line.put(first, due=1.0)
    line.release(first)

    assert _take_all(line, now=2.0) == ["b", "c", "a"]


def test_a_later_release_of_an_app_does_not_overtake() -> None:
    """A job that goes behind others stays before later jobs of its own app."""
    line = scheduling.Schedule()
    older, newer = _release("1", "r.example", "web"), _release("2", "r.example", "web")
    line.put(older)
    line.put(newer)
    assert line.take(0.0) == older

    line.put(older, due=1.0)
    line.release(older)

    assert line.take(2.0) == older
