"""Which releases are checked in a sweep: budgets by registry, spread over the day."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from dokku_registryd.core.release import check_turns, completeness
from dokku_registryd.core.release.check_turns import Deployed
from dokku_registryd.core.release.completeness import Record

DIGEST = f"sha256:{'1' * 64}"
NOW = 1_700_000_000.0
DAY = completeness.DAY_SECONDS
TREE = (f"manifest {DIGEST}",)


def deployed(
    number: int, *, host: str = "r.example", pushed_at: float = NOW
) -> Deployed:
    """Return one of many releases."""
    return Deployed(
        app=f"app{number:03}",
        job_id=f"job{number}",
        digest=DIGEST,
        host=host,
        pushed_at=pushed_at,
    )


def checked(number: int, *, days: float = 3.0, parts: int = 9) -> Record:
    """Return the record of its check."""
    at = NOW - days * DAY
    return completeness.shown(f"job{number}", DIGEST, parts=parts, now=at, tree=TREE)


def choose(
    apps: Iterable[Deployed], records: Mapping[str, Record], now: float
) -> list[str]:
    """Return the apps to check on a host without mirrors."""
    releases, copies = check_turns.choose_both(apps, records, (), now)
    assert copies == []
    return releases


def simulate(apps: list[Deployed], *, days: int) -> list[tuple[float, str, int]]:
    """Return when which app was checked, and how many reads that took."""
    by_name = {one.app: one for one in apps}
    records: dict[str, Record] = {}
    done: list[tuple[float, str, int]] = []
    for now in range(int(NOW), int(NOW + days * DAY), 900):
        for app in choose(apps, records, now):
            one = by_name[app]
            reads = 0 if one.job_id in records else check_turns.USUAL_READS
            record = completeness.shown(
                one.job_id, DIGEST, parts=12, now=now, tree=TREE
            )
            records[one.job_id] = replace(record, requests=12, reads=reads)
            done.append((now, app, reads))
    return done


def test_a_sweep_has_a_budget() -> None:
    """Those that waited longest come first, as far as their requests fit."""
    many = [deployed(number) for number in range(100)]
    records = {"job7": checked(7), "job8": checked(8, days=0)}

    chosen = choose(many, records, NOW)

    most = check_turns.REQUESTS_PER_SWEEP // check_turns.USUAL_REQUESTS
    assert len(chosen) == most
    assert "app007" not in chosen  # Others were never checked.
    everything = choose(many[5:9], records, NOW)
    assert everything == ["app005", "app006", "app007"]


def test_copies_share_the_budgets() -> None:
    """Releases go first; what they leave of a sweep is for copies in mirrors."""
    most = check_turns.REQUESTS_PER_SWEEP // check_turns.USUAL_REQUESTS
    few = [deployed(number) for number in range(most - 1)]
    copies = [
        (deployed(number, host="backup.example"), checked(number, parts=20))
        for number in (91, 92)
    ]

    first, second = check_turns.choose_both(few, {}, copies, NOW)

    assert (len(first), second) == (most - 1, ["app091"])


def test_one_large_release_is_checked_too() -> None:
    """A release with more parts than the budget is not left out."""
    large = checked(1, parts=1900)

    assert choose([deployed(1)], {"job1": large}, NOW) == ["app001"]


def test_a_registry_has_a_budget_by_the_hour() -> None:
    """One that was asked much is left alone for now; others are not."""
    busy = replace(checked(1, days=0.001), requests=check_turns.REQUESTS_PER_HOUR - 5)
    both = [deployed(1), deployed(2), deployed(3, host="s.example")]

    assert choose(both, {"job1": busy}, NOW) == ["app003"]
    later = NOW + 3700
    fresh = replace(both[1], pushed_at=later)
    assert choose([both[0], fresh], {"job1": busy}, later) == ["app002"]


def test_pulls_of_docker_hub_are_left_to_deploys() -> None:
    """What Docker Hub counts has a budget of its own, and HEAD is not counted."""
    used = replace(checked(1, days=0.1), reads=check_turns.READS["docker.io"])
    hub = [deployed(number, host="docker.io") for number in (1, 2, 3)]
    records = {"job1": used, "job3": checked(3)}

    assert choose(hub, records, NOW) == ["app003"]
    elsewhere = [replace(one, host="r.example") for one in hub]
    assert choose(elsewhere, records, NOW) == ["app002", "app003"]


@pytest.mark.parametrize("host", ["r.example", "docker.io"])
def test_no_burst_after_an_upgrade(host: str) -> None:
    """500 releases that were never checked are spread; no window has too many pulls."""
    old = NOW - 30 * DAY
    apps = [deployed(number, host=host, pushed_at=old) for number in range(500)]

    done = simulate(apps, days=2)

    assert len({app for _, app, _ in done}) > (490 if host == "r.example" else 100)
    for begin in range(0, int(2 * DAY), 3600):
        inside = [one for one in done if begin <= one[0] - NOW < begin + 3600]
        assert len(inside) * 12 <= check_turns.REQUESTS_PER_HOUR
    for begin in range(0, int(2 * DAY - check_turns.READS_SECONDS), 3600):
        window = NOW + begin, NOW + begin + check_turns.READS_SECONDS
        reads = sum(cost for at, _, cost in done if window[0] <= at < window[1])
        assert host != "docker.io" or reads <= check_turns.READS["docker.io"]


def test_checks_stay_spread() -> None:
    """From the second day on each hour has a share of the checks."""
    apps = [deployed(n, pushed_at=NOW - 30 * DAY) for n in range(240)]

    done = [at for at, _, _ in simulate(apps, days=3) if at > NOW + DAY]

    hours = [int((at - NOW) // 3600) for at in done]
    assert max(hours.count(hour) for hour in set(hours)) < len(done) / 8


def test_a_fresh_release_is_checked_at_once() -> None:
    """Its push may not have shown everything; an old one waits for its hours."""
    fresh = deployed(1, pushed_at=NOW - 60)
    old = [deployed(number, pushed_at=NOW - 2 * DAY) for number in range(200)]

    assert choose([fresh], {}, NOW) == ["app001"]
    turn = [one for one in old if choose([one], {}, NOW)]
    assert 5 < len(turn) < 60
    all_day = {
        one.app
        for one in old
        for hour in range(25)
        if choose([one], {}, NOW + hour * 3600)
    }
    assert len(all_day) == 200


def test_another_digest_counts_as_unchecked() -> None:
    """The record of an earlier image says nothing."""
    other = replace(checked(1, days=0), digest="sha256:other")

    assert choose([deployed(1)], {"job1": other}, NOW) == ["app001"]
