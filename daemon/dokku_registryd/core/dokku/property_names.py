"""Names in property folders that are no properties, such as misspelled ones.

Neither Dokku nor we read them, and nothing reports them. In Dokku's own folder a later
version of Dokku may have further properties, so there only names are reported that
resemble one, or belong to the other plugin.
"""

import difflib
from typing import Final

from dokku_registryd.core.dokku import policy, validation

_OWN: Final = {
    policy.CORE: frozenset({*validation.REGISTRY, "tag-version"}),
    policy.OURS: frozenset(validation.REGISTRYD),
}
_OTHER: Final = {policy.CORE: policy.OURS, policy.OURS: policy.CORE}
_SHOWN: Final = 40
"""Characters of a foreign name that are shown."""


def complaint(plugin: str, owner: str, name: str) -> str:
    """Return why a name in a property folder has no effect; empty if it may have one.

    Args:
        plugin: The plugin's folder, `registry` or `registryd`.
        owner: The app, or `--global`.
        name: The name of the file.
    """
    is_of_host = plugin == policy.OURS and name in validation.REGISTRYD_OF_HOST
    if is_of_host and owner != policy.GLOBAL:
        return (
            f"{name} has no effect for an app. Set it with: dokku {plugin}:set"
            f" {policy.GLOBAL} {name} VALUE"
        )
    if name in _OWN[plugin]:
        return ""
    other = _OTHER[plugin]
    if name in _OWN[other]:
        return (
            f"{name} has no effect among the properties of {plugin}. Set it with: dokku"
            f" {other}:set {owner} {name} VALUE"
        )
    near = difflib.get_close_matches(name, sorted(_OWN[plugin]), n=1)
    if near:
        return (
            f"{name[:_SHOWN]} is not a property of {plugin}, so it has no effect. Set"
            f" the right one with: dokku {plugin}:set {owner} {near[0]} VALUE"
        )
    if plugin == policy.CORE:
        return ""
    known = ", ".join(sorted(_OWN[plugin]))
    return f"{name[:_SHOWN]} is not a property of {plugin}, which has {known}"
