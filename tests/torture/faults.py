"""All that goes wrong, each under the name that the table shows."""

import contextlib
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from typing import Final

from support.waiting import until
from torture.host import TortureHost
from torture.proxy import Misdeed

Fault = Callable[[TortureHost, random.Random], None]

_ANSWERS: Final[Mapping[str, Misdeed]] = {
    "registry 401 once": Misdeed(
        way="answer", status=401, headers=(("WWW-Authenticate", 'Basic realm="x"'),)
    ),
    "registry 429": Misdeed(way="answer", status=429),
    "registry 429 Retry-After": Misdeed(
        way="answer", status=429, headers=(("Retry-After", "1"),)
    ),
    "registry 500": Misdeed(way="answer", status=500),
    "registry 502": Misdeed(way="answer", status=502),
    "registry 503": Misdeed(way="answer", status=503),
    "registry 503 Retry-After": Misdeed(
        way="answer", status=503, headers=(("Retry-After", "1"),)
    ),
    "registry 504": Misdeed(way="answer", status=504),
    "registry resets at once": Misdeed(way="reset"),
    "registry resets in a blob": Misdeed(way="cut"),
    "registry stalls": Misdeed(way="stall"),
    "registry lies about a digest": Misdeed(way="lie"),
    "registry loses its answer": Misdeed(way="lose"),
}
_ONCE: Final = frozenset({"registry 401 once", "registry lies about a digest"})
_MOST_REQUESTS: Final = 12
_MOST_STEPS: Final = 120


def _misbehaving(name: str) -> Fault:
    def begin(host: TortureHost, draw: random.Random) -> None:
        times = 1 if name in _ONCE else draw.randint(1, _MOST_REQUESTS)
        host.proxy.misbehave(_ANSWERS[name], times=times)

    return begin


def _stop_registry(host: TortureHost, draw: random.Random) -> None:
    host.registry.stop()


def _kill_daemon(host: TortureHost, draw: random.Random) -> None:
    host.site.service.kill()
    if draw.random() < 0.7:
        host.start_daemon()


def _stop_daemon(host: TortureHost, draw: random.Random) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        host.site.service.stop(signal.SIGTERM)
    if draw.random() < 0.7:
        host.start_daemon()


def _order_death(role: str) -> Fault:
    def begin(host: TortureHost, draw: random.Random) -> None:
        host.orders.kill(role, count=draw.randint(1, _MOST_STEPS))
        if role == "hook":
            host.site.service.kill()

    return begin


def _kill_engine(host: TortureHost, draw: random.Random) -> None:
    host.wake_engine()
    host.engine.kill()
    host.engine.start()


def _restart_engine(host: TortureHost, draw: random.Random) -> None:
    host.wake_engine()
    host.engine.restart()


def _freeze_engine(host: TortureHost, draw: random.Random) -> None:
    host.freeze_engine()


def _second_daemon(host: TortureHost, draw: random.Random) -> None:
    """Start another daemon; only where the first one lives must it end at once."""
    if not host.site.service.is_running:
        return
    with contextlib.suppress(subprocess.TimeoutExpired):  # It waits for a hook.
        done = host.site.service.run("run", timeout=5)
        if host.site.service.is_running and done.returncode != 1:
            raise AssertionError(f"a second daemon ended with {done.returncode}")


def _remove_spool(host: TortureHost, draw: random.Random) -> None:
    """Remove the spool while nothing is in it, so that nothing is lost by that."""
    spool = host.site.host.data_dir / "spool"
    with contextlib.suppress(AssertionError, OSError):
        until(lambda: not any((spool / "new").iterdir()), 3)
        until(lambda: not any((spool / "tmp").iterdir()), 1)
        beside = spool.with_name("spool.old")
        spool.rename(beside)
        shutil.rmtree(beside)


def _fill_disk(host: TortureHost, draw: random.Random) -> None:
    host.fill_disk()


def _write_protect(host: TortureHost, draw: random.Random) -> None:
    """Let nothing be written; the kernel refuses that while a daemon has files open."""
    host.site.service.kill()
    host.write_protect()
    host.start_daemon()


def _damage_ledger(host: TortureHost, draw: random.Random) -> None:
    """Spoil the ledger while no release is on its way, since it alone knows of one."""
    done = host.site.service.run("status", "--format", "json")
    is_busy = '"release"' in done.stdout.split('"recent"')[0]
    host.site.service.kill()
    path = host.site.host.data_dir / "ledger.sqlite3"
    if is_busy or done.returncode or not path.exists() or host.site.host.spool():
        return
    raw = bytearray(path.read_bytes())
    for _ in range(64 if raw else 0):
        place = draw.randrange(len(raw))
        raw[place : place + 256] = draw.randbytes(256)
    with contextlib.suppress(OSError):
        path.write_bytes(raw)
        host.was_ledger_lost = True
    host.start_daemon()


def _many_events(host: TortureHost, draw: random.Random) -> None:
    """More events than the Engine remembers."""
    name = sorted(host.site.names())[:1] if host.is_engine_awake else []
    for number in range(300 if name else 0):
        host.site.tag(name[0], "flood", str(number % 3))


FAULTS: Final[Mapping[str, Fault]] = {
    **{name: _misbehaving(name) for name in _ANSWERS},
    "registry refused": _stop_registry,
    "kill -9 of the daemon": _kill_daemon,
    "death of the daemon at a step": _order_death("daemon"),
    "death of a hook at a step": _order_death("hook"),
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
}


def heal(host: TortureHost) -> None:
    """Let everything be as it should be, but for a daemon that is dead."""
    host.orders.withdraw()
    host.proxy.behave()
    host.wake_engine()
    host.allow_writing()
    host.empty_disk()
    if not host.registry.is_running:
        host.registry.start()
