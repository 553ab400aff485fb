"""A release that dies between any two steps ends as if it had not.

The process is made to die before each call of a port in turn; then the job is done
again, as after a restart.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import ports
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from dokku_registryd.effects import release, sweep
from dokku_registryd.effects.registry import sending
from support import scratch
from watching import CrashError, watch
from worlds import REPOSITORY, Arranged, Host, build_world

Arrange = Callable[[Host], None]
_WATCHED = (
    *("engine", "registry", "credentials", "properties", "deployed", "ledger"),
    "relay",
)
_MOST_STEPS = 130  # far more than a release has


def count_down(host: Host, steps: int) -> ports.Context:
    """Return a world in which the process dies before one of its steps."""
    left = [steps]

    def step(_method: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError

    ports_watched = {
        name: watch(getattr(host.context, name), step) for name in _WATCHED
    }
    return host.replace(**ports_watched, parallel_tags=1)


def bring_up(host: Host) -> None:
    """Do what the first sweep after a start does with what a push left behind."""
    sending.take_away(sweep.plan(host.context).passing, host.context)


def state(host: Host) -> dict[str, Any]:
    """Return everything that a release leaves behind."""
    made = host.release("9.1.1")
    return {
        "tags": host.tags(),
        "names": host.names(),
        "passing": host.passing(),
        "counter": host.tag_version(),
        "deployed": host.deployed(),
        "release": (made.number, made.state, made.digest, made.is_deploy_continued),
    }


def with_tags(host: Host) -> None:
    """An app with extra tags and an earlier release."""
    host.set("web", "push-extra-tags", "stable,blue")
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.1"))
    host.engine.add_image("dokku/web:latest", b"two")


def with_tags_at_once(host: Host) -> None:
    """The same, in a registry that moves them in one request."""
    host.registry.takes_tags = True
    with_tags(host)


def with_known_content(host: Host) -> None:
    """The same image again."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.1"))


def in_the_background(host: Host) -> None:
    """An app whose deploys do not wait."""
    host.set("web", "push-policy", "background")


def through_the_relay(arrange: Arrange) -> Arrange:
    """The same, on a host whose Engine hands over what it pushes."""

    def arranged(host: Host) -> None:
        arrange(host)
        host.use_relay()

    return arranged


ARRANGED: list[Any] = [
    pytest.param(session(arrange), id=f"{prefix}{name}")
    for prefix, session in (("", lambda given: given), ("relay-", through_the_relay))
    for name, arrange in {
        "first": lambda _host: None,
        "extra-tags": with_tags,
        "extra-tags-at-once": with_tags_at_once,
        "known-content": with_known_content,
        "background": in_the_background,
    }.items()
]


def run(host: Host, context: ports.Context) -> None:
    """Do the release, and its delivery if the deploy went on."""
    job = host.add_job(Kind.RELEASE, "9.1.1")
    if host.perform(release.perform, job, context) is None:
        host.perform(release.perform, as_delivery(host), context)


def as_delivery(host: Host) -> jobs.Job:
    """Return the job in its second lane."""
    record = host.ledger.job("9.1.1")
    assert record is not None
    return dataclasses.replace(record.job, is_background_push=True)


def crashes(
    folder: Path, arrange: Arrange, *, meanwhile: Arrange | None = None
) -> Iterator[Host]:
    """Give the host right after each possible crash.

    Args:
        folder: Where the hosts are.
        arrange: Arranges the host once; what follows begins with copies of it.
        meanwhile: Says what else happens to each of them.
    """
    arranged = Arranged(lambda host: begin(host, arrange))
    try:
        for steps in range(_MOST_STEPS):
            host = arranged.copy(folder / str(steps))
            try:
                if meanwhile is not None:
                    meanwhile(host)
                run(host, count_down(host, steps))
            except CrashError:
                yield host
            else:
                assert steps > 8
                return
            finally:
                host.ledger.close()
        raise AssertionError("a release has no end")
    finally:
        arranged.close()


def begin(host: Host, arrange: Arrange) -> None:
    """Arrange a host with an app and its first image."""
    host.create_app()
    host.engine.add_image("dokku/web:latest", b"one")
    arrange(host)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crash:
    """What a host looked like after one crash, and when the job was done again."""

    made: releases.Release | None
    tags: dict[str, str]
    names: dict[str, str]
    counter: str
    state: dict[str, Any]
    passing: list[str]


Seen = tuple[dict[str, Any], list[Crash]]


# So both tests of what was arranged are next to each other, and in one process.
@pytest.fixture(scope="module", params=ARRANGED)
def seen(request: pytest.FixtureRequest) -> Seen:
    """Give what a release leaves behind, and what each possible crash does."""
    arrange: Arrange = request.param
    with tempfile.TemporaryDirectory(dir=scratch.folder()) as folder:
        smooth = build_world(Path(folder, "smooth"))
        begin(smooth, arrange)
        run(smooth, smooth.context)
        expected = state(smooth)
        smooth.ledger.close()
        return expected, [look(host) for host in crashes(Path(folder), arrange)]


def look(host: Host) -> Crash:
    """Note what a crash left, and do the job again."""
    made = host.ledger.release_of("9.1.1")
    tags, names, counter = host.tags(), host.names(), host.tag_version()
    bring_up(host)
    run(host, host.context)
    return Crash(
        made=made,
        tags=tags,
        names=names,
        counter=counter,
        state=state(host),
        passing=host.passing(),
    )


def test_every_crash_ends_the_same(seen: Seen) -> None:
    """At any moment of the crash: same number, same tags, same names."""
    expected, found = seen

    for crash in found:
        assert crash.state == expected
        assert crash.passing == []


def test_what_holds_at_every_crash(seen: Seen) -> None:
    """At no moment does anything point to what the registry has not confirmed."""
    for crash in seen[1]:
        made, tags = crash.made, crash.tags
        number = str(made.number) if made else ""
        digest = made.digest if made else ""

        if f"{REPOSITORY}:{number}" in crash.names or number in tags:
            assert made is not None
        if crash.counter == number != "":
            assert tags[number] == digest
        moved = {tag for tag in ("stable", "blue") if tags.get(tag) == tags.get(number)}
        if moved and number in tags:
            assert tags[number] == digest


@pytest.mark.parametrize(
    "arrange",
    [
        with_tags,
        with_known_content,
        through_the_relay(with_tags),
        through_the_relay(with_known_content),
    ],
)
def test_a_taken_number_and_a_crash(tmp_path: Path, arrange: Arrange) -> None:
    """A crash while the number is changed never overwrites what has the old one."""

    def occupy(host: Host) -> None:
        arrange(host)
        host.store(f"{REPOSITORY}:2", "foreign")

    for host in crashes(tmp_path, occupy):
        theirs = host.tags()["2"]

        run(host, host.context)

        assert host.tags()["2"] == theirs
        assert host.tag_version() == "3"
        assert host.tags()["3"] == host.release("9.1.1").digest


def test_a_number_that_is_taken_meanwhile_and_a_crash(tmp_path: Path) -> None:
    """At any moment of the crash an image put while we sent layers stays."""

    def occupy(host: Host) -> None:
        host.engine.on_push = lambda: host.store(f"{REPOSITORY}:1", "foreign")

    taken = 0
    for host in crashes(tmp_path, Host.use_relay, meanwhile=occupy):
        theirs = host.tags().get("1")

        bring_up(host)
        run(host, host.context)

        if theirs is not None and theirs != host.release("9.1.1").digest:
            taken += 1
            assert host.tags()["1"] == theirs
            assert host.tag_version() == "2"
        assert host.tags()[host.tag_version()] == host.release("9.1.1").digest
        assert host.passing() == []
    assert taken > 3
