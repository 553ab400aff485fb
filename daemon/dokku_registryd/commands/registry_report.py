"""`registry:report`: what the registry properties of apps are and come to."""

from functools import partial

from dokku_registryd.commands import apps, dokku, reporting
from dokku_registryd.core import dokku_properties, dokku_report


def perform(call: dokku.Call) -> int:
    """Print the report."""
    rows_of = partial(dokku_report.registry_rows, read=apps.reader(call))
    return reporting.perform(call, dokku_properties.CORE, rows_of, has_legacy_keys=True)
