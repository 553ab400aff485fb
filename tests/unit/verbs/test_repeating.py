"""`rollback` and `promote`: what they refuse before anything moves."""

import os

import pytest

from app_states import POLICY, release
from dokku_registryd.adapters.dokku import deploying_files
from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.core.release.rollbacks import Facts, RefusedError
from dokku_registryd.verbs.releases import repeating, rollback
from support.calling import Caller

DEPLOYED = DeployedRelease(server="", image_repo="org/web", number=43)


@pytest.fixture(autouse=True)
def apps(caller: Caller) -> None:
    """Give two apps."""
    for app in ("web", "shop"):
        (caller.home / app).mkdir()


@pytest.mark.parametrize("words", [("rollback", "web"), ("promote", "shop", "web")])
def test_a_deploy_that_takes_no_lock(caller: Caller, words: tuple[str, ...]) -> None:
    """While `config:set` deploys, neither begins; what has ended counts no more."""
    told = deploying_files.DeployingFiles(caller.data_dir / "deploying")
    pid = os.getpid()
    told.tell("web", f"pid-{pid}-{processes.started(pid)}", DEPLOYED)

    with pytest.raises(RefusedError, match="web is being deployed"):
        caller.call(*words, "--dry-run")

    told.forget("web", f"pid-{pid}-{processes.started(pid)}")
    told.tell("web", f"pid-{pid}-1", DEPLOYED)
    with pytest.raises(RefusedError, match="push-on-release"):
        caller.call(*words, "--dry-run")


@pytest.mark.parametrize(
    ("app", "started", "is_left"),
    [("web", 1, True), ("shop", 1, False), ("web", None, False)],
)
def test_whose_release_is_left(
    book: ledger.SqliteLedger, app: str, started: int | None, *, is_left: bool
) -> None:
    """A release of the app itself, whose command has certainly ended."""
    pid = os.getpid()
    began = processes.started(pid) if started is None else started
    waiter = f"{pid}.{began}.{processes.namespace()}"
    trigger = triggers.Trigger(kind=Kind.RELEASE, app=app, waiter=waiter)
    book.add_jobs([jobs.Job(job_id="1.1.1", trigger=trigger)])

    found = repeating.abandoned(book, "web")

    assert found == (frozenset({"1.1.1"}) if is_left else frozenset())


@pytest.mark.parametrize(
    ("number", "removed", "here", "chosen"),
    [
        (None, {4}, set(), (3, False)),
        (None, {4, 3}, {2}, (2, True)),
        (None, {4, 3}, {3}, (3, True)),
        (None, set(), set(), (4, False)),
        (4, {4}, set(), (4, False)),
    ],
)
def test_what_a_prune_has_removed(
    number: int | None, removed: set[int], here: set[int], chosen: tuple[int, bool]
) -> None:
    """Without a number a rollback passes over what it could not pull."""
    rows = tuple(release(one, live_at=float(one), sequence=one) for one in (5, 4, 3, 2))
    facts = Facts(
        policy=POLICY,
        releases=rows,
        sources={},
        deployed=rows[0].deployed,
        is_companion=False,
    )

    plan, is_here = rollback._choose(
        facts, number, {f"job-{one}" for one in removed}, lambda row: row.number in here
    )

    assert (plan.source.number, is_here) == chosen
