"""What the kernel says of this process."""

import mmap
import os
import subprocess
import sys
import time

from dokku_registryd.adapters.host.process_facts import ProcessFacts

BLOCK = 1 << 16
BLOCKS = 512


def test_this_process() -> None:
    """The figures are those of this very process."""
    spent = time.process_time()

    seen = ProcessFacts().look()

    rounding = 0.001
    assert 0 < seen.resident_bytes < seen.virtual_bytes
    assert spent - rounding <= seen.cpu_seconds <= time.process_time() + rounding
    assert seen.open_fds < seen.most_fds


def test_descriptors_are_counted() -> None:
    """A descriptor more is one more, and looking takes none."""
    facts = ProcessFacts()
    before = facts.look().open_fds
    descriptor = os.dup(0)

    during = facts.look().open_fds
    os.close(descriptor)

    assert (during, facts.look().open_fds) == (before + 1, before)


def test_start_time() -> None:
    """The process started before it read this, and after its parent."""
    before = time.time()
    code = (
        "from dokku_registryd.adapters.host.process_facts import ProcessFacts;"
        "print(ProcessFacts().look().started_at)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert before - 0.1 < float(done.stdout) < time.time()


def test_memory_is_counted() -> None:
    """Memory that is in use is seen."""
    facts = ProcessFacts()
    before = facts.look().resident_bytes

    # Fresh pages of the kernel: an allocator may give what was resident already.
    with mmap.mmap(-1, BLOCKS * BLOCK) as held:
        held.write(os.urandom(BLOCK) * BLOCKS)

        assert facts.look().resident_bytes - before > len(held) // 2
