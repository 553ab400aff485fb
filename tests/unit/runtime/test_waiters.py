"""Who waits for a release: hooks that are gone, with a word and without."""

import subprocess
from pathlib import Path

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime.waiters import Waiters
from worlds import Host


def test_a_hook_that_took_its_release_back_is_not_lost(host: Host) -> None:
    """Only of a hook that is gone without a word is anything to be told."""
    waiting = Waiters(host.spool)
    with subprocess.Popen(["sleep", "600"]) as hook:
        stat = Path(f"/proc/{hook.pid}/stat").read_text()
        waiter = f"{hook.pid}.{stat.rpartition(')')[2].split()[19]}"
        jobs = [
            host.add_job(Kind.RELEASE, job_id, waiter=waiter)
            for job_id in ("1.1.1", "2.2.2")
        ]
        for job in jobs:
            waiting.note(job)
        before = waiting.lost()
        hook.kill()
    waiting.cancel("2.2.2")

    assert (before, waiting.lost()) == ([], jobs[:1])
