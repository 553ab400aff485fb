"""Any series of edits: cached content equals content that is read again."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import snapshot
from dokku_registryd.adapters.dokku.property_files import PropertyFiles
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.release import releases
from support import examples
from support.waiting import until

CORE, OURS, GLOBAL = policy.CORE, policy.OURS, policy.GLOBAL
# Few, so that edits meet in one file.
APPS = ("web", "api")
PROPERTIES = ("server", "heal")
VALUES = st.sampled_from(["1", "2", "22"])  # of the same length, most of the time
AN_APP = st.sampled_from(APPS)
OWNERS = st.sampled_from([*APPS, GLOBAL])
PLUGINS = st.sampled_from([CORE, OURS])
NAMES = st.sampled_from(PROPERTIES)
HOW = ("in place", "dated", "dated", "renamed")
MINUTE = snapshot.RACY_SECONDS + 1.0
DAY = 86_400.0
Facts = tuple[list[str], releases.DeployedRelease | None]


class Edits(RuleBasedStateMachine):
    """An operator edits, and the daemon looks now and then.

    A minute passes after each edit, so that two edits between which a look remembered
    something cannot meet in the same tick of the file system's clock.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="registryd-edits-"))
        self.config = self.root / "config"
        self.records = self.root / "deployed"
        for plugin in (CORE, OURS):
            (self.config / plugin).mkdir(parents=True)
        self.records.mkdir()
        self.ahead = MINUTE
        self.hours = 0
        self.remembered: dict[str, tuple[object, Facts]] = {}
        self.store = PropertyFiles(
            config_root=self.config,
            dokku_root=self.root,
            deployed_root=self.records,
            now=lambda: time.time() + self.ahead,
            monotonic=lambda: self.hours * float(snapshot.VOID_SECONDS),
        )

    def teardown(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self.root)

    # -- edits

    @rule(
        plugin=PLUGINS, owner=OWNERS, name=NAMES, value=VALUES, how=st.sampled_from(HOW)
    )
    def write(self, plugin: str, owner: str, name: str, value: str, how: str) -> None:
        """Write as Dokku does, as an archiver that sets times, or as an editor."""
        path = self._place(plugin, owner, name)
        if how == "renamed":
            (self.root / "beside").write_text(value)
            (self.root / "beside").rename(path)
            return
        path.write_text(value)
        if how == "dated":
            os.utime(path, (1, 1))

    @rule(
        plugin=PLUGINS,
        app=AN_APP,
        name=NAMES,
        what=st.sampled_from(("", "link", "dir")),
    )
    def remove(self, plugin: str, app: str, name: str, what: str) -> None:
        """Remove a property, and put an unreadable entry in its place."""
        path = self._place(plugin, app, name)
        path.unlink(missing_ok=True)
        if what == "link":
            path.symlink_to(PROPERTIES[0])
        elif what == "dir":
            path.mkdir()

    @rule(plugin=PLUGINS, app=AN_APP, how=st.sampled_from(("", "link", "move", "copy")))
    def replace_folder(self, plugin: str, app: str, how: str) -> None:
        """Remove an app's folder, and put another app's one or a link in its place."""
        place = self.config / plugin / app
        other = self.config / plugin / APPS[APPS.index(app) - 1]
        if place.is_symlink():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        if how == "link":
            place.symlink_to(other)
        elif how == "move" and os.path.lexists(other):
            other.rename(place)
        elif how == "copy" and other.is_dir():
            shutil.copytree(other, place, symlinks=True)

    @rule(app=AN_APP, number=st.integers(0, 9))
    def record(self, app: str, number: int) -> None:
        """Record a release, or remove the record."""
        path = self.records / app
        path.unlink(missing_ok=True) if number == 0 else path.write_text(
            f"r.example/\nweb\n{number}\n"
        )

    # -- looks

    @rule(ahead=st.sampled_from([0.0, -DAY]))
    def look(self, ahead: float) -> None:
        """Look at once after an edit, or by a clock that was set back."""
        self.ahead = ahead
        self._look()

    @rule()
    def pass_hour(self) -> None:
        """Let an hour pass."""
        self.hours += 1

    @invariant()
    def what_counts_is_true(self) -> None:
        """What a look takes from memory is what single questions find."""
        self._pass_minute()
        self._look()

    # -- inside

    def _look(self) -> None:
        """Look as a sweep does, and compare what counts with what is there."""
        with self.store.look() as look:
            for app in APPS:
                mark, facts = self.remembered.get(app, (None, None))
                if mark is None or not look.is_unchanged(app, mark):
                    found = look.of(app)
                    facts = (_facts(app, found.read), found.deployed)
                    self.remembered[app] = (found.mark, facts)
                read = _facts(app, self.store.get)
                assert facts == (read, self.store.deployed(app))

    def _pass_minute(self) -> None:
        probe = self.root / "probe"
        probe.write_text("")
        before = probe.stat().st_ctime_ns

        def is_later() -> bool:
            probe.write_text("")
            return probe.stat().st_ctime_ns > before

        until(is_later, what="a tick of the file system's clock")
        self.ahead = MINUTE

    def _place(self, plugin: str, app: str, name: str) -> Path:
        """Return where a property is to be written: nothing but a file is there."""
        folder = self.config / plugin / app
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(exist_ok=True)
        path = folder / name
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            path.rmdir()
        return path


def _facts(app: str, read: policy.Reader) -> list[str]:
    return [
        _fact(read, plugin, owner, name)
        for plugin in (CORE, OURS)
        for owner in (app, GLOBAL)
        for name in PROPERTIES
    ]


def _fact(read: policy.Reader, *place: str) -> str:
    try:
        return read(*place)
    except errors.UnreadableError:
        return "unreadable"


TestEdits = Edits.TestCase
TestEdits.settings = settings(
    max_examples=examples.number_of(100), stateful_step_count=40, deadline=None
)
