"""What grows with every deploy, crash or refusal comes to an end at a sweep."""

import os
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import retention
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects import housekeeping, release, sweep
from worlds import Host

MANY = retention.KEPT_RELEASES + 10
OLD = (100, 100)


def fill(host: Host, app: str = "web") -> None:
    """Give an app a long history."""
    for number in range(1, MANY + 1):
        job_id = f"{number}.{app}.1"
        host.ledger.reserve(
            Release(
                job_id=job_id,
                app=app,
                number=number,
                image_id=f"sha256:{number}",
                server="r.example/",
                image_repo=f"org/{app}",
                scheduler="docker-local",
                created_at=float(number),
            )
        )
        host.ledger.update_release(job_id, state=ReleaseState.PUSHED, digest="d")
        host.ledger.record_tag_moves(job_id, {"stable": "d"})


def numbers(host: Host, app: str = "web") -> list[int]:
    """Return the numbers that the ledger still knows."""
    return sorted(row.number for row in host.ledger.releases(app))


def test_a_long_history_is_shortened(host: Host) -> None:
    """The latest releases stay, the others go with what belongs to them."""
    host.create_app(tag_version=str(MANY))
    fill(host)

    sweep.carry_out(host.context)

    assert numbers(host) == list(range(11, MANY + 1))
    assert host.ledger.tag_moves("1.web.1") == {}
    assert host.ledger.tag_moves("11.web.1") == {"stable": "d"}


def test_numbers_go_on(host: Host) -> None:
    """No number is given twice, also where the rows of a repository have gone."""
    host.create_app()
    fill(host)
    host.set("web", "image-repo", "org/other")
    housekeeping.tidy(host.context)
    host.set("web", "image-repo", "org/web")

    host.engine.add_image("dokku/web:latest", b"web")
    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert host.release().number == MANY + 1


def test_an_app_that_cannot_be_read(host: Host) -> None:
    """What an app needs may be unknown; then its history stays, and others go on."""
    for app in ("web", "api"):
        host.create_app(app)
        fill(host, app)
    files = host.files

    class Unreadable:
        def __getattr__(self, name: str) -> object:
            return getattr(files, name)

        def deployed(self, app: str) -> object:
            if app == "api":
                raise errors.PermanentError("cannot read it")
            return files.deployed(app)

    housekeeping.tidy(host.replace(deployed=Unreadable()))

    assert len(numbers(host, "api")) == MANY
    assert len(numbers(host, "web")) < MANY


def test_old_files_go(host: Host) -> None:
    """A file that a dead hook was writing goes; one that waits does not."""
    host.leave(Kind.RELEASE, "0000000000000001.999999999.1")
    waiting = host.spool.new / "0000000000000001.999999999.1"
    left = host.folder / "data" / "spool" / "tmp" / "0000000000000002.999999999.1"
    left.write_text("")
    for path in (waiting, left):
        os.utime(path, OLD)
    # A rename is what counts, and that was now; so the clock goes on instead.
    host.clock.wrong_by = 1e9

    housekeeping.tidy(host.context)

    assert waiting.exists()
    assert not left.exists()


def test_a_clock_that_jumps(host: Host) -> None:
    """A hook that writes at this moment is not disturbed by what the clock says."""
    host.spool.prepare()
    name = f"0000000000000002.{os.getpid()}.1"
    left = Path(host.folder / "data" / "spool" / "tmp" / name)
    left.write_text("")
    host.clock.wrong_by = 1e9

    housekeeping.tidy(host.context)

    assert left.exists()


@pytest.mark.parametrize("count", [retention.KEPT_RELEASES, 1])
def test_the_engine_is_not_asked_for_nothing(host: Host, count: int) -> None:
    """Images are listed once more only where an app has had many releases."""
    host.create_app()
    fill(host)
    spare = [row.job_id for row in host.ledger.releases("web")][count:]
    host.ledger.remove_releases(spare)
    host.engine.is_down = True

    housekeeping.tidy(host.context)

    assert len(numbers(host)) == count


def test_a_job_of_another_app(host: Host) -> None:
    """Removal is by job, so an app of the same numbers keeps its own."""
    fill(host, "web")
    fill(host, "api")

    host.ledger.remove_releases(["1.web.1"])

    assert numbers(host, "web") == list(range(2, MANY + 1))
    assert numbers(host, "api") == list(range(1, MANY + 1))
