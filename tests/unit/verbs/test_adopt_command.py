"""`adopt` beside others: a ledger is never migrated while others work on it."""

import sqlite3
from pathlib import Path

import pytest

from dokku_registryd import config, errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.verbs.host import adopt
from dokku_registryd.verbs.output import Output
from support.calling import Caller

OLDER = Path(__file__).parents[2] / "vectors" / "ledgers" / "schema-1.sqlite3"


@pytest.fixture
def older(caller: Caller) -> Path:
    """Give the ledger of a host, as an older version left it."""
    path = caller.data_dir / "ledger.sqlite3"
    path.write_bytes(OLDER.read_bytes())
    return path


def version_of(path: Path) -> int:
    """Return the schema of a ledger."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_beside_an_older_daemon(
    caller: Caller, older: Path, lock: spool.SpoolLock
) -> None:
    """The ledger stays as the running daemon knows it, and the way on is said."""
    with pytest.raises(errors.LedgerError, match="sudo dokku-registryd install"):
        caller.call("adopt")

    assert version_of(older) == 1


def test_beside_a_hook(caller: Caller, older: Path) -> None:
    """A hook that works on an older ledger is waited for, since it ends."""
    assert caller.lock.acquire(spool.HOOK)
    said: list[str] = []

    def end_hook(text: str) -> None:
        said.append(text)
        assert version_of(older) == 1
        caller.lock.release()

    settings = config.load(
        file=None,
        overrides={"paths.data_dir": str(caller.data_dir)},
        environ={},
    )
    own = spool.SpoolLock(caller.data_dir)
    book = adopt._open(own, settings, Output(line=end_hook, error=said.append))

    assert len(said) == 1
    assert "Waiting for the deploy whose hook" in said[0]
    assert version_of(older) > 1
    assert isinstance(book, ledger.SqliteLedger)
    book.close()
    own.release()
