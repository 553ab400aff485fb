"""All that goes wrong, each under the name that the table shows."""

import contextlib
import random
import shutil
import signal
import subprocess
from collections.abc import Mapping
from typing import Final

from support.clock_shift import JUMPS
from support.waiting import until
from torture import (
    app_faults,
    deadline_faults,
    hook_faults,
    neighbour_faults,
    registry_faults,
    root_faults,
    upgrade_faults,
)
from torture.deeds import Deeds
from torture.fault import Fault
from torture.host import TortureHost
from torture.misdeeds import Misdeed
from torture.tokens import LIFETIME
from torture.unfit import UnfitError

ENCRYPTED: Final = registry_faults.ENCRYPTED
WITH_TOKENS: Final = registry_faults.WITH_TOKENS

_MANY_APPS: Final = 6
_PATIENCE: Final = 30  # until a daemon that was asked to end is killed
_MOST_STEPS: Final = 120
_PUSH_SECONDS: Final = 5
_STEP_SECONDS: Final = 5


def _kill_daemon(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.site.service.kill()
    if draw.random() < 0.7:
        host.start_daemon()


def _stop_daemon(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.thaw_daemon()  # As systemd does to whom it ends.
    with contextlib.suppress(subprocess.TimeoutExpired):
        host.site.service.stop(signal.SIGTERM, seconds=_PATIENCE)
    if draw.random() < 0.7:
        host.start_daemon()


def _death_at_a_step(role: str) -> Fault:
    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        if role == "hook":  # It works by itself only where there is no daemon.
            host.site.service.kill()
        host.orders.kill(role, count=draw.randint(1, _MOST_STEPS))
        deeds.deploy()
        try:
            until(lambda: host.orders.is_obeyed, _STEP_SECONDS)
        except AssertionError as error:
            raise UnfitError("no process came to that step") from error
        finally:
            host.orders.withdraw()

    return begin


def _kill_engine(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.wake_engine()
    host.engine.kill()
    host.engine.start()


def _restart_engine(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.wake_engine()
    host.engine.restart()


def _freeze_engine(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.freeze_engine()


def _second_daemon(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Start another daemon; only where the first one lives must it end at once."""
    if not host.site.service.is_running:
        raise UnfitError("there is no first one")
    with contextlib.suppress(subprocess.TimeoutExpired):  # It waits for a hook.
        done = host.site.service.run("run", timeout=5)
        if host.site.service.is_running and done.returncode != 1:
            raise AssertionError(f"a second daemon ended with {done.returncode}")


def _remove_spool(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Remove the spool while nothing is in it, so that nothing is lost by that."""
    spool = host.site.host.data_dir / "spool"
    try:
        until(lambda: not any((spool / "new").iterdir()), 3)
        until(lambda: not any((spool / "tmp").iterdir()), 1)
        beside = spool.with_name("spool.old")
        spool.rename(beside)
    except (AssertionError, OSError) as error:
        raise UnfitError("something is in the spool") from error
    with contextlib.suppress(OSError):
        shutil.rmtree(beside)


def _fill_disk(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.fill_disk()


def _write_protect(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let nothing be written; the kernel refuses that while a daemon has files open."""
    host.site.service.kill()
    is_done = host.write_protect()
    host.start_daemon()
    if not is_done:
        raise UnfitError("a hook has a file open")


def _damage_ledger(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Spoil the ledger while no release is on its way, since it alone knows of one."""
    done = host.site.service.look("status", "--format", "json")
    is_busy = '"release"' in done.stdout.split('"recent"')[0]
    host.site.service.kill()
    path = host.site.host.data_dir / "ledger.sqlite3"
    is_unfit = is_busy or done.returncode or host.site.host.spool()
    raw = bytearray(b"" if is_unfit or not path.exists() else path.read_bytes())
    if not raw:
        host.start_daemon()
        raise UnfitError("a release is on its way")
    for _ in range(64):
        place = draw.randrange(len(raw))
        raw[place : place + 256] = draw.randbytes(256)
    with contextlib.suppress(OSError):
        path.write_bytes(raw)
        host.was_ledger_lost = True
    host.start_daemon()


def _many_events(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """More events than the Engine remembers."""
    names = sorted(host.site.names()) if host.is_engine_awake else []
    if not names:
        raise UnfitError("there is no image")
    for number in range(300):
        host.site.tag(names[0], "flood", str(number % 3))


def _restart_while_pushing(
    host: TortureHost, deeds: Deeds, draw: random.Random
) -> None:
    """Let the Engine end while the registry keeps it waiting in a push."""
    host.proxy.misbehave(Misdeed(way="stall", concerns="pushes"), times=1)
    before = host.proxy.hits
    deeds.deploy()
    try:
        until(lambda: host.proxy.hits > before, _PUSH_SECONDS)
    except AssertionError as error:
        host.proxy.behave()
        raise UnfitError("nothing is pushed") from error
    (_kill_engine if draw.random() < 0.5 else _restart_engine)(host, deeds, draw)
    host.proxy.behave()


def _slow_engine(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.relay.slow_down(draw.choice([0.1, 0.5]))


def _cut_events(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.relay.cut_events()


def _limit_inotify(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let the next daemon have no inotify at all."""
    host.orders.limit_inotify(is_limited=True)
    host.site.service.kill()
    host.start_daemon()


def _jumping(jump: str) -> Fault:
    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        host.clock.jump(jump)

    return begin


def _many_apps(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let many apps release while the registry is away for some seconds."""
    if not host.can_change_apps or not host.is_engine_awake:
        raise UnfitError("no app can deploy")
    host.registry.stop()
    for _ in range(_MANY_APPS):
        app = deeds.create()
        deeds.deploy(app)
    host.wait(draw.choice([1.0, 3.0]))
    host.registry.start()


FAULTS: Final[Mapping[str, Fault]] = {
    "kill -9 of the daemon": _kill_daemon,
    "death of the daemon at a step": _death_at_a_step("daemon"),
    "death of a hook at a step": _death_at_a_step("hook"),
    "restart of the daemon": _stop_daemon,
    "kill -9 of the Engine": _kill_engine,
    "restart of the Engine": _restart_engine,
    "Engine stopped (SIGSTOP)": _freeze_engine,
    "300 events": _many_events,
    "second daemon": _second_daemon,
    "spool removed": _remove_spool,
    "disk full": _fill_disk,
    "disk read-only": _write_protect,
    "ledger damaged": _damage_ledger,
    "Engine ends while a push runs": _restart_while_pushing,
    "Engine slow": _slow_engine,
    "event stream cut": _cut_events,
    "inotify limit reached": _limit_inotify,
    "many apps release in an outage": _many_apps,
    **{f"clock jumps {jump}": _jumping(jump) for jump in JUMPS},
    **hook_faults.FAULTS,
    **app_faults.FAULTS,
    **root_faults.FAULTS,
    **deadline_faults.FAULTS,
    **neighbour_faults.FAULTS,
    **upgrade_faults.FAULTS,
    **registry_faults.FAULTS,
    **ENCRYPTED,
    **WITH_TOKENS,
}


def names(host: TortureHost) -> list[str]:
    """Return what can go wrong on a host."""
    missing: set[str] = set()
    if not host.is_encrypted:
        missing |= set(ENCRYPTED)
    if host.proxy.tokens is None:
        missing |= set(WITH_TOKENS)
    return [name for name in FAULTS if name not in missing]


def heal(host: TortureHost) -> None:
    """Let everything be as it should be, but for a daemon that is dead."""
    host.orders.withdraw()
    host.orders.limit_inotify(is_limited=False)
    host.clock.set_right()
    host.proxy.behave()
    if host.proxy.tokens is not None:
        host.proxy.tokens.lifetime = LIFETIME
    host.relay.slow_down(0)
    if host.is_encrypted:
        host.place.name_it()
        host.proxy.encryption = host.place.good
        host.proxy.cuts_handshakes = False
    host.wake_engine()
    host.thaw_daemon()
    host.dokku_root.bring_back()
    host.allow_writing()
    host.empty_disk()
    if not host.registry.is_running:
        host.registry.start()
