"""`registry:set`: Dokku's own properties, with validated values."""

from dokku_registryd.core.dokku import policy, validation
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import setting


def perform(call: dokku_call.Call) -> int:
    """Set or unset a property; the daemon reads it on use."""
    return setting.perform(
        call,
        policy.CORE,
        validation.REGISTRY,
        only_for_apps=frozenset({"image-repo"}),
    )
