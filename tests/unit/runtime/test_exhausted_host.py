"""A host that has run out of something, by real limits of a real process.

Each test runs a process of its own, since a limit holds for all that runs in one.
"""

import os
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import execution, worker
from support.waiting import until
from watching import watch
from workshops import open_workshop
from worlds import Host

Lines = list[MutableMapping[str, Any]]
TESTS = Path(__file__).parents[2]

# Takes one release in, tries it within the limit, and then without.
PROGRAM = """
import resource, sys
from pathlib import Path
from dokku_registryd.core.job.kinds import Kind
from workshops import open_workshop
from worlds import build_world

host = build_world(Path(sys.argv[1]))
host.create_app()
host.engine.add_image("dokku/web:latest", b"one")
shop = open_workshop(host)
host.leave(Kind.RELEASE)
shop.intake.scan()
kind, most = {limit}
limits = resource.getrlimit(kind)
resource.setrlimit(kind, (most, limits[1]))
shop.work()
resource.setrlimit(kind, limits)
before = shop.ending()
host.clock.seconds += 60
shop.work()
print(repr(host.ledger.job("1.1.1").job.attempts), repr(before), shop.ending())
"""
# Less than a thread's stack is left.
NO_THREAD = """(
    resource.RLIMIT_AS,
    int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    + (4 << 20),
)"""
# As many as are open.
NO_DESCRIPTOR = "(resource.RLIMIT_NOFILE, len(list(Path('/proc/self/fd').iterdir())))"


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(NO_THREAD, id="threads"),
        pytest.param(NO_DESCRIPTOR, id="descriptors"),
    ],
)
def test_a_release_outlives_it(tmp_path: Path, limit: str) -> None:
    """A release that met the limit is tried again, and succeeds once it is lifted."""
    program = PROGRAM.replace("{limit}", limit)

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.stdout.splitlines()[-1:] == ["2 '' done"], done.stderr


def test_a_worker_outlives_it(host: Host, logged: Lines) -> None:
    """What cannot even be recorded for want of memory is put back, and done later."""
    lacking: list[Exception] = [MemoryError()]

    def refuse(method: str) -> None:
        if method == "start_attempt" and lacking:
            raise lacking.pop()

    shop = open_workshop(host, ledger=watch(host.context.ledger, refuse))
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    thread = worker.Worker(shop.executor, "worker-1")
    thread.start()
    until(lambda: shop.waiting == ["1.1.1"] and not shop.executor.queue.running())

    host.clock.seconds += execution.LEDGER_RETRY_SECONDS
    shop.executor.queue.expedite("web")
    until(lambda: shop.ending() == "done")

    shop.executor.queue.close()
    thread.join(120)
    said = [line["what"] for line in logged if line["event"] == "host.exhausted"]
    assert said == ["memory"]
