"""What a verb needs to look at a host: no job is requested through it."""

import contextlib
from collections.abc import Iterator

from dokku_registryd import config, ports
from dokku_registryd.adapters.host import clocks
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.verbs import preparation
from dokku_registryd.wiring import contexts, engines


@contextlib.contextmanager
def context(
    settings: config.Settings, book: ledger.SqliteLedger | None = None
) -> Iterator[ports.Context]:
    """Give a context that requests no job, and close what it has opened.

    Args:
        settings: The settings.
        book: The ledger, which is closed too; None for the one of the host.

    Raises:
        RegistrydError: The ledger cannot be read.
    """
    engine = engines.build_engine(settings)
    try:
        opened = book or preparation.read_ledger(settings) or ledger.SqliteLedger(None)
        with contextlib.closing(opened):
            yield contexts.build_context(
                settings,
                engine=engine,
                ledger=opened,
                clock=clocks.SystemClock(),
                submit=lambda _trigger: None,
            )
    finally:
        engine.close()
