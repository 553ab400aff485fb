"""`releases`: the releases in the ledger, and what made each of them."""

import argparse
import contextlib
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.adapters.ledger import ledger, peek
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.release import completeness, holds, origins, releases
from dokku_registryd.verbs import output, preparation
from dokku_registryd.verbs.releases import release_page
from dokku_registryd.wiring import properties

_NO_ORIGIN = origins.Origin()
_HEADS = (
    *("APP", "NUMBER", "STATE", "AGE", "REVISION", "BY", "HOW", "DIGEST"),
    "REFERENCE",
)
_UNKNOWN = "-"
_WIDEST = 40
"""Characters of a cell; the page of one release has the whole text."""
_INTERNAL = ("previous_number", "sequence", "is_taken_back")


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Print the ledger's releases, or one of them with all that is known.

    Raises:
        LedgerError: The ledger cannot be read, or its folder is missing.
        RegistrydError: The app has no release of this number.
    """
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    number = int(getattr(arguments, "number", None) or 0)
    book = preparation.read_ledger(settings)
    if book is None:
        peek.require_folder(str(settings.data_dir))
    with contextlib.closing(book) if book else contextlib.nullcontext():
        shelf = _Shelf(book, arguments.app, properties.build_properties(settings))
        rows = _chosen(shelf.rows, number, getattr(arguments, "limit", 0))
        if number and not rows:
            raise errors.RegistrydError(_no_such(arguments.app, number, shelf.rows))
        if arguments.format == "json":
            out.json([shelf.as_json(release) for release in rows])
        elif number:
            builds = Path(settings.paths.dokku_lib_root) / "data" / "builds"
            for line in shelf.page(rows[0], builds).lines(time.time()):
                out.line(line)
        else:
            _print_table(rows, shelf, out)
    return 0


class _Shelf:
    """What the ledger knows about the releases of one app, or of all.

    Args:
        book: The ledger; None if there is none yet.
        app: The app; None for all.
        files: The files that say what runs and what is held.
    """

    def __init__(
        self,
        book: ledger.SqliteLedger | None,
        app: str | None,
        files: property_files.PropertyFiles,
    ) -> None:
        self._book = book
        self._files = files
        self._running: dict[str, releases.DeployedRelease | None] = {}
        self._holds: dict[str, holds.Holds] = {}
        self._app = app
        self.rows = book.releases(app) if book else []
        self._origins = book.origins(app) if book else {}
        self._by_app: dict[str, list[releases.Release]] = {}
        self._moves: Mapping[str, Mapping[str, str]] | None = None
        self._checks: Mapping[str, completeness.Record] | None = None
        self._removals = book.removals(app) if book else {}

    def removed_at(self, release: releases.Release) -> float:
        """Return when its number was removed from its registry; 0 if it was not."""
        removal = self._removals.get(release.job_id)
        return removal.removed_at if removal else 0.0

    def is_live(self, release: releases.Release) -> bool:
        """Return whether its app runs a release, as far as that can be read."""
        app = release.app
        if app not in self._running:
            self._running[app] = None
            with contextlib.suppress(errors.UnreadableError):
                self._running[app] = self._files.deployed(app)
        runs = self._running[app]
        return runs is not None and release.goes_by(runs)

    def hold(self, release: releases.Release) -> str | None:
        """Return why a release is held; empty without a reason, None if it is not."""
        app = release.app
        if app not in self._holds:
            text = ""
            with contextlib.suppress(errors.UnreadableError):
                text = self._files.get(policy.OURS, app, "hold")
            self._holds[app] = holds.parse(text)[0]
        return self._holds[app].numbers.get(release.number)

    def origin(self, release: releases.Release) -> origins.Origin:
        """Return what made a release."""
        return self._origins.get(release.job_id, _NO_ORIGIN)

    def how(self, release: releases.Release) -> str:
        """Return in a few words how a release came about."""
        before = self._before(release)
        return origins.describe(self.origin(release), release.app, before=before)

    def page(self, release: releases.Release, builds: Path) -> release_page.Page:
        """Return all that is known about a release.

        Args:
            release: The release.
            builds: The folder of Dokku's logs of builds.
        """
        return release_page.Page(
            release=release,
            origin=self.origin(release),
            check=self._check(release),
            moves=self._tags(release),
            numbers={
                row.digest: row.number
                for row in reversed(self.rows)
                if row.sequence < release.sequence
            },
            before=self._before(release),
            is_live=self.is_live(release),
            hold=self.hold(release),
            has_log=(builds / release.app / f"{release.build}.log").is_file(),
        )

    def as_json(self, release: releases.Release) -> dict[str, object]:
        """Return a release as a script gets it."""
        facts = dataclasses.asdict(release)
        for name in _INTERNAL:
            del facts[name]
        check = self._check(release)
        return {
            **facts,
            "reference": release.reference,
            "is_live": self.is_live(release),
            "is_held": self.hold(release) is not None,
            "parts": check.standing.value,
            "complete_at": check.complete_at,
            "removed_at": self.removed_at(release),
            "missing": list(check.missing),
            **dataclasses.asdict(self.origin(release)),
            "how": self.how(release),
            "extra_tags": [
                {"tag": tag, "previous": digest}
                for tag, digest in self._tags(release).items()
            ],
        }

    def _before(self, release: releases.Release) -> int:
        if not self.origin(release).from_number:
            return 0
        if not self._by_app:
            for row in self.rows:
                self._by_app.setdefault(row.app, []).append(row)
        return origins.ran_before(release, self._by_app[release.app])

    def _tags(self, release: releases.Release) -> Mapping[str, str]:
        if self._moves is None:
            self._moves = self._book.all_tag_moves(self._app) if self._book else {}
        return self._moves.get(release.job_id, {})

    def _check(self, release: releases.Release) -> completeness.Record:
        if self._checks is None:
            self._checks = self._book.checks_since(0.0) if self._book else {}
        known = self._checks.get(release.job_id)
        if known is None or known.digest != release.digest:
            return completeness.Record(job_id=release.job_id, digest=release.digest)
        return known


def _chosen(
    rows: list[releases.Release], number: int, limit: int
) -> list[releases.Release]:
    if number:
        return [release for release in rows if release.number == number]
    if limit:
        newest = sorted(rows, key=lambda release: -release.created_at)[:limit]
        return [release for release in rows if release in newest]
    return rows


def _no_such(app: str, number: int, rows: list[releases.Release]) -> str:
    if not rows:
        return f"{app} has no release {number}: it has none yet"
    known = sorted({release.number for release in rows})
    found = f"{known[0]} to {known[-1]}" if known[1:] else f"only {known[0]}"
    return (
        f"{app} has no release {number}: the ledger has {found}."
        f" List them with: dokku registryd:releases {app}"
    )


def _print_table(
    rows: list[releases.Release], shelf: _Shelf, out: output.Output
) -> None:
    if not rows:
        out.line("No releases yet.")
        return
    now = time.time()
    table = preparation.Table(_HEADS, [_as_row(row, shelf, now) for row in rows])
    head, *lines = table.lines()
    out.line(head)
    for line, release in zip(lines, rows, strict=True):
        out.line(line)
        if release.state is releases.ReleaseState.FAILED and release.error:
            out.line(f"  {release.error}")


def _as_row(release: releases.Release, shelf: _Shelf, now: float) -> tuple[str, ...]:
    origin = shelf.origin(release)
    return (
        release.app,
        str(release.number),
        _state(release, shelf),
        output.age(now - release.created_at),
        origins.short_revision(origin.revision) or _UNKNOWN,
        _cut(origin.shown_deployer) or _UNKNOWN,
        _cut(shelf.how(release)) or _UNKNOWN,
        release.digest.removeprefix("sha256:")[:12] or _UNKNOWN,
        release.reference,
    )


def _state(release: releases.Release, shelf: _Shelf) -> str:
    state = "deploy failed" if release.failed_at else release.state.value
    if shelf.removed_at(release):
        state = "removed"
    if shelf.is_live(release):
        is_whole = state == releases.ReleaseState.PUSHED
        state = "live" if is_whole else f"{state}, live"
    return state if shelf.hold(release) is None else f"{state}, held"


def _cut(text: str) -> str:
    """Return a foreign text so short that the table stays one."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
