"""Files in the spool that no hook of ours has written: set aside, and said."""

import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

GOOD = b"dokku-registryd/1\ntrigger=deployed\napp=web\ntag=\nend\n"
SOMEBODY = 12345
_COUNTER = itertools.count(1)


@pytest.fixture(scope="module")
def shared(
    classic_engine: EngineServer,
    htpasswd_registry: RegistryServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Give one site to all tests here: none of them may be able to harm it."""
    folder = tmp_path_factory.mktemp("shared") / "host"
    classic_engine.ensure()
    classic_engine.wipe()
    with Site(folder, classic_engine, htpasswd_registry) as site:
        site.service.start()
        site.host.create_app("web")
        yield site


@pytest.fixture
def spool(shared: Site) -> Iterator[Path]:
    """Give the spool of the site, with nothing in `rejected`."""
    folder = shared.host.data_dir / "spool"
    yield folder
    for path in (folder / "rejected").iterdir():
        path.unlink() if not path.is_dir() else shutil.rmtree(path)


@pytest.fixture
def name() -> str:
    """Give a name that a hook could give."""
    return _next_name()


def _next_name() -> str:
    return f"{next(_COUNTER):016d}.1.1"


def _text(app: bytes) -> bytes:
    return GOOD.replace(b"app=web", b"app=" + app)


def _put(spool: Path, content: bytes, name: str | bytes) -> Path:
    """Put a file into `new` in one step, as a hook does."""
    path = spool / "tmp" / os.fsdecode(name)
    path.write_bytes(content)
    path.chmod(0o600)
    return path.rename(spool / "new" / os.fsdecode(name))


def _wait_for_rejection(shared: Site, spool: Path) -> str:
    """Check what was said of the one rejected file, and return its name now."""
    (reason,) = until(lambda: list((spool / "rejected").glob("[!.]*.reason")))
    (line,) = until(lambda: shared.service.lines("trigger.rejected", file=reason.stem))
    assert reason.read_text() == f"{line['reason']}\n"
    assert line["level"] == "warning"
    return reason.stem


def _leave_good_trigger(spool: Path) -> Path:
    """Put a good trigger beside a bad one."""
    return _put(spool, GOOD, _next_name())


def _check_good_trigger(shared: Site, good: Path) -> None:
    """The good trigger was worked."""
    line = shared.service.wait_for("job.finished", job_id=good.name)
    assert line["outcome"] == "done"
    until(lambda: not good.exists(), what="the end of the good trigger")


CONTENTS = {
    "empty": b"",
    "no end": GOOD.removesuffix(b"end\n"),
    "cut off": GOOD[:-1],
    "huge": GOOD[:-4] + b"tag=" + b"a" * 4096 + b"\nend\n",
    "another version": GOOD.replace(b"/1", b"/9"),
    "no key": GOOD.replace(b"tag=", b"tag"),
    "twice": GOOD.replace(b"tag=", b"app=api"),
    "unknown key": GOOD.replace(b"tag=", b"tag=\nshell=sh"),
    "unknown trigger": GOOD.replace(b"deployed", b"reboot"),
    "internal trigger": b"dokku-registryd/1\ntrigger=sweep\nend\n",
    "no UTF-8": _text(b"w\xffb"),
    "binary": bytes(range(256)),
    "slash": _text(b"../web"),
    "parent": _text(b".."),
    "absolute": _text(b"/etc"),
    "option": _text(b"--global"),
    "capital": _text(b"Web"),
    "blank": _text(b"web "),
    "return": _text(b"web\r"),
    "escape": _text(b"w\x1b[31mb"),
    "NUL": _text(b"web\0"),
    "line break": _text(b"web\n"),
    "line separator": _text("web\u2028".encode()),
    "no app": _text(b""),
    "long app": _text(b"a" * 256),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_bad_content(shared: Site, spool: Path, name: str, content: bytes) -> None:
    """A file that is not exactly right moves to `rejected`, its reason beside it."""
    _put(spool, content, name)
    good = _leave_good_trigger(spool)

    assert _wait_for_rejection(shared, spool) == name
    assert (spool / "rejected" / name).read_bytes() == content
    _check_good_trigger(shared, good)


def _link(spool: Path, name: str) -> None:
    target = spool / "target"
    target.write_bytes(GOOD)
    (spool / "new" / name).symlink_to(target)


def _link_to_nothing(spool: Path, name: str) -> None:
    (spool / "new" / name).symlink_to("/nonexistent")


def _second_name(spool: Path, name: str) -> None:
    target = spool / "second"
    target.write_bytes(GOOD)
    (spool / "new" / name).hardlink_to(target)


def _fifo(spool: Path, name: str) -> None:
    os.mkfifo(spool / "new" / name)


def _device(spool: Path, name: str) -> None:
    path = spool / "tmp" / name
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # as endless as /dev/zero
    path.rename(spool / "new" / name)


def _gigabyte(spool: Path, name: str) -> None:
    path = spool / "tmp" / name
    path.touch()
    os.truncate(path, 1 << 30)
    path.rename(spool / "new" / name)


def _folder(spool: Path, name: str) -> None:
    folder = spool / "tmp" / name
    folder.mkdir()
    (folder / "file").touch()
    folder.rename(spool / "new" / name)


def _of_another_user(spool: Path, name: str) -> None:
    path = spool / "tmp" / name
    path.write_bytes(GOOD)
    os.chown(path, SOMEBODY, SOMEBODY)
    path.rename(spool / "new" / name)


@pytest.mark.parametrize(
    "make",
    [
        _link,
        _link_to_nothing,
        _second_name,
        _fifo,
        _device,
        _gigabyte,
        _folder,
        _of_another_user,
    ],
    ids=lambda make: make.__name__.strip("_"),
)
def test_bad_file(
    shared: Site, spool: Path, name: str, make: Callable[[Path, str], None]
) -> None:
    """A file that is not ours is never read, and moves to `rejected` as it is."""
    make(spool, name)
    good = _leave_good_trigger(spool)

    assert _wait_for_rejection(shared, spool) == name
    assert os.path.lexists(spool / "rejected" / name)
    _check_good_trigger(shared, good)


NAMES = {
    "dot": b".hidden",
    "option": b"--force",
    "blank": b"a b",
    "line break": b"a\nb",
    "no UTF-8": b"w\xffb",
    "shell": b"a;rm",
    "letter": "ä".encode(),
    "long": b"a" * 200,
}


@pytest.mark.parametrize("odd", NAMES.values(), ids=NAMES.keys())
def test_odd_name(shared: Site, spool: Path, odd: bytes) -> None:
    """A file with a name that cannot be a trigger's is rejected under a safe one."""
    _put(spool, GOOD, odd)
    good = _leave_good_trigger(spool)

    shown = _wait_for_rejection(shared, spool)
    assert shown.startswith("unnamed-")
    assert (spool / "rejected" / shown).read_bytes() == GOOD
    _check_good_trigger(shared, good)


@pytest.mark.parametrize("make", [_folder, _link, _fifo])
def test_same_name_twice(
    shared: Site, spool: Path, name: str, make: Callable[[Path, str], None]
) -> None:
    """A name that lies in `rejected` already does not keep the next file in `new`."""
    _folder(spool, name)
    _wait_for_rejection(shared, spool)

    make(spool, name)
    good = _leave_good_trigger(spool)

    _check_good_trigger(shared, good)
    assert len(list((spool / "rejected").iterdir())) == 4


def test_many_at_once(shared: Site, spool: Path) -> None:
    """Five hundred bad files do not hinder the good one behind them."""
    for _ in range(500):
        _put(spool, b"", _next_name())

    good = _leave_good_trigger(spool)

    _check_good_trigger(shared, good)
    assert len(shared.host.spool("rejected")) == 1000
    assert shared.host.spool() == {}


def test_hook_is_told(shared: Site, spool: Path, name: str) -> None:
    """A hook whose trigger file was spoilt ends with status 1 and the reason."""
    _put(spool, GOOD[:-4], name)
    _wait_for_rejection(shared, spool)

    done = shared.service.run("follow", "--data-dir", str(shared.host.data_dir), name)

    assert done.returncode == 1
    assert done.stderr.startswith(" !     dokku-registryd rejected this trigger: trunc")


def test_status_counts_them(shared: Site, spool: Path, name: str) -> None:
    """The command `status` tells how many files were rejected."""
    _put(spool, b"", name)
    _wait_for_rejection(shared, spool)

    assert shared.ask("status")["rejected_files"] == 1
