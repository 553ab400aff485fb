"""Runs jobs inside a hook's own process if there is no daemon.

It is the daemon's code on the daemon's files, so other pending triggers are processed
too, in their order. It ends when the hook's own job has an outcome, or may continue in
the background; the daemon or the next hook runs the unfinished jobs.
"""

import argparse
import os
from collections.abc import Callable

from dokku_registryd import app, config, logs
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.host import package, secrecy

LOG_FILE = "hook.log"
_DRAIN_SECONDS = 1.0


def work(
    arguments: argparse.Namespace,
    job_id: str,
    *,
    is_answered: Callable[[], bool],
    on_turn: Callable[[], None],
) -> None:
    """Run jobs until the hook need not wait for its own job any more.

    Args:
        arguments: The hook's arguments.
        job_id: The hook's own job.
        is_answered: Returns whether the hook has read the end of its reply.
        on_turn: Called in each turn of the main loop, to report progress.

    Raises:
        RegistrydError: The settings are invalid, or the ledger cannot be used.
    """
    work_until(
        arguments,
        lambda service: is_answered() or _is_settled(service, job_id),
        on_turn=on_turn,
    )


def work_until(
    arguments: argparse.Namespace,
    is_done: Callable[[app.Service], bool],
    *,
    on_turn: Callable[[], None],
    on_start: Callable[[Callable[[], None]], None] = lambda _wake: None,
    is_sweeping: bool = True,
) -> None:
    """Run jobs until the caller needs no more of them.

    Args:
        arguments: The arguments of a hook or verb.
        is_done: Returns whether to end; asked once a turn.
        on_turn: Called in each turn of the main loop, to report progress.
        on_start: Given a function that starts the next turn at once.
        is_sweeping: Whether to look for missing names too. A caller that asks for all
            heals itself would have each app healed twice, and not in its order.

    Raises:
        RegistrydError: The settings are invalid, or the ledger cannot be used.
    """
    settings = config.load(
        file=arguments.config,
        overrides={**arguments.overrides, "paths.data_dir": arguments.data_dir},
        environ=arguments.environ,
    )
    secrecy.forbid_dumps()
    package.load_all()
    log = atomic.open_log(settings.data_dir / LOG_FILE)
    with os.fdopen(log, "a", encoding="utf-8") as stream:
        logs.configure(
            log_format="json",
            level=settings.daemon.log_level,
            stream=stream,
            under_journal=False,
        )
        service = app.Service(
            settings, is_watching=False, is_sweeping=is_sweeping, on_turn=on_turn
        )
        on_start(service.supervisor.wake)
        try:
            service.supervisor.start()
            service.supervisor.run(until=lambda: is_done(service))
        finally:
            left = service.supervisor.drain(_DRAIN_SECONDS)
            if not left:
                service.close()


def _is_settled(service: app.Service, job_id: str) -> bool:
    record = service.ledger.job(job_id)
    if record is None:
        return False
    release = service.ledger.release_of(job_id)
    return record.outcome is not None or (
        release is not None and release.is_deploy_continued
    )
