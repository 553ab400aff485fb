"""Apps whose names are odd but legal live as all others do, in both modes."""

import pytest

from support import core_plugin
from support.dokku_commands import DokkuCommands
from support.site import Site
from support.waiting import until

# One character, digits, dots, hyphens, ours, and as long as a host name's label.
NAMES = ("a", "1.2.3", "my--app", "a.b-c.d", "registryd", "x" * 63)


@pytest.fixture(params=["takeover", "companion"])
def dokku(one: Site, request: pytest.FixtureRequest) -> DokkuCommands:
    """Give the commands of a host in each mode."""
    if request.param == "companion":
        one.host.enable_core(core_plugin.HOOKS)
    return DokkuCommands(one)


def _deploy(dokku: DokkuCommands, site: Site, *apps: str) -> None:
    for app in apps:
        dokku.apps_create(app)
        dokku.login(app, site.server)
        dokku.registry("set", app, "server", site.server)
        dokku.registry("set", app, "push-on-release", "true")
        dokku.ps_rebuild(app)


def test_names(one: Site, dokku: DokkuCommands) -> None:
    """Each app runs its own image, is healed, and can be started again."""
    _deploy(dokku, one, *NAMES)
    ran = {app: dokku.runs(app) for app in NAMES}
    names = one.names()
    until(lambda: len(one.ask("releases")) == len(NAMES), what="all records")
    one.untag(*(name for name in names if name.endswith(":1")))

    until(lambda: names.items() <= one.names().items(), what="the names")

    assert [dokku.ps_restart(app) for app in NAMES] == [""] * len(NAMES)
    assert {app: dokku.runs(app) for app in NAMES} == ran
    assert [image for ((image, _),) in ran.values()] == [
        one.reference(1, app) for app in NAMES
    ]


def test_renamed_cloned_destroyed(one: Site, dokku: DokkuCommands) -> None:
    """A rename, a clone and a destruction meet no app with a similar name."""
    _deploy(dokku, one, "a", "a.b", "a-b")
    ran = dokku.runs("a.b")

    dokku.apps_rename("a", "b")
    dokku.apps_clone("b", "a.b-c")
    for app in ("b", "a-b", "a.b-c"):
        dokku.apps_destroy(app)

    until(lambda: not one.host.spool(), what="the end of all triggers")
    assert dokku.runs("a.b") == ran
    for plugin in ("registry", "registryd"):
        folder = one.host.config_root / plugin
        assert [path.name for path in folder.iterdir()] == ["a.b"]
