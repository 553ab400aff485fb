"""The life of an app on a Dokku host, told in chapters that hold in both modes.

Each chapter ends with what must be on the host by then. What differs between modes is
left to the tests: numbers of a clone, and what a change of server does.
"""

from collections.abc import Callable

from support import engine_api, file_tree, remote
from support.dokku_commands import DokkuCommands
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

_OPAQUE = ("ledger.sqlite3", "ledger.sqlite3-shm", "ledger.sqlite3-wal", "lock")
_SETTLE_SECONDS = 120
_UNTAGGED = "<none>:<none>"  # Engine 20.10 lists images without a name too


class Life:
    """One life.

    Args:
        site: Where it is lived.
        second: Another registry, with the same login as the site's own.
    """

    def __init__(self, site: Site, second: RegistryServer) -> None:
        self.site = site
        self.second = second
        self.dokku = DokkuCommands(site, [site.registry, second])
        self.image_ids: dict[str, str] = {}
        """What was released under each deployed reference."""

    # -- chapters

    def begin(self) -> None:
        """Create `web`, log it in, let it push."""
        self.dokku.apps_create("web")
        self.dokku.login("web", self.site.server)
        self.dokku.registry("set", "web", "server", self.site.server)
        self.dokku.registry("set", "web", "push-on-release", "true")
        self.dokku.registry("set", "web", "push-extra-tags", "stable")

    def grow(self) -> None:
        """Deploy `web` three times, then change its configuration: 1 to 4."""
        for number in (1, 2, 3):
            self.release("web", number, lambda: self.dokku.ps_rebuild("web"))
            self.settle({"web": number})
        self.release("web", 4, lambda: self.dokku.config_set("web"))
        self.settle({"web": 4})

    def divide(self, *, copy: int) -> None:
        """Rename `web` to `shop`, which gets 5; clone it to `copy`."""
        self.release("shop", 5, lambda: self.dokku.apps_rename("web", "shop"))
        self.settle({"shop": 5})
        self.release("copy", copy, lambda: self.dokku.apps_clone("shop", "copy"))
        self.settle({"shop": 5, "copy": copy})

    def survive(self, *, copy: int) -> None:
        """Lose images in three ways; restart, restart, restore: `shop` gets 6."""
        now = {"shop": 5, "copy": copy}
        self.dokku.images.docker("image", "prune", "--all", "--force")
        self.settle(now)
        assert self.dokku.ps_restart("shop") == ""
        self.dokku.ps_stop("shop")
        self.dokku.images.docker("image", "prune", "--all", "--force")
        self.settle(now)
        assert self.dokku.ps_restart("shop") == ""
        self.site.engine.wipe()
        self.dokku.dead_images.clear()
        self.settle(now)
        self.release("shop", 6, lambda: self.dokku.ps_restore("shop"))
        self.release("copy", copy + 1, lambda: self.dokku.ps_restore("copy"))
        # Dokku's builder has given the names that it started from to the new images.
        names = self.names_of({"shop": 6, "copy": copy + 1}) | {
            "dokku/shop:5": self.id_of("shop", 6),
            "dokku/shop:latest": self.id_of("shop", 5),
            f"dokku/copy:{copy}": self.id_of("copy", copy + 1),
            "dokku/copy:latest": self.id_of("copy", copy),
        }
        self._until_names_are(names)

    def move_to_a_cluster(self) -> None:
        """Let k3s run `shop`, 7 to 9; two releases keep their names on this host."""
        self.dokku.ps_stop("shop")
        self.dokku.scheduler_set("shop", "k3s")
        self.dokku.skips_cleanup = True
        for number in (7, 8, 9):
            self.release("shop", number, lambda: self.dokku.ps_rebuild("shop"))
        self.dokku.skips_cleanup = False
        self._until_names_are(
            self.names_of({"shop": 8}) | self.names_of({"shop": 9}), "shop"
        )
        assert self.dokku.runs("shop") == []

    def return_home(self) -> None:
        """Let `shop` run on this host again, first 9, then 10."""
        self.dokku.scheduler_set("shop", "docker-local")
        self.dokku.ps_restart("shop")
        name = self.site.reference(9, "shop")
        assert self.dokku.runs("shop") == [(name, self.id_of("shop", 9))]
        self.site.untag(name)
        until(lambda: name in self.names("shop"), what=f"the return of {name}")
        self.release("shop", 10, lambda: self.dokku.ps_rebuild("shop"))
        self.settle_shop(10)

    def choose_the_second_registry(self) -> None:
        """Change server and extra tags of `shop`, while 10 runs."""
        self.dokku.login("shop", self.second.host)
        self.dokku.registry("set", "shop", "server", self.second.host)
        self.dokku.registry("set", "shop", "push-extra-tags", "stable,latest")

    def end(self) -> None:
        """Release `shop` to the second registry as 11, then destroy `copy`."""
        self.site.server = self.second.host
        self.release("shop", 11, lambda: self.dokku.ps_rebuild("shop"))
        self.settle_shop(11)
        self.dokku.apps_destroy("copy")
        self.settle({"shop": 11})

    # -- what is where

    def release(self, app: str, number: int, command: Callable[[], str]) -> None:
        """Run a command that releases and deploys an app, and see that it did."""
        command()
        name = self.site.reference(number, app)
        assert self.dokku.images.deploying_name(app) == name
        image_id = self.site.names()[name]
        assert self.dokku.runs(app) in ([], [(name, image_id)])
        self.image_ids[name] = image_id

    def id_of(self, app: str, number: int, server: str = "") -> str:
        """Return the ID of the image that was released under a number."""
        server = server or self.site.server
        return self.image_ids[f"{server}/dokku/{app}:{number}"]

    def names_of(self, apps: dict[str, int]) -> dict[str, str]:
        """Return the names that deployed apps have, given their numbers."""
        return {
            name: self.id_of(app, number)
            for app, number in apps.items()
            for name in (
                self.site.reference(number, app),
                f"dokku/{app}:{number}",
                f"dokku/{app}:latest",
            )
        }

    def names(self, app: str = "") -> dict[str, str]:
        """Return the names on this host, of one app or of all, and their images."""
        return {
            name: image_id
            for name, image_id in self.site.names().items()
            if name != _UNTAGGED and "@" not in name and f"dokku/{app}" in name
        }

    def settle(self, apps: dict[str, int]) -> None:
        """Wait until the host has the names of these apps' releases, and no other."""
        self._until_names_are(self.names_of(apps))

    def settle_shop(self, number: int) -> None:
        """Wait until `shop` has the names of this number's release, and no other."""
        self._until_names_are(self.names_of({"shop": number}), "shop")

    def pushed(self) -> list[dict[str, dict[str, str]]]:
        """Return what each registry has: repository, tag, image ID."""
        store = self.site.engine.store
        return [
            remote.contents(registry, store)
            for registry in (self.site.registry, self.second)
        ]

    def files(self) -> dict[str, file_tree.Entry]:
        """Return all properties, logins and files of ours; no reply, no sight."""
        root = self.site.host.lib_root
        return {
            path: entry
            for folder in ("config", "data")
            for path, entry in file_tree.read(
                root / folder, opaque=_OPAQUE, prefix=folder
            ).items()
            if "/replies/" not in path and path != "data/registryd/absence"
        }

    # -- inside

    def _until_names_are(self, names: dict[str, str], app: str = "") -> None:
        def is_so() -> bool:
            self.dokku.ps_retire()
            try:
                return self.names(app) == names
            except engine_api.EngineApiError:
                return False  # Engine 26.1 lists nothing while a prune runs

        try:
            until(is_so, _SETTLE_SECONDS)
        except AssertionError:
            found = self.names(app)
            wrong = names.items() ^ found.items()
            raise AssertionError(
                f"these names are missing or too many: {sorted(wrong)};"
                f" the log ends: {self.site.service.tail()}"
            ) from None
