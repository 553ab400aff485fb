"""`dokku-registryd` that keeps a little of each job, to show that this is noticed.

What it leaks is said in `LEAK_BYTES`, for each job, and `LEAK_EVERY`, after how many
jobs a descriptor stays open; 0 is none.
"""

import importlib
import os
import sys
from typing import Any

_KEPT: list[object] = []


def main() -> None:
    """Run the program, and keep something whenever a job ends."""
    sys.path.pop(0)  # The script's own folder must not hide modules of its names.
    size, every = int(os.environ["LEAK_BYTES"]), int(os.environ["LEAK_EVERY"])
    ledger: Any = importlib.import_module("dokku_registryd.adapters.ledger.ledger")
    finish = ledger.SqliteLedger.finish_job

    def finish_and_keep(*arguments: Any, **named: Any) -> None:
        finish(*arguments, **named)
        _KEPT.append(os.urandom(size))
        if every and len(_KEPT) % every == 0:
            os.dup(0)

    ledger.SqliteLedger.finish_job = finish_and_keep
    cli = importlib.import_module("dokku_registryd.cli")
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
