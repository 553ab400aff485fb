"""The whole life of an app where ours accompanies Dokku's own registry plugin.

Dokku's plugin pushes, and names change with its properties. Ours prints nothing, pushes
nothing, and brings back what vanishes.
"""

import pytest

from support import core_plugin
from support.app_images import CommandError
from support.dokku_commands import DokkuCommands
from support.life import Life
from support.site import Site

FOLDER = ("drwxr-xr-x", "")
PRIVATE = ("drwx------", "")
SOCKET = ("srw-------", "")
HIDDEN = ("-rw-------", "")


def _file(text: str) -> tuple[str, str]:
    return ("-rw-------", text)


def _live(life: Life) -> None:
    life.site.host.enable_core(core_plugin.HOOKS)
    life.begin()
    life.grow()
    life.divide(copy=6)
    life.survive(copy=6)
    life.move_to_a_cluster()
    life.return_home()
    life.choose_the_second_registry()
    _lose_the_name(life)
    life.end()


def _lose_the_name(life: Life) -> None:
    """Dokku's plugin renames the running image with a server it was not pushed to."""
    name = f"{life.second.host}/dokku/shop:10"
    assert life.dokku.images.deploying_name("shop") == name

    with pytest.raises(CommandError, match=f"App image .{name}. not found"):
        life.dokku.ps_restart("shop")

    assert life.dokku.runs("shop")[0][1] == life.id_of("shop", 10)


def test_whole_life(life: Life) -> None:
    """It ends with exactly these tags, images, properties, files and releases."""
    first = life.site.server
    _live(life)

    def old(app: str, number: int) -> str:
        return life.id_of(app, number, first)

    assert life.pushed() == [
        {
            "dokku/copy": {
                "6": old("copy", 6),
                "7": old("copy", 7),
                "stable": old("copy", 7),
            },
            "dokku/shop": {
                **{str(number): old("shop", number) for number in range(5, 11)},
                "stable": old("shop", 10),
            },
            "dokku/web": {
                **{str(number): old("web", number) for number in range(1, 5)},
                "stable": old("web", 4),
            },
        },
        {
            "dokku/shop": {
                "11": life.id_of("shop", 11),
                "latest": life.id_of("shop", 11),
                "stable": life.id_of("shop", 11),
            },
        },
    ]
    assert life.names() == life.names_of({"shop": 11})
    files = life.files()
    assert life.second.host in files.pop("config/registry/shop/config.json")[1]
    assert files == {
        "config/registry": FOLDER,
        "config/registry/shop": FOLDER,
        "config/registry/shop/push-extra-tags": _file("stable,latest"),
        "config/registry/shop/push-on-release": _file("true"),
        "config/registry/shop/server": _file(life.second.host),
        "config/registry/shop/tag-version": _file("11"),
        "config/registryd": FOLDER,
        "config/registryd/shop": PRIVATE,
        "config/scheduler": FOLDER,
        "config/scheduler/shop": FOLDER,
        "config/scheduler/shop/selected": _file("docker-local"),
        "data/registryd": PRIVATE,
        "data/registryd/forgotten": PRIVATE,
        "data/registryd/ledger.sqlite3": HIDDEN,
        "data/registryd/ledger.sqlite3-shm": HIDDEN,
        "data/registryd/ledger.sqlite3-wal": HIDDEN,
        "data/registryd/lock": HIDDEN,
        "data/registryd/spool": PRIVATE,
        "data/registryd/spool/new": PRIVATE,
        "data/registryd/spool/rejected": PRIVATE,
        "data/registryd/spool/tmp": PRIVATE,
        "data/registryd/status.sock": SOCKET,
    }
    assert life.site.releases("shop") == [
        (number, "pushed") for number in range(11, 0, -1)
    ]


def _say(dokku: DokkuCommands, server: str) -> list[str]:
    """Live a short life, and return all that was printed but Docker's own lines."""
    said = [
        dokku.apps_create("web"),
        dokku.login("web", server),
        dokku.registry("set", "web", "server", server),
        dokku.registry("set", "web", "push-on-release", "true"),
        dokku.registry("set", "web", "push-extra-tags", "stable,latest"),
        dokku.registry("report", "web"),
        dokku.ps_rebuild("web"),
        dokku.config_set("web"),
        dokku.ps_restart("web"),
        dokku.run("web"),
        dokku.apps_rename("web", "shop", skip_deploy=True),
        dokku.apps_clone("shop", "copy"),
        dokku.apps_destroy("copy"),
        dokku.apps_destroy("shop"),
    ]
    ours_or_dokkus = ("-----> ", "=====> ", "       ", " !     ")
    lines = "".join(said).splitlines()
    return [line for line in lines if line.startswith(ours_or_dokkus)]


def test_nothing_is_printed(one: Site) -> None:
    """Deployers see what they would see without us, line by line."""
    one.host.enable_core(core_plugin.HOOKS)
    dokku = DokkuCommands(one)
    link = one.host.hook("").absolute()
    target = link.readlink()
    link.unlink()
    alone = _say(dokku, one.server)
    link.symlink_to(target)

    accompanied = _say(dokku, one.server)

    assert "       Bumping tag to 3" in alone
    assert accompanied == alone
