"""Does what people do on a host, and notes what they may rely on from then on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from powercut import tree
from powercut.promises import (
    Accepted,
    Counted,
    Erased,
    Gone,
    Live,
    LoggedIn,
    Nothing,
    Promise,
    Says,
)
from powercut.recorder import Recorder
from support.waiting import until

_SECONDS: Final = 120


@dataclass(slots=True, kw_only=True)
class Deployed:
    """A release that was asked for; `code` is None while its hook has not ended."""

    app: str
    image_id: str
    code: int | None = None
    is_live: bool = False


@dataclass(slots=True, kw_only=True)
class Scene:
    """What Dokku and its users knew at a moment.

    Attributes:
        apps: The apps by their present names.
        gone: Names that no app has any more.
        deploys: All releases so far.
        builds: Dokku's own records of its builds.
    """

    apps: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    deploys: list[Deployed] = field(default_factory=list)
    builds: dict[str, tree.Content | None] = field(default_factory=dict)


class Actor:
    """A user of a host, one action after the other.

    Args:
        recorder: Who records meanwhile.
        say: Notes what is done.
    """

    def __init__(self, recorder: Recorder, say: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._host = recorder.host
        self._site = recorder.host.site
        self._say = say
        self._scene = Scene()

    # -- before a recording

    def make_app(
        self, app: str, *, has_helper: bool = False, has_folder: bool = True
    ) -> None:
        """Make an app that pushes, with a login."""
        self._host.make_app(app, has_helper=has_helper, push_extra_tags="latest")
        if not has_folder:
            self._folders(app)[1].rmdir()
        self._scene.apps.append(app)

    # -- while it runs

    def create(self, app: str) -> None:
        """Create an app without a login."""
        self._say(f"create {app}")
        assert self._site.host.create_app(app).code == 0
        self._scene.apps.append(app)
        self._note({}, is_answer=True)

    def set(self, app: str, name: str, value: str, *, plugin: str = "registry") -> None:
        """Set a property by Dokku's command; an empty value removes it."""
        self._say(f"set {app} {name}={value}")
        path = str(self._site.host.config_root / plugin / app / name)
        before = self._site.host.read_property(app, name, plugin=plugin)
        old = None if before is None else before.encode()
        new = value.encode() or None
        self._note({path: Says(path, frozenset({old, new}))})
        done = self._site.host.command(f"{plugin}:set", app, name, value)
        assert done.code == 0, done
        self._note({path: Says(path, frozenset({new}))})

    def login(self, app: str) -> None:
        """Log in for an app."""
        self._say(f"login {app}")
        path = str(self._site.host.config_root / "registry" / app / "config.json")
        server, registry = self._host.proxy.host, self._host.registry
        done = self._site.host.command(
            "registry:login",
            "--password-stdin",
            app,
            server,
            registry.username,
            stdin=f"{registry.password}\n",
        )
        assert done.code == 0, done
        self._note({path: LoggedIn(path, server, is_there=True)})

    def logout(self, app: str) -> None:
        """Log out for an app."""
        self._say(f"logout {app}")
        path = str(self._site.host.config_root / "registry" / app / "config.json")
        server = self._host.proxy.host
        self._note({path: Nothing()})
        done = self._site.host.command("registry:logout", app, server)
        assert done.code == 0, done
        self._note({path: LoggedIn(path, server, is_there=False)})

    def release(self, app: str) -> None:
        """Build and release."""
        image_id = self._site.build(app)
        self._site.tag(image_id, "kept", str(len(self._scene.deploys)))
        self._begin(app, image_id)

    def release_again(self, app: str) -> None:
        """Release the latest image once more."""
        self._begin(app, self._scene.deploys[-1].image_id)

    def go_live(self, app: str) -> None:
        """Tell that the containers of the latest release run."""
        deploy = self._scene.deploys[-1]
        self._say(f"{app} is live")
        number = int(self._site.deployed(app).rpartition(":")[2])
        self._note({f"live {app}": Nothing()})
        result = self._site.announce_deploy(app)
        assert result.code == 0, result
        assert not result.stderr, result
        deploy.is_live = True
        told: dict[str, Promise] = {f"live {app}": Live(app, number)}
        if self._site.host.read_property(app, "tag-version") == str(number):
            path = str(self._site.host.config_root / "registry" / app / "tag-version")
            told[path] = Counted(path, number)
        self._note(told, is_answer=True)
        self._site.end_deploy(app, status="succeeded")
        self._note({})

    def ship(self, app: str) -> None:
        """Build, release and deploy."""
        self.release(app)
        self.go_live(app)

    def rename(self, app: str, new: str) -> None:
        """Give an app another name."""
        self._say(f"rename {app} {new}")
        moved = self._copies(app, new)
        live = self._forget_live(app)
        self._note(self._nothing_of(app))
        result = self._site.host.rename_app(app, new)
        assert result.code == 0, result
        assert not result.stderr, result
        scene = self._scene
        scene.apps[scene.apps.index(app)] = new
        scene.gone.add(app)
        for deploy in scene.deploys:
            deploy.app = new if deploy.app == app else deploy.app
        for deploy in live:
            deploy.is_live = True
        self._note({**moved, f"app {app}": Gone(app)}, is_answer=True)

    def clone(self, app: str, new: str) -> None:
        """Clone an app."""
        self._say(f"clone {app} {new}")
        copied = self._copies(app, new)
        copied.pop(str(self._folders(new)[0] / "tag-version"), None)
        result = self._site.host.clone_app(app, new)
        assert result.code == 0, result
        assert not result.stderr, result
        self._scene.apps.append(new)
        self._note(copied, is_answer=True)

    def destroy(self, app: str) -> None:
        """Destroy an app; its login lies in a helper."""
        self._say(f"destroy {app}")
        server = self._host.proxy.host
        login = Erased(app, server, str(self._host.keychain.folder / server))
        self._forget_live(app)
        self._note({**self._nothing_of(app), f"login {app}": login})
        result = self._site.host.destroy_app(app)
        assert result.code == 0, result
        assert not result.stderr, result
        self._scene.apps.remove(app)
        self._scene.gone.add(app)
        # From here on the daemon may erase it at any time.
        told: dict[str, Promise] = {f"login {app}": Nothing(), f"app {app}": Gone(app)}
        self._note(told, is_answer=True)

    def rest(self) -> None:
        """Wait until the daemon has done all that it knows of."""

        def is_done() -> bool:
            done = self._site.service.look("status", "--format", "json")
            is_idle = done.returncode == 0 and not json.loads(done.stdout)["unfinished"]
            return is_idle and not self._site.host.spool()

        until(is_done, _SECONDS, what="the end of all jobs")

    # -- inside

    def _begin(self, app: str, image_id: str) -> None:
        self._say(f"release {app} ({image_id[7:15]})")
        deploy = Deployed(app=app, image_id=image_id)
        self._scene.deploys.append(deploy)
        self._note({})
        result = self._site.release(app)
        deploy.code = result.code
        assert result.code == 0, f"{result} {self._site.service.tail()}"
        self._note({f"release {image_id}": Accepted(image_id)}, is_answer=True)

    def _folders(self, app: str) -> tuple[Path, Path]:
        root = self._site.host.config_root
        return root / "registry" / app, root / "registryd" / app

    def _copies(self, app: str, new: str) -> dict[str, Promise]:
        """Return that each file of an app has the same content at another name's."""
        return {
            str(there / path.name): Says(
                str(there / path.name), frozenset({path.read_bytes()})
            )
            for here, there in zip(self._folders(app), self._folders(new), strict=True)
            if here.is_dir()
            for path in here.iterdir()
        }

    def _forget_live(self, app: str) -> list[Deployed]:
        """Take what an app runs for unknown, while it is renamed or destroyed."""
        live = [one for one in self._scene.deploys if one.app == app and one.is_live]
        for deploy in live:
            deploy.is_live = False
        return live

    def _nothing_of(self, app: str) -> dict[str, Promise]:
        """Return that by the name of an app nothing is expected any more."""
        nothing: dict[str, Promise] = {f"live {app}": Nothing()}
        for folder in self._folders(app):
            nothing |= {str(path): Nothing() for path in folder.iterdir()}
        for deploy in self._scene.deploys:
            if deploy.app == app:
                nothing[f"release {deploy.image_id}"] = Nothing()
        for put in self._host.proxy.puts:
            if put.path == f"dokku/{app}":
                nothing[f"number {put.path}:{put.tag}"] = Nothing()
                nothing[f"digest {put.path} {put.digest}"] = Nothing()
        return nothing

    def _note(
        self, promises: Mapping[str, Promise], *, is_answer: bool = False
    ) -> None:
        scene = self._scene
        builds = self._site.host.lib_root / "data" / "builds"
        copied = Scene(
            apps=[*scene.apps],
            gone={*scene.gone},
            deploys=[
                Deployed(
                    app=one.app,
                    image_id=one.image_id,
                    code=one.code,
                    is_live=one.is_live,
                )
                for one in scene.deploys
            ],
            builds=tree.look([builds]).files() if builds.exists() else {},
        )
        self._recorder.note(promises, is_answer=is_answer, scene=copied)
