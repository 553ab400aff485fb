"""A ledger that cannot be used: the text has the file at fault and the way out."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger, peek
from support import open_way

OTHER = 54321  # a user without a name on this host

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another"
)


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Be a user who is neither root nor in its group."""
    os.setegid(OTHER)
    os.seteuid(OTHER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def path() -> Iterator[Path]:
    """Give a ledger of another user, which a process of root has just written to."""
    with open_way.folder() as folder:
        os.chown(folder, OTHER, OTHER)
        path = folder / "ledger.sqlite3"
        ledger.SqliteLedger(path).close()
        os.chown(path, OTHER, OTHER)
        # A connection keeps both files beside the ledger.
        with contextlib.closing(sqlite3.connect(path)) as writer:
            writer.execute("UPDATE jobs SET attempts = 1")
            writer.commit()
            for beside in ("-wal", "-shm"):
                Path(f"{path}{beside}").chmod(0o600)
                os.chown(f"{path}{beside}", 0, 0)
            yield path


@needs_root
def test_a_file_beside_it_that_root_has_made(path: Path) -> None:
    """SQLite does not say which of three files it cannot open, so we do."""
    with another_user():
        with pytest.raises(errors.LedgerError) as of_decisions:
            ledger.SqliteLedger(path, read_only=True)
        with pytest.raises(errors.LedgerError) as of_commands:
            peek.read(str(path), now=1.0, limit=1)

    assert str(of_decisions.value) == str(of_commands.value)
    assert str(of_commands.value).endswith(
        f": {path}-wal belongs to user root and is closed to user {OTHER}. Correct it"
        f" with: sudo chown {OTHER}: {path}-wal"
    )


def test_a_ledger_that_is_damaged(tmp_path: Path) -> None:
    """A command cannot repair it, and says who does."""
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"damaged" * 1000)

    with pytest.raises(errors.LedgerError) as caught:
        peek.read(str(path), now=1.0, limit=1)

    assert str(caught.value) == (
        f"the ledger {path} is damaged: file is not a database. A start of the service"
        " sets it aside and makes a new one: sudo systemctl restart dokku-registryd"
    )
