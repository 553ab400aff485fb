"""Dokku's commands that build, run and remove apps, as plugins and Engine see them.

The steps, their order and the triggers are those of Dokku 0.38.27 with its scheduler
docker-local. Containers are made and never started; an old one is removed at once,
where Dokku waits a minute. On any other scheduler apps run in a cluster, which pulls.
"""

import json
import os
import shutil
from typing import Final

from support import engine_api
from support.dokku_host import GLOBAL, Result
from support.site import Site

LOCAL: Final = "docker-local"
_APP_LABEL: Final = "com.dokku.app-name"
_STAGE_LABEL: Final = "com.dokku.image-stage"
_DETECT: Final = r"""#!/bin/sh
cat "$DOKKU_LIB_ROOT/config/scheduler/$1/selected" 2>/dev/null || echo docker-local
"""
PULLING: Final = "not found locally, pulling from registry"


class CommandError(Exception):
    """A Dokku command failed; the text is all that it said."""


class DokkuCommands:
    """`dokku` on a site, for everything that plugins only hear of.

    Args:
        site: Where it is typed.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._host = site.host
        self._builds = 0
        self._said: list[str] = []
        self.dead_images: list[str] = []
        """IDs that `ps:retire` still has to remove."""
        self._host.add_plugin("scheduler", {"scheduler-detect": _DETECT})

    # -- what operators and deployers type; each returns what it printed

    def apps_create(self, app: str) -> str:
        """Make an app."""
        return self._begin(self._host.create_app(app))

    def apps_destroy(self, app: str) -> str:
        """Stop an app, tell plugins, prune its images and retire the rest."""
        self._said.clear()
        self._destroy(app)
        return self._end()

    def apps_rename(self, old: str, new: str) -> str:
        """Make the new app, destroy the old one, rebuild."""
        self._begin(self._host.create_app(new))
        self._trigger("post-app-rename-setup", old, new)
        self._destroy(old)
        self._trigger("post-app-rename", old, new)
        self._rebuild(new)
        return self._end()

    def apps_clone(self, old: str, new: str) -> str:
        """Make the new app and rebuild it."""
        self._begin(self._host.create_app(new))
        self._trigger("post-app-clone-setup", old, new)
        self._trigger("post-app-clone", old, new)
        self._rebuild(new)
        return self._end()

    def registry(self, verb: str, *arguments: str, stdin: str | None = None) -> str:
        """Type a command of the registry plugin, whoever answers it."""
        return self._begin(
            self._host.command(f"registry:{verb}", *arguments, stdin=stdin)
        )

    def login(self, app: str, server: str) -> str:
        """Log an app in with the password that the tests' registries know."""
        registry = self._site.registry
        arguments = ("--password-stdin", app, server, registry.username)
        return self.registry("login", *arguments, stdin=registry.password)

    def scheduler_set(self, app: str, scheduler: str) -> None:
        """Choose where an app runs from its next deploy on."""
        self._host.set_property(app, "selected", scheduler, plugin="scheduler")

    def ps_rebuild(self, app: str) -> str:
        """Do what `git push` does too: build, release, deploy."""
        self._said.clear()
        self._rebuild(app)
        return self._end()

    def config_set(self, app: str) -> str:
        """Release the latest build anew and deploy it; a failure is only said."""
        self._said.clear()
        try:
            self._release_and_deploy(app, "latest")
        except CommandError:
            pass
        return self._end()

    def ps_restart(self, app: str) -> str:
        """Deploy what an app runs once more, without a release."""
        self._said.clear()
        self._deploy(app, self._ask("image-tag", app) or "latest")
        return self._end()

    def ps_stop(self, app: str) -> str:
        """Take the containers of an app away."""
        self._said.clear()
        self._stop(app)
        return self._end()

    def ps_start(self, app: str) -> str:
        """Release what an app ran under the next number, and deploy it."""
        self._said.clear()
        self._release_and_deploy(app, self._ask("image-tag", app) or "latest")
        return self._end()

    def ps_retire(self) -> list[str]:
        """Remove dead images by ID and without force; return those that stay."""
        self.dead_images = [
            image
            for image in self.dead_images
            if self._is_here(image) and self._docker("image", "remove", image).code
        ]
        return self.dead_images

    def run(self, app: str) -> str:
        """Start one container beside the app, and let it end."""
        self._said.clear()
        image = self.deploying_image(app, "")
        inspected = engine_api.inspect_image(self._site.engine.path, image)
        if inspected["Config"]["Labels"].get(_STAGE_LABEL) != "release":
            self._fail("Invalid image stage detected")
        labels = {_APP_LABEL: app, "com.dokku.container-type": "run"}
        container = self._site.engine.run_container(image, labels)
        self._site.engine.remove_container(container)
        return self._end()

    def domains_add(self, app: str) -> str:
        """Configure the proxy anew, which looks at the app's image."""
        self._said.clear()
        self.deploying_image(app, "")
        return self._end()

    # -- what is where

    def containers(self, app: str) -> dict[str, str]:
        """Return image name and image ID of an app's container."""
        listed = json.loads(
            engine_api.request(
                self._site.engine.path, "GET", "/containers/json?all=1&size=0"
            )
        )
        return {
            entry["Image"]: entry["ImageID"]
            for entry in listed
            if entry["Labels"].get(_APP_LABEL) == app
        }

    def deploying_image(self, app: str, tag: str) -> str:
        """Return the name that a container is to be made from, once it is here."""
        name = self.deploying_name(app, tag)
        self._verify(app, name)
        return name

    def deploying_name(self, app: str, tag: str) -> str:
        """Put the answers to the three questions together."""
        tag = self._ask("image-tag", app) or tag or "latest"
        repository = self._ask("image-repo", app) or f"dokku/{app}"
        return f"{self._ask('repository', app)}{repository}:{tag}"

    # -- steps

    def _rebuild(self, app: str) -> None:
        label = f"label={_APP_LABEL}={app}"
        self._docker("image", "prune", "--all", "--force", "--filter", label)
        self._build(app, f"dokku/{app}:latest")
        self._release_and_deploy(app, "latest")

    def _release_and_deploy(self, app: str, tag: str) -> None:
        image = f"dokku/{app}:{tag}"
        self._verify(app, image)
        self._say(f"-----> Releasing {app}...\n")
        # What a builder adds to an image when it releases it gives it another ID.
        self._build(app, image)
        self._trigger("pre-release-builder", "dockerfile", app, image)
        self._trigger("post-release-builder", "dockerfile", app, image)
        self._deploy(app, tag)

    def _build(self, app: str, image: str) -> None:
        self._builds += 1
        content = {"version": f"{app} {self._builds}".encode() * 100}
        labels = {_APP_LABEL: app, _STAGE_LABEL: "release"}
        self._site.engine.import_image(image, content, labels)

    def _deploy(self, app: str, tag: str) -> None:
        scheduler = self._trigger("scheduler-detect", app).stdout.strip()
        if scheduler == LOCAL:
            image = self.deploying_image(app, tag)
            before = self._container_ids(app)
            self._site.engine.run_container(image, {_APP_LABEL: app})
            self._retire_containers(before)
        else:
            self._roll_out(self.deploying_name(app, tag))
        self._trigger("core-post-deploy", app, "", "", tag)
        self._trigger("post-deploy", app, "", "", tag)

    def _roll_out(self, name: str) -> None:
        """Do what a cluster does: pull by name."""
        repository, _, tag = name.partition("/")[2].rpartition(":")
        registry = next(
            entry
            for entry in self._site.registries
            if name.startswith(f"{entry.host}/")
        )
        if registry.remote(repository).digest(tag) is None:
            self._fail(f"the cluster cannot pull {name}")

    def _stop(self, app: str) -> None:
        self._retire_containers(self._container_ids(app))

    def _destroy(self, app: str) -> None:
        self._trigger("pre-delete", app, "latest")
        self._trigger("scheduler-stop", LOCAL, app, "true")
        self._stop(app)
        self._trigger("scheduler-post-delete", LOCAL, app, "latest")
        self._trigger("post-delete", app, "latest")
        label = f"label={_APP_LABEL}={app}"
        self._docker("image", "prune", "--all", "--force", "--filter", label)
        self.ps_retire()
        shutil.rmtree(self._host.dokku_root / app)

    def _container_ids(self, app: str) -> dict[str, str]:
        listed = json.loads(
            engine_api.request(self._site.engine.path, "GET", "/containers/json?all=1")
        )
        return {
            entry["Id"]: entry["ImageID"]
            for entry in listed
            if entry["Labels"].get(_APP_LABEL) == app
        }

    def _retire_containers(self, containers: dict[str, str]) -> None:
        for container, image in containers.items():
            self._site.engine.remove_container(container)
            self.dead_images.append(image)

    # -- an image that is missing

    def _verify(self, app: str, image: str) -> None:
        """Look for an image, and pull it where it has a number and push is on."""
        if self._is_here(image):
            return
        if image.endswith(":latest") or not self._ask("image-tag", app):
            self._fail(f"App image ({image}) not found")
        self._say(f"-----> Image {image} {PULLING}\n")
        repository = f"{self._ask('repository', app)}{self._ask('image-repo', app)}"
        name, _, tag = image.rpartition(":")
        remote = image if name == repository else f"{repository}:{tag}"
        environ = self._login_of(app)
        pulled = self._docker("image", "pull", remote, **environ)
        if pulled.code == 0 and remote != image:
            pulled = self._docker("image", "tag", remote, image, **environ)
        if pulled.code:
            self._fail(f"{pulled.stderr}App image ({image}) not found")

    def _login_of(self, app: str) -> dict[str, str]:
        folder = self._host.config_root / "registry" / app
        file = folder / "config.json"
        if file.exists() and json.loads(file.read_text()).get("auths"):
            return {"DOCKER_CONFIG": str(folder)}
        return {}

    # -- inside

    def _ask(self, question: str, app: str) -> str:
        # $(...) takes line breaks from the end, and from nowhere else.
        return self._host.trigger(f"deployed-app-{question}", app).stdout.rstrip("\n")

    def _is_here(self, image: str) -> bool:
        return self._docker("image", "inspect", image).code == 0

    def _docker(self, *arguments: str, **environ: str) -> Result:
        return self._host.run(["docker", *arguments], environ=environ)

    def _trigger(self, name: str, *arguments: str) -> Result:
        result = self._host.trigger(name, *arguments)
        self._say(result.stdout + result.stderr)
        if result.code:
            self._fail("")
        return result

    def _begin(self, result: Result) -> str:
        self._said = [result.stdout, result.stderr]
        if result.code:
            self._fail("")
        return self._end()

    def _say(self, text: str) -> None:
        self._said.append(text)

    def _end(self) -> str:
        return "".join(self._said)

    def _fail(self, text: str) -> None:
        raise CommandError(f"{self._end()} !     {text}")
