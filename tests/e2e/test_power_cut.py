"""Power cuts: promised data is on the disk, unsynced data may be lost."""

import itertools
import random
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from powercut import audit, changes, cuts, recorder, tree, verbs
from powercut.actor import Actor
from powercut.facts import Reader
from powercut.recorder import Recorder, Recording
from powercut.recovery import Recovery
from support import engines, examples
from support.engines import EngineServer
from support.registries import RegistryServer
from torture.host import TortureHost

LEAST_STATES = 2000
# One state in eight, and each in a full run. What breaks does so in many of them.
EVERY = 1 if examples.are_all_wanted() else 8
# A sync that is left out is looked for in few states first.
CLOSER = (32, 8, 2, 1)
# Each is a sync that is left out, by the end of its path, and what is then found wrong.
CONTROLS = {
    "content of a property": ("/web/.*.tmp", "push-extra-tags is b''"),
    "name of a property": ("/config/registry/web", "push-extra-tags is b'latest'"),
    "removal of a property": ("/config/registry/web", "image-repo is b'org/web'"),
    "content of a login": ("/.config.json.login.*", "not an auth config"),
    "name of a login": ("/config/registry/new", "lacks the login"),
    "content of a trigger": ("/spool/tmp/*", "not a trigger"),
    "name of a trigger": ("/spool/new", "neither in the spool nor in the ledger"),
    "commit of the ledger": ("/ledger.sqlite3-wal", "is neither pushed nor waiting"),
    "folder made by a command": ("/config/registryd", "/old/push-policy is None"),
    "folder made for a new app": ("/config/registry", "/new/config.json lacks"),
    "folder of what runs": ("/registryd", "but '\\n\\n\\n' is recorded"),
    "record of what runs": ("/deployed", "is recorded"),
    "folder set aside": ("/forgotten", "unknown which logins of api helpers keep"),
    "end of an app": ("/config/registryd", "api is gone, but left"),
}
"""Of paths: `*` stands for anything."""


Recorded = tuple[Recorder, Recording]


@pytest.fixture(scope="module")
def recorded(
    classic_engine: EngineServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    """Give a host on which much was done once, and what it did to its disk."""
    folder = tmp_path_factory.mktemp("power")
    program = engines.find_program("native", "docker-registry")
    environment = engines.environment_for("native")
    classic_engine.ensure()
    classic_engine.wipe()
    with (
        RegistryServer(program, folder / "r", environment=environment) as registry,
        TortureHost(folder / "life", classic_engine, registry) as host,
    ):
        watcher = Recorder(host)
        actor = Actor(watcher, lambda _step: None)
        verbs.prepare(actor)
        with watcher.recording() as result:
            for name in ("set", "login", "release", "background", "clone", "destroy"):
                verbs.VERBS[name](actor)
        yield watcher, result()
    classic_engine.wipe()


@pytest.fixture(scope="module")
def reader(recorded: Recorded) -> Iterator[Reader]:
    """Give what reads states of that host."""
    host = recorded[0].host.site.host
    with Reader(host.data_dir, host.config_root) as reader:
        yield reader


@pytest.fixture(scope="module")
def recovery(recorded: Recorded) -> Recovery:
    """Give what starts that host again; the registry is as it was at the end."""
    return Recovery(*recorded)


@pytest.mark.together
def test_every_state_keeps_what_was_promised(
    recorded: Recorded, reader: Reader
) -> None:
    """Thousands of states after a cut can be read, and each keeps all promises."""
    findings = list(audit.audit(recorded[1], reader, every=EVERY))

    assert [(one.cut.name, one.broken) for one in findings if one.broken] == []
    assert len(findings) * EVERY > LEAST_STATES


@pytest.mark.together
@pytest.mark.parametrize("name", CONTROLS)
def test_a_sync_that_is_left_out(recorded: Recorded, reader: Reader, name: str) -> None:
    """Each sync is needed: without it some state breaks a promise."""
    path, wanted = CONTROLS[name]

    findings = itertools.chain.from_iterable(
        audit.audit(
            recorded[1],
            reader,
            omit=lambda sync: fnmatch(sync.path, f"*{path}"),
            every=every,
        )
        for every in CLOSER
    )

    assert any(wanted in why for one in findings for why in one.broken)


@pytest.mark.together
@pytest.mark.parametrize("number", range(2))
def test_a_host_recovers(recorded: Recorded, recovery: Recovery, number: int) -> None:
    """The daemon is started on what a cut left, and ends what was promised."""
    states = list(cuts_of(recorded[1]))
    draw = random.Random(f"recovery {number}")  # noqa: S311 - it must be repeatable

    found = recovery.violations(draw.choice(states))

    assert found == []


def cuts_of(recording: Recording) -> Iterator[cuts.Cut]:
    """Give states of a recording in which contents are lost."""
    disk = cuts.Disk(recording.history, kept=recording.kept, loose=recording.loose)
    return disk.cuts([], named="no data")


def states_of(*steps: changes.Change | changes.Sync) -> set[tuple[str, ...]]:
    """Return all states of a folder `/r` (1) with a file `a` (2), as `name=content`."""
    base = tree.Tree(
        folders={1: {"a": 2}}, contents={2: b"old", 3: b""}, roots={"/r": 1}
    )
    history = changes.History(base=base, steps=[*steps], end=base)
    return {
        tuple(
            f"{path}={content!r}"
            for path, content in sorted(cut.tree.files().items())
            if content is not None
        )
        for cut in cuts.Disk(history).cuts([])
    }


def written(content: bytes, ended: int) -> changes.Data:
    """Return a write to the file that is to replace the other one."""
    return changes.Data(file=3, offset=0, content=content, path="/r/b", ended=ended)


def test_a_name_may_come_before_its_content() -> None:
    """What is renamed without a sync may be empty, or zeros; with one it is whole."""
    renamed = changes.Names(entries=((1, "a", 3),), path="/r/a", ended=4)
    sync = changes.Sync(node=3, path="/r/b", trace="", began=2, ended=3)

    careless = states_of(written(b"new", 1), renamed)
    careful = states_of(written(b"new", 1), sync, renamed)

    assert {("/r/a=b''",), ("/r/a=b'\\x00\\x00\\x00'",)} <= careless
    assert careful == {("/r/a=b'old'",), ("/r/a=b'new'",)}


def test_a_sync_covers_what_had_ended() -> None:
    """What was written while a sync ran may be lost."""
    renamed = changes.Names(entries=((1, "a", 3),), path="/r/a", ended=5)
    sync = changes.Sync(node=3, path="/r/b", trace="", began=2, ended=4)

    assert ("/r/a=b''",) in states_of(written(b"new", 3), sync, renamed)


def test_names_of_a_folder_keep_their_order() -> None:
    """A later change of names is never there without the one before."""
    first = changes.Names(entries=((1, "b", 3),), path="/r/b", ended=1)
    second = changes.Names(entries=((1, "a", None),), path="/r/a", ended=2)

    assert states_of(first, second) == {
        ("/r/a=b'old'",),
        ("/r/a=b'old'", "/r/b=b''"),
        ("/r/b=b''",),
    }


def test_a_large_write_may_be_torn() -> None:
    """Blocks of a disk are there or not; a block is never half there."""
    named = changes.Names(entries=((1, "a", 3),), path="/r/a", ended=1)
    whole = b"x" * 1024

    found = states_of(named, written(whole, 2))

    assert (f"/r/a={whole[:512]!r}",) in found
    assert (f"/r/a={bytes(512) + whole[512:]!r}",) in found


def test_a_call_that_was_missed(tmp_path: Path) -> None:
    """What the calls do not explain is found: a record is whole or no record."""
    there = tree.look([tmp_path])
    history = changes.follow(there, [])
    (tmp_path / "file").write_text("unseen")

    with pytest.raises(AssertionError, match="do not lead to"):
        recorder.check(history, tree.look([tmp_path]))
