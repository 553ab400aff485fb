"""What belongs to an app: its properties and its login are there at peace."""

from collections.abc import Iterator

from torture.deeds import Deeds
from torture.host import TortureHost
from torture.stored import Violation


def violations(host: TortureHost, deeds: Deeds) -> Iterator[Violation]:
    """Give what apps have lost, or what was changed."""
    for app in deeds.apps:
        for (plugin, name), value in app.settings.items():
            found = host.site.host.read_property(app.name, name, plugin=plugin)
            if found != value:
                yield "other", f"{name} of {app.name} is {found!r}, not {value!r}"
        if app.login and host.login_of(app.name) != app.login:
            yield "other", f"{app.name} has lost its login"
        if app.has_helper and not host.keychain.has(host.proxy.host):
            yield "other", f"the keychain has lost the login of {app.name}"
