"""`registryd:set`: the properties that are ours alone."""

from dokku_registryd.commands import dokku, setting
from dokku_registryd.core import properties, property_values


def perform(call: dokku.Call) -> int:
    """Set or unset a property; the daemon reads it when it needs it."""
    return setting.perform(call, properties.OURS, property_values.REGISTRYD)
