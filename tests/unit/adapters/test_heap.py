"""What was freed goes back to the system."""

import subprocess
import sys

_SCRIPT = """
from dokku_registryd.adapters.host import heap

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

heap.limit_free_memory()
for size in (1 << 24, 1 << 20):  # the large block raises the limit of what is kept
    blocks = [bytearray(size) for _ in range(8)]
    before = resident()
    del blocks
print(before - resident())
"""


def test_blocks_that_are_freed() -> None:
    """Blocks of a megabyte go back at once, also after larger ones came and went."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) >= 7 << 20
