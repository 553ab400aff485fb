"""Opens the ledger."""

import structlog

from dokku_registryd import config, ports
from dokku_registryd.adapters.ledger import ledger


def open_ledger(settings: config.Settings, clock: ports.Clock) -> ledger.SqliteLedger:
    """Open the ledger, and log an error if it had to be rebuilt."""
    opened, aside = ledger.open_or_rebuild(
        settings.ledger_file, stamp=str(int(clock.now()))
    )
    if aside:
        structlog.get_logger().error(
            "ledger.rebuilt",
            reason="the file was damaged; numbers and deployed releases are taken from"
            " Dokku's properties, digests are recorded again as images are pushed",
            set_aside=aside,
        )
    return opened
