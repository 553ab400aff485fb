"""`releases`: the releases in the ledger, with number, state and digest."""

import argparse
import dataclasses
import time
from collections.abc import Mapping

from dokku_registryd.core.release import completeness, releases
from dokku_registryd.verbs import output, preparation


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Print the ledger's releases."""
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    book = preparation.read_ledger(settings)
    rows = book.releases(arguments.app) if book else []
    limit = getattr(arguments, "limit", 0)  # a command of Dokku has none
    if limit:
        newest = sorted(rows, key=lambda release: -release.created_at)[:limit]
        rows = [release for release in rows if release in newest]
    checks = book.checks_since(0.0) if book and arguments.format == "json" else {}
    if book:
        book.close()
    if arguments.format == "json":
        out.json([_as_json(release, checks) for release in rows])
        return 0
    if not rows:
        out.line("No releases yet.")
        return 0
    now = time.time()
    table = preparation.Table(
        ("APP", "NUMBER", "STATE", "AGE", "DIGEST", "REFERENCE"),
        [_as_row(release, now) for release in rows],
    )
    head, *lines = table.lines()
    out.line(head)
    for line, release in zip(lines, rows, strict=True):
        out.line(line)
        if release.state is releases.ReleaseState.FAILED and release.error:
            out.line(f"  {release.error}")
    return 0


def _as_row(release: releases.Release, now: float) -> tuple[str, ...]:
    return (
        release.app,
        str(release.number),
        "deploy failed" if release.failed_at else release.state.value,
        output.age(now - release.created_at),
        release.digest.removeprefix("sha256:")[:12] or "-",
        release.reference,
    )


def _as_json(
    release: releases.Release, checks: Mapping[str, completeness.Record]
) -> dict[str, object]:
    facts = dataclasses.asdict(release)
    # Internal fields.
    for name in ("previous_number", "sequence", "is_taken_back"):
        del facts[name]
    known = checks.get(release.job_id)
    if known is None or known.digest != release.digest:
        known = completeness.Record(job_id=release.job_id, digest=release.digest)
    return {
        **facts,
        "reference": release.reference,
        "parts": known.standing.value,
        "complete_at": known.complete_at,
    }
