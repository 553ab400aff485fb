"""Dokku's commands that build, run and remove apps, as plugins and Engine see them.

The steps, their order and the triggers are those of Dokku 0.38.27 with its scheduler
docker-local. Containers are made and never started; an old one is removed at once,
where Dokku waits a minute. On any other scheduler apps run in a cluster, which pulls.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any, Final

from support import engine_api
from support.app_images import AppImages, CommandError
from support.dokku_host import Result
from support.registries import RegistryServer
from support.remote import Remote
from support.site import Site

_LOCAL: Final = "docker-local"
_APP: Final = "com.dokku.app-name"
_STAGE: Final = "com.dokku.image-stage"
_DETECT: Final = r"""#!/bin/sh
cat "$DOKKU_LIB_ROOT/config/scheduler/$1/selected" 2>/dev/null || echo docker-local
"""


class DokkuCommands:
    """`dokku` on a site, for everything that plugins only hear of.

    Each command returns what it printed, and raises `CommandError` if it failed.

    Args:
        site: Where it is typed.
        registries: Where a cluster finds images.
    """

    def __init__(self, site: Site, registries: Sequence[RegistryServer] = ()) -> None:
        self.images = AppImages(site.host)
        self.dead_images: list[str] = []
        """IDs that `ps:retire` still has to remove."""
        self.skips_cleanup = False
        """What `DOKKU_SKIP_CLEANUP` says: builds leave unused images alone."""
        self._site = site
        self._host = site.host
        self._registries = registries or [site.registry]
        self._builds = 0
        self._said: list[str] = []
        self._host.add_plugin("scheduler", {"scheduler-detect": _DETECT})

    # -- what operators and deployers type

    def registry(self, verb: str, *arguments: str, stdin: str | None = None) -> str:
        """Run a command of the registry plugin, of either plugin."""
        return self._tell(
            lambda: self._hear(
                self._host.command(f"registry:{verb}", *arguments, stdin=stdin)
            )
        )

    def login(self, app: str, server: str) -> str:
        """Log an app in with the password that the tests' registries know."""
        known = self._site.registry
        arguments = ("--password-stdin", app, server, known.username)
        return self.registry("login", *arguments, stdin=known.password)

    def scheduler_set(self, app: str, scheduler: str) -> None:
        """Choose where an app runs from its next deploy on."""
        self._host.set_property(app, "selected", scheduler, plugin="scheduler")

    def apps_create(self, app: str) -> str:
        """Make an app."""
        return self._tell(lambda: self._hear(self._host.create_app(app)))

    def apps_destroy(self, app: str) -> str:
        """Stop an app, tell plugins, prune its images and retire the rest."""
        return self._tell(lambda: self._destroy(app))

    def apps_rename(self, old: str, new: str, *, skip_deploy: bool = False) -> str:
        """Make the new app, destroy the old one, rebuild."""

        def rename() -> None:
            self._hear(self._host.create_app(new))
            self._trigger("post-app-rename-setup", old, new)
            self._destroy(old)
            self._trigger("post-app-rename", old, new)
            if not skip_deploy:
                self._rebuild(new)

        return self._tell(rename)

    def apps_clone(self, old: str, new: str) -> str:
        """Make the new app and rebuild it."""

        def clone() -> None:
            self._hear(self._host.create_app(new))
            self._trigger("post-app-clone-setup", old, new)
            self._trigger("post-app-clone", old, new)
            self._rebuild(new)

        return self._tell(clone)

    def ps_rebuild(self, app: str) -> str:
        """Do what `git push` does too: build, release, deploy."""
        return self._tell(lambda: self._rebuild(app))

    def config_set(self, app: str) -> str:
        """Release the latest build again and deploy it; a failure is only reported."""
        try:
            return self._tell(lambda: self._release_and_deploy(app, "latest"))
        except CommandError as error:
            return str(error)

    def ps_restart(self, app: str) -> str:
        """Deploy what an app runs once more, without a release."""
        return self._tell(lambda: self._deploy(app, self._running_tag(app)))

    def ps_stop(self, app: str) -> str:
        """Take the container of an app away."""
        return self._tell(lambda: self._retire_containers(self._containers(app)))

    def ps_start(self, app: str) -> str:
        """Release what an app ran under the next number, and deploy it."""
        return self._tell(lambda: self._release_and_deploy(app, self._running_tag(app)))

    def ps_restore(self, *apps: str) -> str:
        """Start what does not run, as at a boot."""
        return "".join(self.ps_start(app) for app in apps if not self.runs(app))

    def ps_retire(self) -> list[str]:
        """Remove dead images by ID and without force; return those that stay.

        One that was removed is looked for once more: a heal of the very moment may have
        given it a name. On a host the next deploy's cleanup takes such an image.
        """
        self.dead_images = [
            image for image in self.dead_images if self.images.is_here(image)
        ]
        return [
            image
            for image in self.dead_images
            if self.images.docker("image", "remove", image).code
        ]

    def run(self, app: str) -> str:
        """Start one container beside the app, and let it end."""
        return self._tell(lambda: self._run(app))

    def domains_add(self, app: str) -> str:
        """Configure the proxy again, which inspects the app's image."""
        return self._tell(lambda: self._find(app, ""))

    def runs(self, app: str) -> list[tuple[str, str]]:
        """Return image name and image ID of an app's containers."""
        return [(entry["Image"], entry["ImageID"]) for entry in self._containers(app)]

    # -- steps

    def _rebuild(self, app: str) -> None:
        if not self.skips_cleanup:
            self._prune(app)
        self._build(app, f"dokku/{app}:latest")
        self._release_and_deploy(app, "latest")

    def _release_and_deploy(self, app: str, tag: str) -> None:
        image = f"dokku/{app}:{tag}"
        self._say(self.images.verify(app, image))
        self._say(f"-----> Releasing {app}...\n")
        # What a builder adds to an image when it releases it gives it another ID.
        self._build(app, image)
        self._trigger("pre-release-builder", "dockerfile", app, image)
        self._trigger("post-release-builder", "dockerfile", app, image)
        self._deploy(app, tag)

    def _build(self, app: str, image: str) -> None:
        self._builds += 1
        content = {"version": f"{app} {self._builds}".encode() * 100}
        labels = {_APP: app, _STAGE: "release"}
        self._site.engine.import_image(image, content, labels)

    def _deploy(self, app: str, tag: str) -> None:
        if self._host.trigger("scheduler-detect", app).stdout.strip() == _LOCAL:
            image = self._find(app, tag)
            before = self._containers(app)
            self._site.engine.run_container(image, {_APP: app})
            self._retire_containers(before)
        else:
            self._roll_out(self.images.deploying_name(app, tag))
        self._trigger("core-post-deploy", app, "", "", tag)
        self._trigger("post-deploy", app, "", "", tag)

    def _find(self, app: str, tag: str) -> str:
        name = self.images.deploying_name(app, tag)
        self._say(self.images.verify(app, name))
        return name

    def _roll_out(self, name: str) -> None:
        """Do what a cluster does: pull by name, or run nothing."""
        server, _, path = name.partition("/")
        repository, _, tag = path.rpartition(":")
        found = [
            Remote(registry, repository).digest(tag)
            for registry in self._registries
            if registry.host == server
        ]
        if not any(found):
            raise CommandError(f" !     The cluster cannot pull {name}\n")

    def _run(self, app: str) -> None:
        image = self._find(app, "")
        known = engine_api.inspect_image(self._site.engine.path, image)
        if known["Config"]["Labels"].get(_STAGE) != "release":
            raise CommandError(" !     Invalid image stage detected\n")
        labels = {_APP: app, "com.dokku.container-type": "run"}
        container = self._site.engine.run_container(image, labels)
        self._site.engine.remove_container(container)

    def _destroy(self, app: str) -> None:
        self._trigger("pre-delete", app, "latest")
        self._trigger("scheduler-stop", _LOCAL, app, "true")
        self._retire_containers(self._containers(app))
        self._trigger("scheduler-post-delete", _LOCAL, app, "latest")
        self._trigger("post-delete", app, "latest")
        self._prune(app)
        self.ps_retire()
        shutil.rmtree(self._host.dokku_root / app)

    def _prune(self, app: str) -> None:
        label = f"label={_APP}={app}"
        self.images.docker("image", "prune", "--all", "--force", "--filter", label)

    def _retire_containers(self, containers: list[dict[str, Any]]) -> None:
        for entry in containers:
            self._site.engine.remove_container(entry["Id"])
        used = {entry["ImageID"] for entry in self._list_containers()}
        dead = {entry["ImageID"] for entry in containers} - used
        self.dead_images += sorted(dead - set(self.dead_images))

    # -- inside

    def _running_tag(self, app: str) -> str:
        return self.images.ask("image-tag", app) or "latest"

    def _containers(self, app: str) -> list[dict[str, Any]]:
        return [
            entry
            for entry in self._list_containers()
            if entry["Labels"].get(_APP) == app
        ]

    def _list_containers(self) -> list[dict[str, Any]]:
        target = "/containers/json?all=1"
        listed: list[dict[str, Any]] = json.loads(
            engine_api.request(self._site.engine.path, "GET", target)
        )
        return listed

    def _tell(self, command: Callable[[], object]) -> str:
        """Run one command, and return what was said; say it too where it fails."""
        self._said.clear()
        try:
            command()
        except CommandError as error:
            raise CommandError("".join(self._said) + str(error)) from None
        return "".join(self._said)

    def _trigger(self, name: str, *arguments: str) -> None:
        self._hear(self._host.trigger(name, *arguments))

    def _hear(self, result: Result) -> None:
        self._say(result.stdout + result.stderr)
        if result.code:
            raise CommandError(f"status {result.code}")

    def _say(self, text: str) -> None:
        self._said.append(text)
