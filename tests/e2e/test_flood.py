"""Very many triggers at once: each is done exactly once, and nothing grows."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

# docs/reliability.md has the figures of a run with 100000.
FILES = int(os.environ.get("REGISTRYD_FLOOD", "20000"))
APPS = 500
JOBS = 6000
WARM = 2000
MOST_GROWTH_KB = 5 << 10
SECONDS = 1200


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
    return Counter(
        json.loads(line)["job_id"]
        for line in site.service.log_file.read_text().splitlines()
        if '"event": "job.finished"' in line
    )


@pytest.mark.timeout(SECONDS)
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


def _resident(pid: int) -> int:
    """Return the kilobytes that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.timeout(SECONDS)
def test_nothing_grows(flooded: Site) -> None:
    """Memory and descriptors stay flat over thousands of jobs."""
    flooded.service.start()
    flooded.service.wait_for("engine.connected")
    pid = flooded.service.pid
    samples: list[tuple[int, int]] = []

    for first in range(0, JOBS, 500):
        _leave(flooded, range(first, first + 500))
        until(lambda: _is_empty(flooded), SECONDS, what="the end of all files")
        if first >= WARM:
            samples.append((_resident(pid), _descriptors(pid)))

    memory = [kilobytes for kilobytes, _ in samples]
    assert memory[-1] - memory[0] < MOST_GROWTH_KB, samples
    assert samples[-1][1] <= samples[0][1] + 2, samples
