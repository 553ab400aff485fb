"""Which waiting job may begin, against a model that looks at all of them each time."""

from dataclasses import dataclass, replace

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from dokku_registryd.core import jobs, lanes, triggers
from dokku_registryd.core.triggers import Kind

APPS = ["web", "api", "db"]
MOST_BACKGROUND = 1
KINDS = [Kind.RELEASE, Kind.HEAL, Kind.DESTROYED, Kind.RENAMED, Kind.PUSH]


@dataclass
class Waiting:
    """What the model knows of a waiting job."""

    job: jobs.Job
    order: int
    due: float


class LanesMachine(RuleBasedStateMachine):
    """Lanes and model get the same calls and must choose the same jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = lanes.Lanes(MOST_BACKGROUND)
        self.waiting: dict[str, Waiting] = {}
        self.running: list[jobs.Job] = []
        self.orders: dict[str, int] = {}
        self.now = 0.0
        self.count = 0

    @rule(
        kind=strategies.sampled_from(KINDS),
        app=strategies.sampled_from(APPS),
        other=strategies.sampled_from(APPS),
        wait=strategies.sampled_from([0.0, 0.0, 1.0, 3.0]),
        is_own=strategies.booleans(),
    )
    def accept(
        self, kind: Kind, app: str, other: str, wait: float, *, is_own: bool
    ) -> None:
        """Let a new job wait, perhaps for a time to come."""
        self.count += 1
        job_id = f"{kind.value}-{self.count}" if is_own else str(self.count)
        trigger = triggers.Trigger(
            kind=kind, app=app, other=other if kind is Kind.RENAMED else ""
        )
        self.put(jobs.Job(job_id=job_id, trigger=trigger), wait)

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
            self.orders.pop(job.job_id, None)

    @precondition(lambda self: self.running)
    @rule(data=strategies.data(), wait=strategies.sampled_from([0.0, 2.0]))
    def retry(self, data: strategies.DataObject, wait: float) -> None:
        """End an attempt with another one to follow, perhaps in the other lane."""
        job = data.draw(strategies.sampled_from(self.running))
        is_delivery = job.kind is Kind.RELEASE and data.draw(strategies.booleans())
        self.put(replace(job, is_delivery=is_delivery or job.is_delivery), wait)
        self.running.remove(job)
        self.lanes.release(job)

    @precondition(lambda self: self.waiting)
    @rule(data=strategies.data())
    def withdraw(self, data: strategies.DataObject) -> None:
        """Take a waiting job out."""
        job_id = data.draw(strategies.sampled_from(sorted(self.waiting)))
        del self.waiting[job_id]
        self.orders.pop(job_id, None)
        assert self.lanes.withdraw(job_id)
        assert not self.lanes.withdraw(job_id)

    @rule(app=strategies.sampled_from(APPS))
    def expedite(self, app: str) -> None:
        """Make an app's jobs due."""
        self.lanes.expedite(app)
        for entry in self.waiting.values():
            if app in entry.job.trigger.apps:
                entry.due = 0.0

    @rule(seconds=strategies.sampled_from([0.5, 1.0, 2.0]))
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
            and not entry.job.is_delivery
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
        order = self.orders.setdefault(job.job_id, self.count)
        self.waiting[job.job_id] = Waiting(job, order, due)
        self.lanes.put(job, due=due)

    def next_of_model(self) -> jobs.Job | None:
        """Return the first job that is due, free, and overtakes nobody in a lane."""
        blocked = {lane for job in self.running for lane in job.lanes}
        is_full = sum(map(is_background, self.running)) >= MOST_BACKGROUND
        awaited = [entry for entry in self.by_age() if not is_background(entry.job)]
        others = [entry for entry in self.by_age() if is_background(entry.job)]
        for entry in awaited + ([] if is_full else others):
            if entry.due > self.now:
                continue
            if blocked.isdisjoint(entry.job.lanes):
                return entry.job
            blocked.update(entry.job.lanes)
        return None

    def by_age(self) -> list[Waiting]:
        """Return what waits, the oldest first."""
        return sorted(self.waiting.values(), key=lambda entry: entry.order)


def is_background(job: jobs.Job) -> bool:
    """Tell whether nobody waits for a job that may be long."""
    return job.is_delivery or job.job_id.startswith("heal-")


LanesMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
TestLanes = LanesMachine.TestCase


def test_a_hundred_thousand_jobs_run_once_and_in_order() -> None:
    """A flood of triggers is worked in the order in which it came."""
    line = lanes.Lanes()
    flood = [
        jobs.Job(
            job_id=str(number),
            trigger=triggers.Trigger(kind=Kind.DEPLOYED, app=f"app-{number % 100}"),
        )
        for number in range(100_000)
    ]
    for job in flood:
        line.put(job)

    ran = []
    while (job_taken := line.take(0.0)) is not None:
        ran.append(job_taken)
        line.release(job_taken)

    assert ran == flood
