"""An upgrade of the package while releases wait."""

import compileall
import random
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

from support.installed_copy import InstalledCopy
from support.waiting import until
from torture.deeds import Deeds
from torture.fault import Fault, app_at_rest, hold_pushes
from torture.host import TortureHost
from torture.unfit import UnfitError

_VERSION: Final = "999.{number}"
_WAITING: Final = 2
_PUSH_SECONDS: Final = 5
_START_SECONDS: Final = 30
_PATIENCE: Final = 30  # until a daemon that was asked to end is killed


def _upgrade(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let the daemon go on as another version, and hooks call that, too."""
    if not host.site.service.is_running:
        raise UnfitError("there is no daemon")
    before = host.proxy.hits
    for _ in range(_WAITING):
        app = app_at_rest(host, deeds)
        hold_pushes(host)
        deeds.deploy(app)
    with suppress(AssertionError):  # What is not pushed yet waits all the same.
        until(lambda: host.proxy.hits > before, _PUSH_SECONDS)
    version = _VERSION.format(number=draw.randrange(1_000))
    deeds.note(f"upgrade to {version}")
    host.orders.use(_make_copy(host.root / f"version-{version}", version))
    host.thaw_daemon()
    if draw.random() < 0.5:
        host.site.service.kill()
    else:
        # It waits for the pushes that it has begun.
        host.site.service.signal(signal.SIGTERM)
        host.wait(draw.choice([0.0, 1.0]))
        host.proxy.behave()
        with suppress(TimeoutExpired):
            host.site.service.stop(seconds=_PATIENCE)
    host.start_daemon()
    # A hook that waited may work the spool by now, and the daemon waits for its end.
    host.wait(draw.choice([0.0, 1.0]))
    host.proxy.behave()
    try:
        until(lambda: f"version {version}\n" in _lock(host), _START_SECONDS)
    except AssertionError as error:
        raise UnfitError(f"{version} does not start") from error


def _make_copy(folder: Path, version: str) -> Path:
    """Install another version, and return where its modules are."""
    if not folder.exists():
        copy = InstalledCopy(folder)
        copy.upgrade(version)
        # As pip does; the programs of the tests write nothing of that kind.
        compileall.compile_dir(copy.packages, quiet=2)
        return copy.packages
    return next(folder.glob("lib/*/site-packages"))


def _lock(host: TortureHost) -> str:
    path = host.site.host.data_dir / "lock"
    return path.read_text() if path.exists() else ""


FAULTS: Final[Mapping[str, Fault]] = {"upgrade while releases wait": _upgrade}
