"""A sweep reads what changed and remembers the rest; its findings are the same."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator

import pytest

from dokku_registryd import ports
from dokku_registryd.adapters.dokku import property_files, snapshot
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release, sweep
from worlds import Host


class CountingLook:
    """Implements `ports.Snapshot` by another one, and notes which apps are read."""

    def __init__(self, look: ports.Snapshot, read: list[str]) -> None:
        self._look = look
        self._read = read

    def owners(self) -> set[str]:
        """Return what the other look does."""
        return self._look.owners()

    def of(self, app: str) -> ports.AppFiles:
        """Read an app, and note that."""
        self._read.append(app)
        return self._look.of(app)

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Return what the other look does."""
        return self._look.is_unchanged(app, mark)


class CountingFiles(property_files.PropertyFiles):
    """Property files that are a minute older than they are, and a note of each read."""

    def __init__(self, host: Host) -> None:
        super().__init__(
            config_root=host.folder / "config",
            dokku_root=host.folder / "home",
            deployed_root=host.folder / "data" / "deployed",
            now=lambda: time.time() + snapshot.RACY_SECONDS + 1,
        )
        self.read: list[str] = []

    @contextlib.contextmanager
    def look(self) -> Iterator[CountingLook]:  # type: ignore[override]
        """Give a look that notes what is read."""
        with super().look() as look:
            yield CountingLook(look, self.read)


@pytest.fixture
def two(host: Host) -> Host:
    """Give a host with two apps that were released twice, and a local one."""
    for number, app in enumerate(["api", "web"]):
        host.create_app(app)
        host.set(app, "heal", "on")
        for attempt in range(2):
            host.engine.add_image(f"dokku/{app}:latest", f"{app}-{attempt}".encode())
            job = host.add_job(Kind.RELEASE, f"{number}.{attempt}.1", app=app)
            host.perform(release.perform, job)
    host.create_app("local", push_on_release="")
    return host


@pytest.fixture
def files(two: Host) -> CountingFiles:
    """Give the files of the host, which say what of them is read."""
    return CountingFiles(two)


@pytest.fixture
def context(two: Host, files: CountingFiles) -> ports.Context:
    """Give a world that has swept once, and taken the spare names away."""
    found = two.replace(properties=files, deployed=files, remembered={})
    sweep.carry_out(found)
    return found


def afresh(context: ports.Context) -> sweep.Plan:
    """Return what a sweep without any memory finds."""
    return sweep.plan(dataclasses.replace(context, remembered={}))


def test_an_unchanged_host(context: ports.Context, files: CountingFiles) -> None:
    """Where nothing has changed no app is read, and the findings are the same."""
    files.read.clear()

    found = sweep.plan(context)

    assert files.read == []
    assert found.references == 8
    assert found == afresh(context)


CHANGES: dict[str, Callable[[Host], object]] = {
    "property": lambda host: host.set("web", "heal", "off"),
    "property-in-place": lambda host: (
        host.folder / "config" / policy.OURS / "web" / "heal"
    ).write_text("off"),
    "record": lambda host: host.files.record_deployed(
        "web", host.release("1.0.1").deployed
    ),
    "ledger": lambda host: host.ledger.update_release("1.1.1", scheduler="k3s"),
    "forgotten": lambda host: host.ledger.forget_app("web"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_one_app_that_changed(
    two: Host,
    context: ports.Context,
    files: CountingFiles,
    change: Callable[[Host], object],
) -> None:
    """One app is read, and what is found is what a sweep without memory finds."""
    before = context.remembered["web"].need
    change(two)
    files.read.clear()

    found = sweep.plan(context)

    assert set(files.read) == {"web"}
    assert context.remembered["web"].need != before
    assert found == afresh(context)


def test_a_change_for_all_apps(
    two: Host, context: ports.Context, files: CountingFiles
) -> None:
    """A global property concerns every app, so every app is read."""
    for app in ("api", "web"):
        two.set(app, "heal", "")
    sweep.carry_out(context)
    two.set(policy.GLOBAL, "heal", "off")
    files.read.clear()

    found = sweep.plan(context)

    assert files.read == ["api", "local", "web"]
    assert found.references == 0


def test_another_plugin_in_charge(two: Host, context: ports.Context) -> None:
    """Where Dokku's own plugin takes charge, our records count no longer."""
    two.files.set(policy.CORE, "web", "image-repo", "org/other")
    sweep.plan(context)

    two.enable_core()

    assert "r.example/org/other:2" in {
        gap.wanted.reference for gap in sweep.plan(context).gaps
    }


def test_an_app_that_is_gone(two: Host, context: ports.Context) -> None:
    """What was remembered of an app goes with it."""
    two.destroy_app("web")

    sweep.plan(context)

    assert sorted(context.remembered) == ["api", "local"]


def test_names_that_vanish_are_missed(two: Host, context: ports.Context) -> None:
    """Only what files and ledger say is remembered, never what the Engine has."""
    two.engine.lose("org/web:2")

    (gap,) = sweep.plan(context).gaps

    assert isinstance(gap, wanted.Retag)
    assert gap.wanted.reference == "org/web:2"


def test_names_of_a_superseded_release_that_come_back(
    two: Host, context: ports.Context
) -> None:
    """A spare name is found although nothing of its app has changed."""
    older = two.release("1.0.1")
    two.engine.tag(older.image_id, "r.example/org/web:1")
    two.engine.tag(older.image_id, "org/web:1")

    found = sweep.plan(context)

    assert "r.example/org/web:1" in found.removable_names
    assert found == afresh(context)


def test_an_image_of_a_superseded_release_that_comes_back(
    two: Host, context: ports.Context
) -> None:
    """An image that was gone when its app was read is known again at once."""
    two.engine.lose("dokku/web:1")
    context.remembered.clear()
    assert sweep.plan(context).removable_names == ()

    for name in ("r.example/org/web:1", "org/web:1"):
        two.engine.add_image(name, b"web-0")
    found = sweep.plan(context)

    assert found.removable_names == ("r.example/org/web:1",)
    assert found == afresh(context)


def test_an_unconfirmed_push_is_remembered(two: Host, context: ports.Context) -> None:
    """What a push still needs keeps its names at every sweep."""
    two.ledger.update_release("1.0.1", state=ReleaseState.CONFIRMED)
    two.engine.tag(two.release("1.0.1").image_id, "org/web:1")

    plans = [sweep.plan(context), sweep.plan(context)]

    assert [found.removable_names for found in plans] == [(), ()]
