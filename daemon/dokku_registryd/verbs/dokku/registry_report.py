"""`registry:report`: the registry properties of apps, set and computed."""

from functools import partial

from dokku_registryd.core.dokku import computed, report
from dokku_registryd.verbs.dokku import apps, reporting
from dokku_registryd.verbs.dokku import call as dokku_call


def perform(call: dokku_call.Call) -> int:
    """Print the report."""
    rows_of = partial(report.registry_rows, read=apps.reader(call))
    return reporting.perform(call, computed.CORE, rows_of, has_legacy_keys=True)
