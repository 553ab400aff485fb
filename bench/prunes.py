"""The plan of a prune: which of 100,000 numbers may go, without asking a registry."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from bench import crowd, figures
from bench.figures import Row
from bench.stage import Host, Stage

from dokku_registryd import config, ports
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.effects import prune_plans
from dokku_registryd.verbs import reading

GROUP: Final = "prune"
_APPS: Final = 5000
_RELEASES: Final = 20
_KEPT: Final = 10
_ROUNDS: Final = 3
_ONE: Final = 50
"""Apps whose plan is made alone."""
_COLUMNS: Final = (
    "job_id, app, number, image_id, server, image_repo, scheduler, state, digest,"
    " created_at, pushed_at"
)


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    apps = [crowd.app_name(number) for number in range(_APPS)]
    _fill(host, apps)
    with _context(host) as context:
        taken = [_plan(apps, context) for _ in range(rounds or _ROUNDS)]
        alone = [_plan([app], context) for app in apps[:_ONE]]
    seconds = figures.percentile(taken, 50)
    yield figures.alone(
        GROUP,
        f"{_APPS:,} apps x {_RELEASES} releases: plan of a prune",
        taken,
        unit="ms",
        goal="<= 30 s",
        is_met=seconds <= 30,  # noqa: PLR2004 - the goal
        numbers=_APPS * _RELEASES,
        going=_APPS * (_RELEASES - 1 - _KEPT),
    )
    one = figures.percentile(alone, 50)
    yield figures.alone(
        GROUP,
        "the same host: plan of one app, as before each removal",
        alone,
        unit="ms",
        goal="<= 100 ms",
        is_met=one <= 0.1,  # noqa: PLR2004 - the goal
    )


def _plan(apps: list[str], context: ports.Context) -> float:
    began = time.perf_counter()
    common = prune_plans.common_of(context)
    going = sum(
        plan.going for app in apps for plan in prune_plans.plan_of(app, common, context)
    )
    took = time.perf_counter() - began
    assert going == len(apps) * (_RELEASES - 1 - _KEPT), "another plan than expected"
    return took


def _fill(host: Host, apps: list[str]) -> None:
    """Write what the releases of all apps leave on a host."""
    files = host.files
    for app in apps:
        (files.dokku_root / app).mkdir()
        for name, value in {
            "server": crowd.SERVER,
            "push-on-release": "true",
            "tag-version": str(_RELEASES),
        }.items():
            files.set_property(app, name, value)
        files.record_release(
            app, server=crowd.SERVER, image_repo=f"dokku/{app}", number=_RELEASES
        )
    files.set_property("--global", "keep-remote", str(_KEPT), plugin="registryd")
    path = files.data_dir / "ledger.sqlite3"
    ledger.SqliteLedger(path).close()
    with contextlib.closing(sqlite3.connect(path)) as book, book:
        book.executemany(
            f"INSERT INTO releases ({_COLUMNS})"  # noqa: S608 - a constant
            " VALUES (?, ?, ?, ?, ?, ?, 'docker-local', 'pushed', ?, 1, 1)",
            (
                (
                    f"{app}.{number}",
                    app,
                    number,
                    f"sha256:{app}{number}",
                    crowd.SERVER,
                    f"dokku/{app}",
                    f"sha256:{app}{number}",
                )
                for app in apps
                for number in range(1, _RELEASES + 1)
            ),
        )


@contextlib.contextmanager
def _context(host: Host) -> Iterator[ports.Context]:
    settings = config.load(
        file=None,
        overrides={
            "paths.dokku_root": str(host.files.dokku_root),
            "paths.dokku_lib_root": str(host.files.lib_root),
            "engine.socket": host.stage.engine.socket,
        },
        environ={},
    )
    book = ledger.SqliteLedger(settings.ledger_file, read_only=True)
    with reading.context(settings, book) as context:
        yield context
