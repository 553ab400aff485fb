"""What was read of an app counts as long as its files are surely the same."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_survey, snapshot
from dokku_registryd.adapters.dokku.property_files import PropertyFiles
from dokku_registryd.core.dokku import other_plugins, policy
from dokku_registryd.core.release import releases
from support.waiting import until

CORE, OURS, GLOBAL = policy.CORE, policy.OURS, policy.GLOBAL
BUILDER = other_plugins.BUILDER
MINUTE = snapshot.RACY_SECONDS + 1.0
HOUR = float(snapshot.VOID_SECONDS)
TICK_NS = 10_000_000  # the longest tick of a Linux kernel


class Place:
    """The files of a host, and a clock that may go wrong.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ahead = MINUTE
        self.monotonic = 0.0
        self.core = root / "config" / CORE
        self.ours = root / "config" / OURS
        self.records = root / "deployed"
        self.store = PropertyFiles(
            config_root=root / "config",
            dokku_root=root / "home",
            deployed_root=self.records,
            now=lambda: time.time() + self.ahead,
            monotonic=lambda: self.monotonic,
        )

    def pass_tick(self) -> None:
        """Wait until all later writes have a later time than earlier ones."""
        probe = self.root / "probe"
        probe.write_text("")
        before = probe.stat().st_ctime_ns

        def is_later() -> bool:
            probe.write_text("")
            return probe.stat().st_ctime_ns > before + TICK_NS

        until(is_later, what="a tick of the file system's clock")

    def mark(self, app: str = "web") -> object:
        """Read an app and return its mark."""
        with self.store.look() as look:
            return look.of(app).mark

    def is_whole(self, app: str = "web") -> bool:
        """Tell whether all that the files say of an app could be read."""
        with self.store.look() as look:
            return look.of(app).is_whole

    def is_unchanged(self, mark: object, app: str = "web") -> bool:
        """Tell whether an app's files are as they were."""
        with self.store.look() as look:
            return look.is_unchanged(app, mark)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a host with one app that was released; all of it is older than a minute."""
    found = Place(tmp_path)
    found.store.set(CORE, "web", "server", "one.example")
    found.store.set(CORE, "web", "tag-version", "3")
    found.store.set(OURS, "web", "heal", "off")
    found.store.set(CORE, GLOBAL, "server", "quay.io")
    found.store.record_deployed(
        "web", releases.DeployedRelease(server="", image_repo="web", number=3)
    )
    found.pass_tick()
    return found


def test_unchanged_files(place: Place) -> None:
    """What is as it was needs no reading, at any later look."""
    mark = place.mark()
    place.ahead += HOUR

    assert mark is not None
    assert place.is_unchanged(mark)


def _write_in_place(place: Place) -> None:
    (place.core / "web" / "server").write_text("two.example")


def _set_time_back(place: Place) -> None:
    path = place.core / "web" / "server"
    status = path.stat()
    path.write_text("two.example")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _rename_over(place: Place) -> None:
    place.store.set(CORE, "web", "server", "two.example")


def _replace_by_older_file(place: Place) -> None:
    beside = place.root / "beside"
    shutil.copy2(place.core / "web" / "server", beside)
    beside.rename(place.core / "web" / "server")


def _link(place: Place) -> None:
    path = place.core / "web" / "server"
    kept = path.rename(place.root / "kept")
    path.symlink_to(kept)


def _link_folder(place: Place) -> None:
    kept = (place.core / "web").rename(place.root / "kept")
    (place.core / "web").symlink_to(kept)


def _replace_folder_by_clone(place: Place) -> None:
    shutil.copytree(place.core / "web", place.core / "clone")
    shutil.rmtree(place.core / "web")
    (place.core / "clone").rename(place.core / "web")


def _skip_cleanup(place: Place) -> None:
    place.store.set(BUILDER, "web", "skip-cleanup", "true")


CHANGES: dict[str, Callable[[Place], object]] = {
    "in-place": _write_in_place,
    "in-place-and-time-set-back": _set_time_back,
    "renamed-over": _rename_over,
    "older-file-renamed-over": _replace_by_older_file,
    "mode": lambda place: (place.core / "web" / "server").chmod(0),
    "mode-of-folder": lambda place: (place.core / "web").chmod(0o500),
    "removed": lambda place: place.store.delete(CORE, "web", "server"),
    "added": lambda place: place.store.set(CORE, "web", "image-repo", "x"),
    "link": _link,
    "link-as-folder": _link_folder,
    "folder-removed": lambda place: shutil.rmtree(place.ours / "web"),
    "folder-renamed": lambda place: (place.core / "web").rename(place.core / "api"),
    "folder-replaced": _replace_folder_by_clone,
    "root-removed": lambda place: shutil.rmtree(place.ours),
    "global-in-place": lambda place: (place.core / GLOBAL / "server").write_text("x.y"),
    "of-another-plugin": _skip_cleanup,
    "global-of-another-plugin": lambda place: place.store.set(
        BUILDER, GLOBAL, "skip-cleanup", "true"
    ),
    "global-added": lambda place: place.store.set(OURS, GLOBAL, "heal", "off"),
    "record-in-place": lambda place: (place.records / "web").write_text("\nweb\n4\n"),
    "record-removed": lambda place: place.store.forget_deployed("web"),
    "records-removed": lambda place: shutil.rmtree(place.records),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_files(place: Place, change: Callable[[Place], object]) -> None:
    """Any change of a relevant file, by any means, is detected."""
    mark = place.mark()

    change(place)

    assert not place.is_unchanged(mark)


def test_a_login_does_not_matter(place: Place) -> None:
    """A login that is written in place does not cause reading the properties."""
    login = place.core / "web" / "config.json"
    login.write_text("{}")
    mark = place.mark()

    login.write_text("{ }")

    assert place.is_unchanged(mark)


def test_another_property_of_another_plugin_does_not_matter(place: Place) -> None:
    """What Dokku's builder writes at each build does not cause reading the app."""
    place.store.set(BUILDER, "web", "detected", "dockerfile")
    place.store.set(BUILDER, "api", "detected", "dockerfile")
    place.pass_tick()
    mark = place.mark()

    (place.root / "config" / BUILDER / "web" / "detected").write_text("pack")

    assert place.is_unchanged(mark)
    with place.store.look() as look:
        assert look.owners() == {"web"}
        assert look.of("web").read(BUILDER, "web", "skip-cleanup") == ""


def test_what_was_changed_within_the_last_minute(place: Place) -> None:
    """A second change in the same tick of a clock may not show: no mark is made."""
    place.ahead = 0.0

    assert place.mark() is None


def _age_of(path: Path) -> float:
    """Return how long ago a file was changed, and a little less."""
    return time.time() - path.stat().st_ctime + TICK_NS / 2e9


@pytest.mark.parametrize(
    "fresh", ["config/registry/web/server", "config/registryd/web", "deployed/web"]
)
def test_one_fresh_file_among_old_ones(place: Place, fresh: str) -> None:
    """The youngest of an app's files and folders counts."""
    path = place.root / fresh
    path.chmod(path.stat().st_mode & 0o700)
    place.ahead = snapshot.RACY_SECONDS - _age_of(path)

    assert place.mark() is None


def test_a_clock_that_was_set_back(place: Place) -> None:
    """A mark is void while files seem fresh: the same moment may come once more."""
    mark = place.mark()
    place.ahead = -24 * HOUR

    assert not place.is_unchanged(mark)
    assert place.mark() is None


def test_marks_end_after_an_hour(place: Place) -> None:
    """After an hour the files are read, regardless of `stat`."""
    mark = place.mark()
    place.monotonic += HOUR

    assert not place.is_unchanged(mark)
    assert place.is_unchanged(place.mark())


def test_not_all_marks_end_at_once(place: Place) -> None:
    """Of many apps some are read again at each sweep, so that no sweep is slow."""
    apps = [f"app{number}" for number in range(200)]
    for app in apps:
        (place.core / app).mkdir()
    marks = {app: place.mark(app) for app in apps}
    place.monotonic += HOUR / 2

    left = sum(place.is_unchanged(mark, app) for app, mark in marks.items())

    assert 50 < left < 150


@pytest.mark.parametrize("what", ["property", "folder", "record"])
def test_what_cannot_be_read_is_not_remembered(place: Place, what: str) -> None:
    """An error may be gone by the next look, so what it hid is asked for again."""
    path = {
        "property": place.core / "web" / "server",
        "folder": place.core / "web" / "image-repo",
        "record": place.records / "web",
    }[what]
    path.unlink(missing_ok=True)
    path.mkdir()

    assert place.mark() is None
    assert not place.is_whole()


def test_a_root_that_cannot_be_opened(place: Place) -> None:
    """Where a folder of all apps cannot be looked into, nothing is remembered."""
    mark = place.mark()
    kept = place.records.rename(place.root / "kept")
    place.records.symlink_to(kept)

    assert not place.is_unchanged(mark)
    assert place.mark() is None
    assert not place.is_whole()


@pytest.mark.parametrize("what", ["server", "heal"])
def test_a_global_property_that_cannot_be_read(place: Place, what: str) -> None:
    """What holds for all apps is missed for each of them."""
    path = (place.core if what == "server" else place.ours) / GLOBAL / what
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)

    assert place.mark() is None
    assert not place.is_whole()


def test_nothing_is_missed(place: Place) -> None:
    """Missing files, global properties among them, are not an error."""
    assert place.is_whole()

    shutil.rmtree(place.core / GLOBAL)
    shutil.rmtree(place.ours)
    place.store.forget_deployed("web")

    assert place.is_whole()


@pytest.mark.parametrize("what", ["config", "registry", "web"])
@pytest.mark.parametrize("is_linked", [False, True])
def test_properties_that_are_away(place: Place, what: str, is_linked: bool) -> None:
    """Of a released app no lost property counts as unset, or is recreated."""
    folder = {"config": place.core.parent, "registry": place.core}.get(
        what, place.core / "web"
    )
    folder.rename(place.root / "kept")
    if is_linked:
        folder.symlink_to("/nonexistent/disk")

    assert place.mark() is None
    assert not place.is_whole()
    with pytest.raises(errors.UnreadableError, match=folder.name):
        place.store.get(CORE, "web", "server")
    with pytest.raises(errors.TransientError):
        place.store.set(CORE, "web", "tag-version", "4")
    assert not (folder / "web").exists()
    survey = property_survey.unreadable(place.root / "config", place.records, None)
    (told,) = set(survey)
    assert str(folder) in told


@pytest.mark.parametrize("what", ["config", "registry", "web"])
def test_properties_that_never_were(place: Place, what: str) -> None:
    """Before the first release a folder that is missing says that nothing is set."""
    place.store.forget_deployed("web")
    shutil.rmtree(
        {"config": place.core.parent, "registry": place.core}.get(
            what, place.core / "web"
        )
    )

    assert place.is_whole()
    assert place.store.get(CORE, "web", "server") == ""
    place.store.set(CORE, "web", "tag-version", "1")


def test_a_host_without_any_files(tmp_path: Path) -> None:
    """A host that has no folder of properties yet is remembered as such."""
    place = Place(tmp_path)
    mark = place.mark()

    assert place.is_unchanged(mark)
    place.store.set(CORE, "web", "server", "one.example")
    assert not place.is_unchanged(mark)


def test_nothing_of_the_working_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the properties' folder is missing, no folder of that name is taken."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / GLOBAL).mkdir(parents=True)
    (elsewhere / GLOBAL / "server").write_text("evil.example")
    monkeypatch.chdir(elsewhere)

    with Place(tmp_path / "host").store.look() as look:
        found = look.of("web").read(CORE, GLOBAL, "server")

    assert found == ""


def test_the_same_lists_are_kept_once(place: Place) -> None:
    """Apps with the same properties share the list of them: memory stays flat."""
    for app in ("api", "shop"):
        place.store.set(CORE, app, "server", "one.example")
    with place.store.look() as look:
        first, second = look.of("api").mark, look.of("shop").mark

    assert isinstance(first, snapshot.Mark)
    assert isinstance(second, snapshot.Mark)
    assert first.listed is second.listed


def test_no_descriptor_stays_open(place: Place) -> None:
    """A look gives its open folders back, at its end and where a file is refused."""
    (place.core / "web" / "image-repo").symlink_to("server")
    place.mark()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only the number matters

    for _ in range(5):
        place.is_unchanged(place.mark())

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
