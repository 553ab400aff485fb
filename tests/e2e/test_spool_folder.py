"""The spool's folders vanish and come back under a running daemon."""

import shutil
from pathlib import Path

import pytest

from support.site import Site
from support.waiting import until


def _make(spool: Path) -> None:
    for name in ("tmp", "new", "rejected"):
        (spool / name).mkdir(parents=True, mode=0o700, exist_ok=True)


def _remove(spool: Path) -> None:
    """Remove it in one step, before the daemon can recreate it."""
    shutil.rmtree(spool.rename(spool.with_name("gone")))


@pytest.fixture
def spool(one: Site) -> Path:
    """Give the spool of a running daemon, with an app to deploy."""
    one.make_app()
    return one.host.data_dir / "spool"


def test_removed_and_made_again(one: Site, spool: Path) -> None:
    """A trigger in a recreated folder is processed."""
    _remove(spool)
    _make(spool)

    result = one.announce_deploy()

    assert (result.code, result.stderr) == (0, "")
    one.service.wait_for("job.finished", intent="deployed", app="web")
    until(lambda: not one.host.spool(), what="the end of the trigger")


def test_removed_only(one: Site, spool: Path) -> None:
    """The daemon recreates the folders, and a release works again."""
    _remove(spool)

    until((spool / "new").is_dir, what="the folder")
    one.ship()

    assert one.deployed() == one.reference(1)


def test_replaced_by_a_rename(one: Site, spool: Path) -> None:
    """A folder that was moved away does not fool the daemon."""
    aside = spool.with_name("aside")
    spool.rename(aside)
    _make(spool)

    one.ship()

    assert one.deployed() == one.reference(1)
    assert list((aside / "new").iterdir()) == []
