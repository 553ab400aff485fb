"""Very many triggers at once: each is done exactly once, and nothing grows."""

import json
import os
import shlex
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import examples, soak
from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

# docs/reliability.md has the figures of a run with 100000.
FILES = int(os.environ.get("REGISTRYD_FLOOD") or examples.number_of(20_000))
APPS = 500
JOBS = int(os.environ.get("REGISTRYD_SOAK") or max(2_000, examples.number_of(10_000)))
ROUNDS = 20
# Of each job: enough to be found after all of them, and a kilobyte in a full run.
LEAK_BYTES = 1024 * max(1, 10_000 // JOBS)
SECONDS = 1200
LEAKING = Path(__file__).parents[1] / "support" / "leaking.py"


@pytest.fixture
def flooded(
    one_engine: EngineServer, htpasswd_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site whose daemon is not started and logs no details."""
    with Site(tmp_path / "host", one_engine, htpasswd_registry) as site:
        site.service.configure(daemon__log_level="info")
        site.host.create_app("web")
        yield site


def _leave(site: Site, numbers: range) -> None:
    """Leave heal triggers, which look at an app and find nothing to do."""
    spool = site.host.data_dir / "spool"
    for number in numbers:
        name = f"{number:016d}.1.1"
        path = spool / "tmp" / name
        path.write_bytes(
            f"dokku-registryd/1\ntrigger=heal\napp=app{number % APPS}\nend\n".encode()
        )
        path.chmod(0o600)
        path.rename(spool / "new" / name)


def _is_empty(site: Site) -> bool:
    return not any((site.host.data_dir / "spool" / "new").iterdir())


def _ended(site: Site) -> Counter[str]:
    """Return how often the log says that each job ended."""
    # The last line may be one that is being written.
    whole, _, _ = site.service.log_file.read_text().rpartition("\n")
    return Counter(
        json.loads(line)["job_id"]
        for line in whole.splitlines()
        if '"event": "job.finished"' in line
    )


@pytest.mark.timeout(SECONDS)
@pytest.mark.long
def test_each_exactly_once(flooded: Site) -> None:
    """Files that came while the daemon was stopped all end, and each ends once.

    In the middle the daemon is killed.
    """
    _leave(flooded, range(FILES))

    flooded.service.start(wait=False)
    until(lambda: len(_ended(flooded)) > FILES // 4, SECONDS, what="a quarter")
    flooded.service.kill()
    flooded.service.start(wait=False)
    until(lambda: _is_empty(flooded), SECONDS, what="the end of all files")
    flooded.service.stop()

    ledger = flooded.host.data_dir / "ledger.sqlite3"
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT job_id, ending FROM jobs WHERE job_id NOT LIKE 'heal-%'"
    ).fetchall()
    connection.close()
    assert len(rows) == FILES
    assert {ending for _, ending in rows} <= {"skipped", "superseded"}
    again = {job for job, times in _ended(flooded).items() if times > 1}
    assert again == set()
    assert flooded.host.spool("rejected") == {}


@pytest.fixture
def soaked(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site whose daemon logs no details; what it is started from may leak."""
    program = tmp_path / "dokku-registryd"
    words = shlex.join([sys.executable, str(LEAKING)])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    environ = {"LEAK_BYTES": "0", "LEAK_EVERY": "0"}
    with Site(
        tmp_path / "host", one_engine, own_registry, environ=environ, program=program
    ) as site:
        site.service.configure(daemon__log_level="info")
        yield site


def _soak(site: Site) -> list[soak.Sample]:
    site.service.start()
    site.make_app()
    site.ship()
    return soak.soak(site, rounds=ROUNDS, warm=ROUNDS // 4, jobs=JOBS // ROUNDS)


@pytest.mark.timeout(SECONDS)
@pytest.mark.long
def test_nothing_grows(soaked: Site) -> None:
    """Memory and descriptors stay flat over thousands of jobs of all kinds."""
    samples = _soak(soaked)

    assert soak.findings(samples) == [], samples
    endings = Counter(line["outcome"] for line in soaked.service.lines("job.finished"))
    assert min(endings["done"], endings["skipped"]) > JOBS // 100
    assert soaked.releases()[0] == (soaked.remote().numbers()[-1], "pushed")
    assert len(soaked.service.lines("trigger.rejected")) > JOBS // 100


@pytest.mark.timeout(SECONDS)
@pytest.mark.long
def test_a_leak_is_found(soaked: Site) -> None:
    """A daemon that keeps kilobytes a job, and now and then a descriptor, is found."""
    soaked.host.environ |= {"LEAK_BYTES": str(LEAK_BYTES), "LEAK_EVERY": "100"}

    found = soak.findings(_soak(soaked))

    assert [finding.split()[0] for finding in found] == ["memory", "descriptors"]


@pytest.mark.parametrize(
    ("memory", "descriptors", "found"),
    [
        pytest.param(0, 0, [], id="nothing"),
        pytest.param(400, 0, [], id="a little"),
        pytest.param(1024, 0, ["memory"], id="memory"),
        pytest.param(0, 1, [], id="a connection that is kept"),
        pytest.param(0, 2, ["descriptors"], id="descriptors"),
    ],
)
def test_what_counts_as_growth(memory: int, descriptors: int, found: list[str]) -> None:
    """Some megabytes of memory or a few descriptors that stay are growth."""
    samples = [
        soak.Sample(
            kilobytes=40_000 + count * memory,
            # One connection comes and goes.
            descriptors=20 + count % 2 + count // 3 * descriptors,
        )
        for count in range(10)
    ]

    assert [finding.split()[0] for finding in soak.findings(samples)] == found
