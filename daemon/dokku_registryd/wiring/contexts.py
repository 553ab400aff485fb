"""Puts the adapters of one host together for the effects."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from dokku_registryd import config, ports
from dokku_registryd.adapters.dokku import (
    build_records,
    deploy_locks,
    deploying_files,
    destroyed_apps,
    host_variables,
    modes,
)
from dokku_registryd.adapters.files import (
    absence_file,
    remnant_files,
)
from dokku_registryd.adapters.host import clocks, machine
from dokku_registryd.adapters.relay import relay
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.core.dokku import absence_text, other_plugins
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.registry import exchanges
from dokku_registryd.core.release import following
from dokku_registryd.runtime import (
    retrying,
)
from dokku_registryd.wiring import clients, credentials, properties


def build_context(
    settings: config.Settings,
    *,
    engine: ports.Engine,
    ledger: ports.Ledger,
    clock: ports.Clock,
    submit: Callable[[triggers.Trigger], None],
    is_preempted: Callable[[str], bool] = lambda _app: False,
    is_disowned: Callable[[str], bool] = lambda _app: False,
    has_urgent: Callable[[], bool] = lambda: False,
    is_busy: Callable[[], bool] = lambda: False,
    is_cancelled: Callable[[str], bool] = lambda _job_id: False,
    app_lock: Callable[[str], AbstractContextManager[object]] = lambda _app: (
        nullcontext()
    ),
    take_in: Callable[[], object] = lambda: None,
    push_relay: ports.Relay | None = None,
    is_service: bool = False,
    note_exchange: Callable[[exchanges.Exchange], object] = lambda _exchange: None,
    memory: following.Memory | None = None,
) -> ports.Context:
    """Build the ports of one host."""
    property_store = properties.build_properties(settings)
    locks = deploy_locks.DeployLocks(
        lib_root=Path(settings.paths.dokku_lib_root),
        dokku_root=Path(settings.paths.dokku_root),
    )
    return ports.Context(
        engine=engine,
        registry=clients.build_registry(settings, engine.facts, note=note_exchange),
        credentials=credentials.build_credentials(settings),
        properties=property_store,
        deployed=property_store,
        deploying=deploying_files.DeployingFiles(settings.deploying_dir),
        builds=build_records.BuildRecords(
            Path(settings.paths.dokku_lib_root) / "data" / "builds",
            dokku_root=Path(settings.paths.dokku_root),
        ),
        destroyed=destroyed_apps.DestroyedApps(
            root=settings.forgotten_dir,
            config_root=settings.config_root,
            now=clock.now,
        ),
        absences=absence_file.AbsenceFile(settings.data_dir / absence_text.FILE_NAME),
        ledger=ledger,
        relay=push_relay or relay.Relay(0, refusal="only the service has one"),
        replies=reply_files.ReplyFiles(settings.replies_dir),
        remnants=remnant_files.RemnantFiles(settings.data_dir, settings.config_root),
        clock=clock,
        defaults=settings.defaults,
        schedulers=tuple(settings.heal.schedulers),
        is_companion=lambda: modes.is_companion(Path(settings.paths.dokku_lib_root)),
        is_cleanup_off=lambda: host_variables.may_be_true(
            other_plugins.VARIABLE, Path(settings.paths.dokku_root)
        ),
        submit=submit,
        is_preempted=is_preempted,
        is_disowned=is_disowned,
        has_urgent=has_urgent,
        is_busy=is_busy,
        is_deploying=locks.is_held,
        is_released=locks.is_released,
        is_cancelled=is_cancelled,
        promise=spool.Spool(settings.data_dir).promise,
        app_lock=app_lock,
        take_in=take_in,
        is_service=is_service,
        host=settings.daemon.host_name or os.uname().nodename,
        machine=machine.mark(),
        delay=backoff_of(settings).after,
        free_bytes=clocks.free_bytes,
        min_free_bytes=settings.heal.min_free_disk_mb << 20,
        used_percent=clocks.used_percent,
        disk_percents=(settings.disk.high_percent, settings.disk.low_percent),
        parallel_tags=settings.registry.parallel_tags,
        following=memory or following.Memory(),
        most_followed=settings.follow.keep_releases,
    )


def backoff_of(settings: config.Settings) -> retrying.Backoff:
    """Return how long failed attempts wait."""
    return retrying.Backoff(
        initial_seconds=settings.retry.initial_seconds,
        max_seconds=settings.retry.max_seconds,
    )
