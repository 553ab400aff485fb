"""The whole life of an app where ours is the registry plugin."""

import base64
import json

from support.app_images import PULLING
from support.every_engine import on_every_engine
from support.life import Life
from support.registries import RegistryServer
from support.remote import Remote
from support.site import Site

FOLDER = ("drwxr-xr-x", "")
PRIVATE = ("drwx------", "")
SOCKET = ("srw-------", "")
HIDDEN = ("-rw-------", "")


def _file(text: str) -> tuple[str, str]:
    return ("-rw-------", text)


def _login(life: Life) -> str:
    """Return what `docker login` would have written for both registries."""
    registry = life.site.registry
    login = f"{registry.username}:{registry.password}".encode()
    entry = {"auth": base64.b64encode(login).decode()}
    hosts = (registry.host, life.second.host)
    return json.dumps({"auths": dict.fromkeys(hosts, entry)}, indent="\t")


def _live(life: Life) -> None:
    life.begin()
    life.grow()
    life.divide(copy=1)
    life.survive(copy=1)
    life.move_to_a_cluster()
    life.return_home()
    life.choose_the_second_registry()
    _run_on_under_the_old_name(life)
    life.end()


def _run_on_under_the_old_name(life: Life) -> None:
    """What runs keeps its name, is healed under it, and starts from it again."""
    name = life.site.reference(10, "shop")
    life.site.untag(name)
    life.settle_shop(10)

    said = life.dokku.ps_restart("shop") + life.dokku.run("shop")

    assert PULLING not in said
    assert life.dokku.runs("shop") == [(name, life.id_of("shop", 10))]


@on_every_engine
def test_whole_life(life: Life) -> None:
    """It ends with exactly these tags, images, properties and files."""
    first = life.site.server
    _live(life)

    def old(app: str, number: int) -> str:
        return life.id_of(app, number, first)

    assert life.pushed() == [
        {
            "dokku/copy": {
                "1": old("copy", 1),
                "2": old("copy", 2),
                "stable": old("copy", 2),
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
    assert life.names() == {
        f"{life.second.host}/dokku/shop:11": life.id_of("shop", 11),
        "dokku/shop:11": life.id_of("shop", 11),
        "dokku/shop:latest": life.id_of("shop", 11),
    }
    assert life.dokku.ps_retire() == []
    digest = Remote(life.second, "dokku/shop").digest(11)
    assert life.files() == {
        "config/registry": FOLDER,
        "config/registry/shop": PRIVATE,
        "config/registry/shop/config.json": _file(_login(life)),
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
        "data/registryd/deployed": PRIVATE,
        "data/registryd/deployed/shop": _file(
            f"{life.second.host}/\ndokku/shop\n11\n{digest}\n{life.id_of('shop', 11)}\n"
        ),
        "data/registryd/deploying": PRIVATE,
        "data/registryd/forgotten": PRIVATE,
        "data/registryd/ledger.sqlite3": HIDDEN,
        "data/registryd/ledger.sqlite3-shm": HIDDEN,
        "data/registryd/ledger.sqlite3-wal": HIDDEN,
        "data/registryd/lock": HIDDEN,
        "data/registryd/replies": PRIVATE,
        "data/registryd/push-way": _file("relay\n"),
        "data/registryd/spool": PRIVATE,
        "data/registryd/spool/new": PRIVATE,
        "data/registryd/spool/rejected": PRIVATE,
        "data/registryd/spool/tmp": PRIVATE,
        "data/registryd/status.sock": SOCKET,
    }


def test_life_without_the_daemon(
    idle_one: Site, second_registry: RegistryServer
) -> None:
    """Hooks do all that cannot wait; the daemon does the rest once it is there."""
    life = Life(idle_one, second_registry)
    dokku = life.dokku
    life.begin()
    for number in (1, 2, 3):
        life.release("web", number, lambda: dokku.ps_rebuild("web"))
    life.release("web", 4, lambda: dokku.config_set("web"))
    life.release("shop", 5, lambda: dokku.apps_rename("web", "shop"))
    life.release("copy", 1, lambda: dokku.apps_clone("shop", "copy"))
    dokku.apps_destroy("copy")
    dokku.ps_stop("shop")
    dokku.images.docker("image", "prune", "--all", "--force")
    assert PULLING in dokku.ps_restart("shop")

    life.site.service.start()

    life.settle_shop(5)
    assert life.names("copy") == {}
    assert life.site.host.spool() == {}
    assert life.site.releases("shop") == [
        (number, "pushed") for number in (5, 4, 3, 2, 1)
    ]
    assert {row["app"] for row in life.site.ask("releases")} == {"shop"}
    left = {path for path in life.files() if path.startswith("config/registry/")}
    assert left == {
        "config/registry/shop",
        "config/registry/shop/config.json",
        "config/registry/shop/push-extra-tags",
        "config/registry/shop/push-on-release",
        "config/registry/shop/server",
        "config/registry/shop/tag-version",
    }
