"""Lets Python sleep where the wall clock is shifted; loaded by the interpreter itself.

The library that shifts the clock takes the deadline of a sleep for a wall time, while
Python counts it by the monotonic clock. A real clock that jumps does not do that, so
Python sleeps by another call here.
"""

import select
import time
from typing import Any


def _sleep(seconds: Any) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
