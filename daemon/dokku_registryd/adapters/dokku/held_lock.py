"""Dokku's deploy lock of an app, held by us while we deploy it.

As Dokku holds it during a `git push` (common/functions, acquire_app_deploy_lock): an
exclusive `flock` on `data/apps/APP/.deploy.lock`, which names the deploy.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import build_records
from dokku_registryd.core.dokku import deploys

_NAME: Final = ".deploy.lock"
_ATTEMPTS: Final = 10


@contextlib.contextmanager
def held(lib_root: Path, dokku_root: Path, app: str, build: str) -> Iterator[int]:
    """Hold the lock; yield its descriptor, for the process that deploys.

    Args:
        lib_root: Dokku's folder of plugins and data.
        dokku_root: The folder of the apps, with the locks of older versions.
        app: The app; checked by the caller.
        build: The deploy.

    Raises:
        RegistrydError: Another deploy holds it, or it cannot be written.
    """
    folder = lib_root / "data" / "apps" / app
    path = (folder if folder.is_dir() else dokku_root / app) / _NAME
    try:
        descriptor = _lock(path)
    except BlockingIOError:
        records = build_records.BuildRecords(
            lib_root / "data" / "builds", dokku_root=dokku_root
        )
        way = deploys.way_past_lock(app, records.running(app))
        raise errors.RegistrydError(f"{app} is being deployed. {way}") from None
    except OSError as error:
        raise errors.RegistrydError(
            f"cannot lock {path}: {os.strerror(error.errno or 0)}"
        ) from error
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{build}\n".encode())
        yield descriptor
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        # Processes that the deploy leaves behind have the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Return the descriptor of the locked file that has the name.

    Dokku removes the file after it has unlocked it, so the lock of a file that was
    opened before means nothing.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise BlockingIOError
