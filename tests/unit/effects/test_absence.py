"""Apps that a sweep does not see: they keep everything, and it is told."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dokku_registryd import errors
from dokku_registryd.adapters.dokku.property_files import PropertyFiles
from dokku_registryd.adapters.files import absence_facts, absence_file
from dokku_registryd.core.dokku import policy, presence
from dokku_registryd.core.dokku.presence import Cause
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import release, sweep
from worlds import Host

DAY = 86_400.0
APPS = ("api", "shop", "web")


@pytest.fixture
def three(host: Host) -> Host:
    """Give a host with three apps that were released, after a sweep that saw them."""
    for number, app in enumerate(APPS):
        host.create_app(app)
        host.engine.add_image(f"dokku/{app}:latest", app.encode())
        job = host.add_job(Kind.RELEASE, f"{number}.1.1", app=app)
        host.perform(release.perform, job)
    run_sweep(host)
    return host


def run_sweep(host: Host) -> list[tuple[str, str]]:
    """Sweep once and return what was told of apps."""
    # Where the root cannot be read the sweep itself fails, after it told so.
    with capture_logs() as lines, contextlib.suppress(errors.TransientError):
        sweep.carry_out(host.context)
    told = [line for line in lines if line["event"].startswith("apps.")]
    return [(line["event"], line.get("cause", "")) for line in told]


def kept(host: Host) -> list[object]:
    """Return all that apps have here."""
    config = host.folder / "config"
    return [
        host.files.owners(),
        sorted(str(path) for path in config.rglob("*")),
        [host.deployed(app) for app in APPS],
        [row.job_id for row in host.ledger.releases()],
        host.names(),
        [t for t in host.submitted if t.kind is Kind.ABANDONED],
    ]


def _empty(home: Path) -> None:
    home.rename(home.with_name("away"))
    home.mkdir()


def _unmount(home: Path) -> None:
    _empty(home)
    (home / ".ssh").mkdir()


def _dangle(home: Path) -> None:
    (home / "web").rmdir()
    (home / "web").symlink_to(home / "nowhere")


HIDDEN: dict[str, tuple[Callable[[Path], object], Cause]] = {
    "one": (lambda home: (home / "web").rmdir(), Cause.APPS),
    "link-to-nowhere": (_dangle, Cause.APPS),
    "all-but-something": (_unmount, Cause.ROOT_EMPTY),
    "empty": (_empty, Cause.ROOT_EMPTY),
    "root-away": (
        lambda home: home.rename(home.with_name("away")),
        Cause.ROOT_UNREADABLE,
    ),
    "root-is-a-file": (
        lambda home: [home.rename(home.with_name("away")), home.write_text("")],
        Cause.ROOT_UNREADABLE,
    ),
}


@pytest.mark.parametrize(("hide", "cause"), HIDDEN.values(), ids=HIDDEN)
def test_an_app_that_is_not_seen(
    three: Host, hide: Callable[[Path], object], cause: Cause
) -> None:
    """Nothing goes of apps that are hidden, and it is told once, with the cause."""
    before = kept(three)

    hide(three.folder / "home")
    told = [run_sweep(three) for _ in range(3)]

    assert kept(three) == before
    assert told == [[("apps.missed", cause.value)], [], []]
    absence = three.context.absences.recall().absence
    assert absence.cause is cause
    assert "web" in [entry.app for entry in absence.apps]


def test_apps_that_come_back(three: Host) -> None:
    """When the apps are seen again that is told, too, and nothing is missing."""
    home = three.folder / "home"
    _unmount(home)
    run_sweep(three)
    (home / ".ssh").rmdir()
    home.rmdir()
    home.with_name("away").rename(home)

    assert run_sweep(three) == [("apps.returned", "")]
    assert three.context.absences.recall().absence == presence.Absence()


def test_an_app_behind_a_link(three: Host) -> None:
    """An app that was moved to another disk and linked to is there, as for Dokku."""
    home = three.folder / "home"
    (home / "web").rename(three.folder / "web")
    (home / "web").symlink_to(three.folder / "web")
    three.engine.lose("org/web:1")

    assert run_sweep(three) == []
    assert [t.app for t in three.submitted if t.kind is Kind.HEAL] == ["web"]


class Creating(PropertyFiles):
    """Property files of a host where an app is created after the apps are listed."""

    def root(self) -> presence.Root:
        """List the root, then let Dokku create an app."""
        found = super().root()
        (self._dokku_root / "new").mkdir(exist_ok=True)
        self.set(policy.CORE, "new", "server", "r.example")
        return found


def test_an_app_that_is_created_meanwhile(three: Host) -> None:
    """What is created between two listings is not missed: owners are listed first."""
    files = Creating(
        config_root=three.folder / "config",
        dokku_root=three.folder / "home",
        deployed_root=three.folder / "data" / "deployed",
    )
    three.context = three.replace(properties=files)

    assert run_sweep(three) == []


def test_it_is_told_once_in_several_lives(three: Host) -> None:
    """A daemon that starts again does not tell what the one before has told."""
    (three.folder / "home" / "web").rmdir()
    run_sweep(three)

    path = three.folder / "data" / "absence"
    three.context = three.replace(absences=absence_file.AbsenceFile(path))

    assert run_sweep(three) == []
    (entry,) = three.context.absences.recall().absence.apps
    assert (entry.app, entry.since) == ("web", three.clock.now())


def test_days_are_remembered(three: Host) -> None:
    """An app that stays away for days is proposed, and still keeps everything."""
    (three.folder / "home" / "web").rmdir()
    before = kept(three)
    path = three.folder / "data" / "absence"

    for _ in range(12):
        run_sweep(three)
        # Each time another process.
        three.context = three.replace(absences=absence_file.AbsenceFile(path))
        three.clock.seconds += DAY / 4
    few = [entry.is_proposed for entry in three.context.absences.recall().absence.apps]
    run_sweep(three)
    many = [entry.is_proposed for entry in three.context.absences.recall().absence.apps]

    assert (few, many) == ([False], [True])
    assert kept(three) == before
    facts = absence_facts.read(str(three.folder / "data"))
    assert [row["app"] for row in facts["apps"]] == ["web"]


def test_a_full_disk_stops_no_sweep(three: Host) -> None:
    """Where it cannot be kept, it is told once all the same, and the sweep goes on."""
    (three.folder / "data" / "absence").unlink()
    (three.folder / "data" / "absence").mkdir()
    (three.folder / "home" / "web").rmdir()
    three.engine.lose("org/api:1")

    told = [run_sweep(three) for _ in range(2)]

    assert told == [[("apps.missed", "apps")], []]
    assert [t.app for t in three.submitted if t.kind is Kind.HEAL] == ["api", "api"]
