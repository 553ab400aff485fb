"""Dokku's own registry plugin is enabled and disabled while apps live on.

As `plugn enable` and `plugn disable` do it: one link, nothing else. Numbers go on, and
the running image is always found under a name that was pushed.
"""

import pytest

from support import core_plugin
from support.dokku_commands import DokkuCommands
from support.site import Site
from support.waiting import until


def _begin(site: Site) -> DokkuCommands:
    dokku = DokkuCommands(site)
    site.make_app(push_extra_tags="stable")
    return dokku


def _rebuild(dokku: DokkuCommands, site: Site, number: int) -> str:
    """Release once, see that `number` runs, and return its image ID."""
    dokku.ps_rebuild("web")
    return _see(dokku, site, number)


def _see(dokku: DokkuCommands, site: Site, number: int) -> str:
    name = site.reference(number)
    assert dokku.images.deploying_name("web") == name
    assert dokku.ps_restart("web") == ""
    ((image, image_id),) = dokku.runs("web")
    assert image == name
    return image_id


def test_there_and_back(site: Site) -> None:
    """Ours, theirs, ours: one row of numbers, each with the image that ran."""
    dokku = _begin(site)
    ran = [_rebuild(dokku, site, 1), _rebuild(dokku, site, 2)]

    site.host.enable_core(core_plugin.HOOKS)
    assert _see(dokku, site, 2) == ran[-1]
    ran += [_rebuild(dokku, site, 3), _rebuild(dokku, site, 4)]
    site.host.disable_core()
    assert _see(dokku, site, 4) == ran[-1]
    ran.append(_rebuild(dokku, site, 5))
    site.host.enable_core()
    ran.append(_rebuild(dokku, site, 6))

    until(lambda: len(site.releases()) == 6, what="the last record")
    assert site.remote().images(site.engine.store) == {
        **{str(number): image_id for number, image_id in enumerate(ran, 1)},
        "stable": ran[-1],
    }
    assert site.releases() == [(number, "pushed") for number in (6, 5, 4, 3, 2, 1)]


@pytest.mark.parametrize("mode", ["takeover", "companion"])
def test_what_the_other_released_comes_back(site: Site, mode: str) -> None:
    """Images that the other plugin has pushed are brought back after the change."""
    dokku = _begin(site)
    if mode == "takeover":
        site.host.enable_core(core_plugin.HOOKS)
    _rebuild(dokku, site, 1)
    image_id = _rebuild(dokku, site, 2)
    if mode == "takeover":
        site.service.wait_for("job.finished", intent="recorded", count=2)
        site.host.disable_core()
    else:
        site.host.enable_core(core_plugin.HOOKS)
    dokku.ps_stop("web")

    site.engine.wipe()

    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert _see(dokku, site, 2) == image_id


def test_the_daemon_sleeps_through_it(one: Site) -> None:
    """What happened while it was stopped is known once it runs again."""
    dokku = _begin(one)
    ran = [_rebuild(dokku, one, 1)]
    one.service.stop()
    one.host.enable_core(core_plugin.HOOKS)
    ran += [_rebuild(dokku, one, 2), _rebuild(dokku, one, 3)]
    one.host.disable_core()
    # This hook works the spool itself, with what is left of the hooks before.
    ran.append(_rebuild(dokku, one, 4))
    one.engine.wipe()

    one.service.start()

    one.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert _see(dokku, one, 4) == ran[-1]
    assert one.releases() == [(number, "pushed") for number in (4, 3, 2, 1)]
    assert one.host.read_property("web", "tag-version") == "4"
    assert one.remote().images(one.engine.store) == {
        **{str(number): image_id for number, image_id in enumerate(ran, 1)},
        "stable": ran[-1],
    }
