"""Every metric: its name, its series, and that none grows with the host."""

import re
from dataclasses import replace

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from dokku_registryd.core.dokku import presence
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.job.outcomes import Ending
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status import exposition, health, metric_families, metrics
from dokku_registryd.core.status.exposition import (
    Book,
    Counts,
    Facts,
    Files,
    Process,
    Sweep,
)
from dokku_registryd.core.status.follow_state import FollowState, Place, Repository

NOW = 1_000_000.0


def release(app: str, *, age: float, state: str = "reserved") -> Release:
    """Build a release that went on some time ago."""
    return Release(
        job_id=f"{app} {age}",
        app=app,
        number=1,
        image_id="",
        server="",
        image_repo="",
        scheduler="",
        state=ReleaseState(state),
        is_deploy_continued=True,
        created_at=NOW - age,
    )


def login(
    owner: str,
    standing: Standing,
    *,
    username: str = "ci",
    asked_at: float = 0.0,
    expires_at: float = 0.0,
) -> Check:
    """Build the check of a login."""
    return Check(
        domain="r.example",
        owner=owner,
        username=username,
        mark="",
        standing=standing,
        asked_at=asked_at,
        expires_at=expires_at,
    )


FULL = Facts(
    version="1.2.3",
    fingerprint="5f0c",
    now=NOW,
    reasons=(),
    is_connected=True,
    running=1,
    waiting=2,
    oldest_accepted_at=NOW - 40,
    counts=Counts(
        finished={(Kind.RELEASE, Ending.DONE): 3},
        retried={Kind.HEAL: 4},
        durations={
            Kind.RELEASE: metrics.Durations.none(metric_families.DURATION_BOUNDS).plus(
                2
            )
        },
        sweeps_done=5,
        sweeps_failed=6,
        last_sweep=Sweep(
            wanted=7, missing=2, lost=1, moved=2, ended_at=NOW - 9, took_seconds=0.25
        ),
        requests={
            ("r.example", "GET", "200"): 3,
            ("r.example", "GET", "none"): 1,
            ("r.example", "PUT", "201"): 2,
        },
        request_seconds={("r.example", "GET"): 1.5, ("r.example", "PUT"): 60.25},
        reached=(
            Reach(domain="a.example", asked_at=0.0, failures=1, reason="once"),
            Reach(domain="r.example", asked_at=0.0, failures=2, reason="twice"),
        ),
    ),
    absence=presence.Absence(
        cause=presence.Cause.APPS,
        apps=(presence.Missing(app="web", since=1.0),),
    ),
    book=Book(
        unpushed=(
            release("old", age=90.5),
            release("gone", age=50, state="failed"),
            release("old", age=20, state="confirmed"),
        ),
        paused={"r.example:5000": 12.5},
        lacking={"shop": 3, "web": 1},
        lost_numbers=4,
        uncopied=(NOW - 60.0, NOW - 5.0),
        failed=("web", "api"),
        logins=(
            login("web", Standing.REFUSED, asked_at=2.0),
            login("web", Standing.ACCEPTED, asked_at=1.0, username="old"),
            login("", Standing.EXPIRING, expires_at=NOW + 60),
        ),
    ),
    files=Files(waiting=8, rejected=9, free_bytes=1 << 40, refusal=""),
    process=Process(
        started_at=NOW - 100,
        cpu_seconds=1.5,
        resident_bytes=2048,
        virtual_bytes=4096,
        open_fds=10,
        most_fds=1024,
    ),
    follow=FollowState(
        repositories=(
            Repository(
                name="r.example/web",
                unread_since=NOW - 90,
                places=(
                    Place(app="web", host="a", number=1, digest="d", is_here=True),
                    Place(
                        app="web",
                        host="b",
                        number=2,
                        digest="e",
                        is_here=False,
                        since=NOW - 30,
                    ),
                ),
            ),
        )
    ),
)
NOTHING = replace(
    FULL,
    oldest_accepted_at=None,
    counts=Counts(),
    book=Book(unpushed=(), paused={}),
)


def families(facts: Facts) -> dict[str, Metric]:
    """Return what Prometheus reads, by the names that we give."""
    read = list(parse(exposition.expose(facts)))
    named = {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in read
    }
    assert len(named) == len(read)
    return named


def figure(facts: Facts, name: str, **labels: str) -> float:
    """Return one figure."""
    full = name if name.startswith("process_") else f"dokku_registryd_{name}"
    (value,) = [
        sample.value
        for family in parse(exposition.expose(facts))
        for sample in family.samples
        if sample.name == full and sample.labels == labels
    ]
    return value


def test_every_family_is_there_once() -> None:
    """An exposition has every family once, with help, type and the promised labels."""
    text = exposition.expose(FULL)

    assert set(families(FULL)) == {
        family.name for family in metric_families.FAMILIES.values()
    }
    for family in metric_families.FAMILIES.values():
        assert text.count(f"# HELP {family.name} {family.text}\n") == 1
        assert text.count(f"# TYPE {family.name} {family.kind}\n") == 1
        for sample in families(FULL)[family.name].samples:
            assert tuple(label for label in sample.labels if label != "le") == (
                family.labels
            )


@pytest.mark.parametrize(
    "family", metric_families.FAMILIES.values(), ids=lambda it: it.name
)
def test_names_follow_the_conventions(family: metrics.Family) -> None:
    """A counter ends in `_total` and nothing else does; a help text is a sentence."""
    assert re.fullmatch(r"(dokku_registryd|process)_[a-z_]+", family.name)
    assert family.name.endswith("_total") == (family.kind is metrics.Kind.COUNTER)
    assert re.fullmatch(r"[A-Z0-9].*\.", family.text)


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("build_info", {"version": "1.2.3", "fingerprint": "5f0c"}, 1),
        ("incomplete_releases", {}, 2),
        ("lost_numbers", {}, 4),
        ("mirror_lag", {}, 2),
        ("mirror_lag_seconds", {}, 60),
        ("followed_releases", {"state": "here"}, 1),
        ("followed_releases", {"state": "lacking"}, 1),
        ("follow_lag_seconds", {}, 90),
        ("failed_releases", {"app": "web"}, 1),
        ("failed_releases", {"app": "api"}, 1),
        (
            "registry_requests_total",
            {"registry": "r.example", "method": "GET", "status": "none"},
            1,
        ),
        (
            "registry_request_duration_seconds_sum",
            {"registry": "r.example", "method": "PUT"},
            60.25,
        ),
        (
            "registry_request_duration_seconds_count",
            {"registry": "r.example", "method": "GET"},
            4,
        ),
        ("missing_parts", {"app": "shop"}, 3),
        ("ready", {}, 1),
        ("check_ok", {"check": "engine"}, 1),
        ("engine_connected", {}, 1),
        ("jobs", {"state": "running"}, 1),
        ("jobs", {"state": "waiting"}, 2),
        ("oldest_job_age_seconds", {}, 40),
        ("jobs_finished_total", {"intent": "release", "outcome": "done"}, 3),
        ("jobs_finished_total", {"intent": "push", "outcome": "failed"}, 0),
        ("attempts_retried_total", {"intent": "heal"}, 4),
        ("job_duration_seconds_bucket", {"intent": "release", "le": "0.5"}, 0),
        ("job_duration_seconds_bucket", {"intent": "release", "le": "2.5"}, 1),
        ("job_duration_seconds_count", {"intent": "release"}, 1),
        ("job_duration_seconds_sum", {"intent": "heal"}, 0),
        ("unpushed_releases", {"state": "waiting"}, 2),
        ("unpushed_releases", {"state": "given_up"}, 1),
        ("oldest_unpushed_release_age_seconds", {}, 90.5),
        ("unpushed_release_age_seconds", {"app": "old"}, 90.5),
        ("unpushed_release_age_seconds", {"app": "gone"}, 50),
        ("wanted_references", {}, 7),
        ("missing_references", {}, 2),
        ("lost_references", {}, 1),
        ("moved_references", {}, 2),
        ("last_sweep_timestamp_seconds", {}, NOW - 9),
        ("last_sweep_duration_seconds", {}, 0.25),
        ("sweeps_total", {"outcome": "done"}, 5),
        ("sweeps_total", {"outcome": "failed"}, 6),
        ("missing_apps", {"cause": "apps"}, 1),
        ("missing_apps", {"cause": "root_empty"}, 0),
        ("trigger_files", {"state": "waiting"}, 8),
        ("trigger_files", {"state": "rejected"}, 9),
        ("registry_pause_seconds", {"domain": "r.example:5000"}, 12.5),
        ("registry_up", {"domain": "a.example"}, 1),
        ("registry_up", {"domain": "r.example"}, 0),
        ("login_ok", {"domain": "r.example", "app": "web"}, 0),
        ("login_ok", {"domain": "r.example", "app": "--global"}, 1),
        (
            "login_expires_timestamp_seconds",
            {"domain": "r.example", "app": "--global"},
            NOW + 60,
        ),
        ("data_disk_free_bytes", {}, 1 << 40),
        ("scrape_error", {"source": "ledger"}, 0),
        ("process_start_time_seconds", {}, NOW - 100),
        ("process_cpu_seconds_total", {}, 1.5),
        ("process_resident_memory_bytes", {}, 2048),
        ("process_virtual_memory_bytes", {}, 4096),
        ("process_open_fds", {}, 10),
        ("process_max_fds", {}, 1024),
    ],
)
def test_figures(name: str, labels: dict[str, str], value: float) -> None:
    """Each fact is shown where it belongs."""
    assert figure(FULL, name, **labels) == value


def test_every_metric_has_a_figure() -> None:
    """A metric in the table that no fact is shown by would be missed by alerts."""
    names = {family.name for family in metric_families.FAMILIES.values()}

    assert set(families(FULL)) == names


def test_every_figure_has_a_metric() -> None:
    """A figure that the table lacks would not be shown."""
    assert FULL.book is not None
    assert FULL.files is not None
    assert FULL.process is not None

    shown = {
        *exposition._state(FULL),
        *exposition._counted(FULL.counts),
        *exposition._written(FULL.book, NOW),
        *exposition._stored(FULL.files),
        *exposition._process(FULL.process),
    }

    assert shown <= set(metric_families.FAMILIES)


def test_nothing_to_tell() -> None:
    """Where nothing is wrong ages are 0, and nothing has a series of its own."""
    assert figure(NOTHING, "oldest_job_age_seconds") == 0
    assert figure(NOTHING, "oldest_unpushed_release_age_seconds") == 0
    assert figure(NOTHING, "unpushed_releases", state="given_up") == 0
    assert (
        families(NOTHING)["dokku_registryd_unpushed_release_age_seconds"].samples == []
    )
    assert families(NOTHING)["dokku_registryd_registry_pause_seconds"].samples == []
    assert "dokku_registryd_wanted_references" not in families(NOTHING)


def test_counters_begin_at_zero() -> None:
    """Every counter has its series from the start, so that the first failure counts."""
    samples = [
        sample
        for family in parse(exposition.expose(NOTHING))
        for sample in family.samples
        if sample.name.startswith("dokku_registryd_jobs_finished")
    ]

    assert {(one.labels["intent"], one.labels["outcome"]) for one in samples} == {
        (kind.value, ending.value)
        for kind in Kind
        for ending in Ending
        if kind is not Kind.SWEEP
    }
    assert {one.value for one in samples} == {0}


@pytest.mark.parametrize(
    ("missing", "source", "gone"),
    [
        ("book", "ledger", "dokku_registryd_unpushed_releases"),
        ("files", "files", "dokku_registryd_trigger_files"),
        ("process", "process", "process_open_fds"),
    ],
)
def test_a_source_that_cannot_be_read(missing: str, source: str, gone: str) -> None:
    """What cannot be found out is absent, all else is there, and a gauge says so."""
    facts = replace(FULL, **{missing: None})  # type: ignore[arg-type]

    shown = families(facts)

    assert gone not in shown
    assert "dokku_registryd_ready" in shown
    assert figure(facts, "scrape_error", source=source) == 1
    others = {"ledger", "files", "process"} - {source}
    assert [figure(facts, "scrape_error", source=other) for other in others] == [0, 0]


def test_not_ready() -> None:
    """A reason takes readiness away, and its check is the one that is not well."""
    facts = replace(FULL, reasons=(health.Reason(health.ENGINE, "away"),))

    assert figure(facts, "ready") == 0
    assert {
        check: figure(facts, "check_ok", check=check) for check in health.CHECKS
    } == {check: check != health.ENGINE for check in health.CHECKS}


def test_many_apps() -> None:
    """Of many apps that wait only those have a series that wait longest."""
    waiting = [release(f"app{age}", age=age) for age in range(5000, 0, -1)]
    facts = replace(FULL, book=Book(unpushed=tuple(waiting), paused={}))

    shown = families(facts)["dokku_registryd_unpushed_release_age_seconds"].samples

    assert [sample.labels["app"] for sample in shown] == [
        f"app{age}" for age in range(5000, 5000 - metric_families.MOST_APPS, -1)
    ]
    assert figure(facts, "unpushed_releases", state="waiting") == 5000


def test_many_failures() -> None:
    """Of many apps whose release failed only the latest have a series."""
    failed = tuple(f"app{number}" for number in range(5000))
    facts = replace(FULL, book=Book(unpushed=(), paused={}, failed=failed))

    shown = families(facts)["dokku_registryd_failed_releases"].samples

    assert [sample.labels["app"] for sample in shown] == list(
        failed[: metric_families.MOST_APPS]
    )


def test_a_clock_that_was_set_back() -> None:
    """What lies in the future has no age below nothing."""
    facts = replace(FULL, now=NOW - 1000)

    assert figure(facts, "oldest_job_age_seconds") == 0
    assert figure(facts, "oldest_unpushed_release_age_seconds") == 0
