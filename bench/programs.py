"""The command line beside a Python that does nothing."""

import sys
from collections.abc import Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import Stage

from support.service import PROGRAM

GROUP: Final = "command"
_MOST: Final = 3.0
# What nearly every program has, and what these commands start without.
_SPARED: Final = "dataclasses, pathlib, typing"
# What no effort of ours saves `status`: pip's script imports the one, the ledger is
# read with the other.
_NEEDED: Final = "re, sqlite3"


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.add_app("web")
    stage.load(images.random_image(1, 1000), "dokku/web:latest")
    host.service.start()
    try:
        host.release("web")
        # Settings as they are installed, but for the place.
        environ = {
            **host.files.environ,
            "DOKKU_REGISTRYD_PATHS__DATA_DIR": str(host.files.data_dir),
        }
        bare = [sys.executable, "-c", "pass"]
        for modules in _SPARED, _NEEDED:
            yield _alone(modules, bare, environ, rounds or 40)
        for words in (["--version"], ["registry:report", "web"], ["status"]):
            argv = [str(PROGRAM), *words]
            ours, nothing = timing.in_turns(
                rounds or 40,
                [
                    lambda argv=argv: timing.program(argv, environ),  # type: ignore[misc]
                    lambda: timing.program(bare, environ),
                ],
            )
            yield figures.compare(
                GROUP,
                f"dokku-registryd {' '.join(words).replace(' web', ' APP')}",
                ours,
                against=("bare Python", nothing),
                goal=f"<= {_MOST:g} x",
                is_met=lambda ratio: ratio <= _MOST,
            )
    finally:
        host.service.stop()


def _alone(modules: str, bare: list[str], environ: dict[str, str], rounds: int) -> Row:
    """Show what a program pays for some modules before it does anything."""
    imports = f"import {modules}"
    ours, nothing = timing.in_turns(
        rounds,
        [
            lambda: timing.program([sys.executable, "-c", imports], environ),
            lambda: timing.program(bare, environ),
        ],
    )
    return figures.compare(
        GROUP,
        f"Python that does nothing but {imports}",
        ours,
        against=("bare Python", nothing),
    )
