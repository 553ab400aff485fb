"""A Dokku host with an Engine, a registry and the daemon: all that a test needs.

The daemon is not started here. Apps log in and push as an operator would have it, by
Dokku's own files and triggers.
"""

import base64
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from support import engine_api, engines, file_tree, json_schemas
from support.dokku_host import GLOBAL, DokkuHost, Result
from support.engines import EngineServer
from support.registries import RegistryServer
from support.remote import Remote
from support.running_hook import RunningHook
from support.service import PROGRAM, ServiceProcess
from support.waiting import until

_LABEL: Final = "com.dokku.app-name"


class Site:
    """One host, on which `web` is an app like any other.

    Args:
        folder: An empty or missing folder.
        engine: The host's Engine.
        registry: Where apps push to.
        environ: Variables that hooks and the daemon get in addition to Dokku's own.
        program: What hooks call and the daemon is started from.
        engine_socket: Where they find the Engine; at its own socket if empty.
    """

    def __init__(
        self,
        folder: Path,
        engine: EngineServer,
        registry: RegistryServer,
        *,
        environ: Mapping[str, str] | None = None,
        program: Path = PROGRAM,
        engine_socket: str = "",
    ) -> None:
        engine_socket = engine_socket or engine.socket
        self.engine = engine
        self.registry = registry
        self.server = registry.host
        """What the property `server` of new apps says."""
        self.host = DokkuHost(
            folder,
            docker=engines.find_program(engine.kind.packages, "docker"),
            environ={"DOCKER_HOST": engine_socket, **(environ or {})},
        )
        self.service = ServiceProcess(self.host, engine_socket, program=program)
        self._hooks: list[RunningHook] = []
        self._builds = 0
        self._deploys: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """End what still runs."""
        for hook in self._hooks:
            hook.close()
        self.service.stop()

    # -- apps

    def make_app(self, app: str = "web", **properties: str) -> None:
        """Create an app that pushes, with a login and properties by `name_of_it`."""
        self.host.create_app(app)
        self.log_in(app)
        wanted = {"push_on_release": "true", "server": self.server, **properties}
        for name, value in wanted.items():
            self.host.set_property(app, name.replace("_", "-"), value)

    def log_in(self, app: str = "web", *, password: str = "") -> Path:
        """Write an app's auth config, as `docker login` does."""
        return self.write_login(app, self.basic_login(password))

    def log_in_to(self, *others: RegistryServer, app: str = "web") -> Path:
        """Write an app's auth config for the site's registry and for others."""
        found = {}
        for server in (self.registry, *others):
            login = f"{server.username}:{server.password}".encode()
            found[server.host] = {"auth": base64.b64encode(login).decode()}
        return self.write_login(app, {"auths": found})

    def log_in_globally(self, *, password: str = "") -> Path:
        """Write the global auth config."""
        return self.write_login(GLOBAL, self.basic_login(password))

    def write_login(self, app: str, content: dict[str, Any]) -> Path:
        """Write any auth config; `GLOBAL` has its own place."""
        folder = self.host.config_root / "registry" / app
        if app == GLOBAL:
            folder = self.host.dokku_root / ".docker"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "config.json"
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        return path

    def basic_login(self, password: str = "") -> dict[str, Any]:
        """Return an auth config with user name and password."""
        login = f"{self.registry.username}:{password or self.registry.password}"
        auth = base64.b64encode(login.encode()).decode()
        return {"auths": {self.server: {"auth": auth}}}

    # -- what Dokku does with an app

    def build(self, app: str = "web") -> str:
        """Make a new `dokku/APP:latest`, as a build does, and return its ID."""
        self._builds += 1
        content = {"version": f"{app} {self._builds}".encode() * 100}
        return self.engine.import_image(f"dokku/{app}:latest", content, {_LABEL: app})

    def release(self, app: str = "web") -> Result:
        """Begin a deploy, and fire the trigger that ends its build."""
        return self.host.trigger(
            "post-release-builder",
            "dockerfile",
            app,
            f"dokku/{app}:latest",
            environ=self._begin_deploy(app),
        )

    def begin_release(
        self, app: str = "web", environ: Mapping[str, str] | None = None
    ) -> RunningHook:
        """Fire it, with these variables, and go on while it waits."""
        hook = RunningHook(
            self.host,
            "post-release-builder",
            "dockerfile",
            app,
            f"dokku/{app}:latest",
            environ={**self._begin_deploy(app), **(environ or {})},
        )
        self._hooks.append(hook)
        return hook

    def ship(self, app: str = "web") -> str:
        """Build, release and deploy, and return the image's ID."""
        image_id = self.build(app)
        result = self.release(app)
        assert result.code == 0, f"{result} {self.service.tail()}"
        self.announce_deploy(app)
        return image_id

    def announce_deploy(self, app: str = "web") -> Result:
        """Fire the trigger that follows when the new containers run."""
        return self.host.trigger(
            "post-deploy", app, "", "", "latest", environ=self._deploy_of(app)
        )

    def end_deploy(self, app: str = "web", *, status: str = "failed") -> bool:
        """Write down how the latest deploy of an app stands, as Dokku does.

        Returns:
            Whether it is written down.
        """
        build = self.build_of(app)
        if not build:
            return False  # It had another name when its deploy began.
        folder = self.host.lib_root / "data" / "builds" / app
        record = {"id": build, "app": app, "pid": os.getpid(), "status": status}
        staging = folder / f"{build}.json.tmp"
        with contextlib.suppress(OSError):  # The disk may be full, in tests of that.
            folder.mkdir(parents=True, exist_ok=True)
            staging.write_text(json.dumps(record))
            staging.rename(folder / f"{build}.json")
            return True
        return False

    def build_of(self, app: str = "web") -> str:
        """Return what Dokku calls the latest deploy of an app; empty if there is none.

        All hooks of one deploy share it.
        """
        return self._deploys.get(app, "")

    def deployed(self, app: str = "web") -> str:
        """Return what the latest deploy of an app is told, or was at its end."""
        return self._ask_for_name(app, self._deploy_of(app))

    def deployed_later(self, app: str = "web") -> str:
        """Return what any other command of Dokku is told, such as `ps:restart`."""
        return self._ask_for_name(app, {"DOKKU_BUILD_ID": "later"})

    def _ask_for_name(self, app: str, environ: Mapping[str, str]) -> str:
        server, repository, tag = (
            self.host.trigger(
                f"deployed-app-{name}", app, environ=environ
            ).stdout.strip()
            for name in ("repository", "image-repo", "image-tag")
        )
        return f"{server}{repository}:{tag}"

    def _begin_deploy(self, app: str) -> dict[str, str]:
        self._builds += 1
        self._deploys[app] = f"build{self._builds}"
        self.end_deploy(app, status="running")
        return self._deploy_of(app)

    def _deploy_of(self, app: str) -> dict[str, str]:
        return {"DOKKU_BUILD_ID": self.build_of(app) or "none"}

    def reference(self, number: object, app: str = "web") -> str:
        """Return the deployed reference that a number stands for."""
        return f"{self.server}/dokku/{app}:{number}"

    # -- what is where

    def remote(self, app: str = "web") -> Remote:
        """Return the app's repository in the registry."""
        return Remote(self.registry, f"dokku/{app}")

    def names(self) -> dict[str, str]:
        """Return all names in the Engine with the IDs of their images."""
        listed = engine_api.list_images(self.engine.path)
        return {
            name: image["Id"] for image in listed for name in image["RepoTags"] or []
        }

    def untag(self, *names: str) -> None:
        """Do what `docker rmi NAME` does."""
        for name in names:
            engine_api.request(self.engine.path, "DELETE", f"/images/{name}")

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Do what `docker tag` does."""
        target = f"/images/{image}/tag?repo={repository}&tag={tag}"
        engine_api.request(self.engine.path, "POST", target)

    def ask(self, *arguments: str) -> Any:
        """Return what the command line prints as JSON."""
        done = self.service.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json_schemas.parse(arguments[0], done.stdout)

    def waiting(self, intent: str, app: str = "web") -> dict[str, Any]:
        """Return an unfinished job of an app, once `status` shows why it waits."""

        def failed() -> list[dict[str, Any]]:
            return [
                row
                for row in self.ask("status")["unfinished"]
                if (row["intent"], row["app"]) == (intent, app) and row["last_error"]
            ]

        (found,) = until(failed, what=f"a {intent} job of {app} that waits")
        return found

    def releases(self, app: str = "web") -> list[tuple[int, str]]:
        """Return number and state of an app's releases, the newest first."""
        rows = self.ask("releases", app)
        return [(row["number"], row["state"]) for row in rows]

    def spread(self, secret: str) -> list[str]:
        """Return the files on the host that hold a secret, auth configs left out."""
        forms = (secret.encode(), base64.b64encode(f"ci:{secret}".encode()))
        return [
            str(path)
            for path, content in file_tree.contents(self.host.root)
            if path.name != "config.json" and any(form in content for form in forms)
        ]
