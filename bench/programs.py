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
        yield _floor(bare, environ, rounds or 40)
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


def _floor(bare: list[str], environ: dict[str, str], rounds: int) -> Row:
    """Show what any program pays that has values, paths and types."""
    modules = "import dataclasses, pathlib, typing"
    ours, nothing = timing.in_turns(
        rounds,
        [
            lambda: timing.program([sys.executable, "-c", modules], environ),
            lambda: timing.program(bare, environ),
        ],
    )
    return figures.compare(
        GROUP,
        f"Python that does nothing but {modules}",
        ours,
        against=("bare Python", nothing),
    )
