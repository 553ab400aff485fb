"""A disk that runs full: which images go, and when it stops."""

from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from dokku_registryd import ports
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.effects import heal, release, sweep
from worlds import SERVER, Host


@pytest.fixture
def kept(host: Host) -> Host:
    """Give a host that keeps three superseded images, which its registry has."""
    host.set("web", "keep-releases", "9")
    for number in range(1, 5):
        host.engine.add_image("dokku/web:latest", f"build {number}".encode())
        host.clock.seconds += 60
        job_id = f"{number}.1.1"
        host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))
        row = host.ledger.update_release(job_id, live_at=host.clock.now())
        host.files.record_deployed("web", row.deployed)
        host.ledger.record_check(
            completeness.shown(job_id, row.digest, parts=1, now=1.0)
        )
    return host


def full(host: Host, *used: float, high: int = 85, **changes: Any) -> ports.Context:
    """Return a service whose disk is used so much at each look, in percent."""
    seen: Iterator[float] = chain(used, repeat(used[-1]))
    return host.replace(
        is_service=True,
        disk_percents=(high, 80),
        used_percent=lambda _folder: next(seen),
        **changes,
    )


def numbers(host: Host) -> list[int]:
    """Return the releases whose names are on the host."""
    return [number for number in range(1, 5) if f"dokku/web:{number}" in host.names()]


@pytest.mark.parametrize(
    ("used", "left"),
    [
        ((84.9,), [1, 2, 3, 4]),
        ((85.0, 79.0), [2, 3, 4]),
        ((90.0, 85.0, 79.9), [3, 4]),
        ((99.0,), [4]),
    ],
)
def test_images_go_until_there_is_room(
    kept: Host, used: tuple[float, ...], left: list[int]
) -> None:
    """Above the high mark the oldest go, until less than the low mark is used."""
    found = sweep.carry_out(full(kept, *used))

    assert numbers(kept) == left
    assert (len(found.freeable), found.freed) == (3, 4 - len(left))


def test_it_is_off_by_default(kept: Host) -> None:
    """Without the setting nothing goes, but the sweep counts what could."""
    found = sweep.carry_out(full(kept, 99.0, high=0))

    assert numbers(kept) == [1, 2, 3, 4]
    assert (len(found.freeable), found.freed) == (3, 0)


def test_a_hook_frees_nothing(kept: Host) -> None:
    """A deploy without the service has other things to do."""
    sweep.carry_out(replace(full(kept, 99.0), is_service=False))

    assert numbers(kept) == [1, 2, 3, 4]


def test_what_is_used_stays(kept: Host) -> None:
    """A container and a deploy that was told the release keep an image."""
    kept.engine.add_container("dokku/web:1", app="web")
    told = DeployedRelease(server=f"{SERVER}/", image_repo="org/web", number=2)
    kept.context.deploying.tell("web", "b1", told)

    sweep.carry_out(full(kept, 99.0))

    assert numbers(kept) == [1, 2, 4]


def test_a_return_that_began_meanwhile(kept: Host) -> None:
    """A release that a deploy was told since the sweep looked keeps its image."""
    told = DeployedRelease(server=f"{SERVER}/", image_repo="org/web", number=1)

    def used(_folder: str) -> float:
        kept.context.deploying.tell("web", "b1", told)
        return 99.0

    sweep.carry_out(replace(full(kept, 99.0), used_percent=used))

    assert numbers(kept) == [1, 4]


def test_a_promotion_that_began_meanwhile(kept: Host) -> None:
    """Another app that is to run an image keeps it, before it has a name of its own."""
    kept.create_app("shop")
    first = kept.release("1.1.1")

    def used(_folder: str) -> float:
        if kept.ledger.release_of("9.1.1") is None:
            kept.ledger.reserve(
                replace(first, job_id="9.1.1", app="shop", image_repo="org/shop")
            )
        return 99.0

    sweep.carry_out(replace(full(kept, 99.0), used_percent=used))

    assert numbers(kept) == [1, 4]


def test_a_number_whose_removal_is_not_over(kept: Host) -> None:
    """If the registry may have it no longer, the local image stays."""
    kept.ledger.begin_removals(["1.1.1"], at=1.0)

    sweep.carry_out(full(kept, 99.0))

    assert numbers(kept) == [1, 4]


def test_what_the_log_says(kept: Host, logged: list[MutableMapping[str, Any]]) -> None:
    """Each image is named, and a disk that stays full is said once."""
    sweep.carry_out(full(kept, 99.0, 95.0))
    sweep.carry_out(full(kept, 95.0))

    freed = [line for line in logged if line["event"] == "disk.freed"]
    assert [line["reference"] for line in freed] == [
        f"r.example/org/web:{number}" for number in (1, 2, 3)
    ]
    (line,) = [line for line in logged if line["event"] == "disk.exhausted"]
    assert (line["used_percent"], line["low_percent"], line["freed"]) == (95.0, 80, 3)


def test_a_freed_image_can_come_back(kept: Host) -> None:
    """Its release is in the registry, so a heal of it pulls it again."""
    sweep.carry_out(full(kept, 99.0))
    row = kept.release("1.1.1")
    kept.files.record_deployed("web", row.deployed)

    outcome = kept.perform(heal.perform, kept.add_job(Kind.HEAL, "9.1.1"))

    assert outcome is not None
    assert outcome.detail == "pulled"
    assert 1 in numbers(kept)
