"""Makes a ledger by the code of a commit, for tests/vectors/ledgers.

usage: .venv/bin/python tests/support/make_ledger.py [COMMIT]

Without a commit it is the code of this checkout. The file is called after its schema:
schema-4.sqlite3. One that is there already is replaced only for a commit that is named.
Every schema that was ever committed has its file; a test opens each. Where several came
with one commit, the files between are made from the one before by the commit's scripts.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEDGERS = ROOT / "tests" / "vectors" / "ledgers"


def main(arguments: list[str]) -> int:
    """Make one file, in a process that runs the commit's own code."""
    if arguments[:1] == ["--fill"]:
        _fill(Path(arguments[1]))
        return 0
    commit = arguments[0] if arguments else ""
    with tempfile.TemporaryDirectory() as folder:
        code = _unpack(commit, Path(folder)) if commit else ROOT / "daemon"
        made = Path(folder) / "ledger.sqlite3"
        subprocess.run(
            [sys.executable, __file__, "--fill", str(made)],
            env={**os.environ, "PYTHONPATH": str(code)},
            check=True,
        )
        content = made.read_bytes()
    # The file's header has it in these bytes; see "Database File Format".
    place = LEDGERS / f"schema-{int.from_bytes(content[60:64])}.sqlite3"
    if commit or not place.exists():
        LEDGERS.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        sys.stdout.write(f"{place.relative_to(ROOT)}\n")
    if not commit:
        _fill_gaps()
    return 0


def _fill_gaps() -> None:
    from dokku_registryd.adapters.ledger import schema  # noqa: PLC0415 - as above

    for number, script in enumerate(schema.MIGRATIONS, start=1):
        place = LEDGERS / f"schema-{number}.sqlite3"
        if place.exists():
            continue
        shutil.copyfile(LEDGERS / f"schema-{number - 1}.sqlite3", place)
        with contextlib.closing(sqlite3.connect(place)) as connection:
            connection.executescript(f"{script}; PRAGMA user_version = {number};")
        sys.stdout.write(f"{place.relative_to(ROOT)}\n")


def _unpack(commit: str, folder: Path) -> Path:
    archive = subprocess.run(
        ["git", "archive", commit, "daemon"], cwd=ROOT, capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder / "daemon"


def _fill(path: Path) -> None:
    """Record two apps: what was pushed, failed, went on unpushed, or waits."""
    from dokku_registryd.adapters.ledger import ledger  # noqa: PLC0415 - of that commit
    from dokku_registryd.core.hook import triggers  # noqa: PLC0415
    from dokku_registryd.core.job import jobs, outcomes  # noqa: PLC0415
    from dokku_registryd.core.release import releases  # noqa: PLC0415

    book = ledger.SqliteLedger(path)
    asked = ("web", "web", "web", "web", "api", "api")
    for number, app in enumerate(asked, start=1):
        # As a hook writes it: names in the code change.
        text = f"trigger=release\napp={app}\nimage=dokku/{app}:latest\n"
        trigger = triggers.parse(
            f"dokku-registryd/1\n{text}scheduler=docker-local\nend\n".encode()
        )
        job_id = f"{number}.1.1"
        book.add_jobs(
            [jobs.Job(job_id=job_id, trigger=trigger, accepted_at=100.0 + number)]
        )
        book.start_attempt(job_id)
        book.reserve(
            releases.Release(
                job_id=job_id,
                app=app,
                number=40,
                image_id=f"sha256:{number:064x}",
                server="r.example/",
                image_repo=f"org/{app}",
                scheduler="docker-local",
                created_at=100.0 + number,
            )
        )
    pushed, failed = releases.ReleaseState.PUSHED, releases.ReleaseState.FAILED
    for job_id in ("1.1.1", "3.1.1", "5.1.1"):
        digest = f"sha256:{job_id[0] * 64}"
        book.update_release(job_id, state=pushed, digest=digest, pushed_at=200.0)
        book.finish_job(job_id, outcomes.done(digest=digest), at=200.0)
    book.update_release("2.1.1", state=failed, error="denied")
    book.finish_job("2.1.1", outcomes.failed("denied"), at=150.0)
    book.update_release("4.1.1", is_deploy_continued=True)
    book.postpone("4.1.1", retry_at=300.0, error="r.example is away")
    book.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
