"""What people do on a Dokku host, drawn from a seed, and what they then expect."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from support.engine_api import EngineApiError
from support.played_restart import PlayedRestart
from support.running_hook import RunningHook
from torture import dokku, loose_triggers
from torture.apps import App, Deploy
from torture.host import TortureHost

_MOST_APPS: Final = 5


class Deeds:
    """Does things, one at a time, and remembers them.

    Args:
        host: Where.
        draw: The source of all chance.
        say: Notes what is done.
    """

    def __init__(
        self, host: TortureHost, draw: random.Random, say: Callable[[str], None]
    ) -> None:
        self._host = host
        self._site = host.site
        self._draw = draw
        self.note = self._say = say
        self._counter = 0
        self.apps: list[App] = []
        self.gone: set[str] = set()
        """Names that no app has any more."""
        self.deploys: list[Deploy] = []
        self.triggers: list[str] = []
        """Trigger files that were left without a hook."""
        self.wrong: list[str] = []
        """What went wrong in public, such as a wrong image."""

    def do_something(self) -> None:
        """Do what is drawn."""
        if not self.apps:
            if not self._host.can_change_apps:
                return
            self.create()
        choices: list[tuple[int, Callable[[], object]]] = [
            (8, self.deploy),
            (3, self.deploy_again),
            (2, self.prune),
            (3, self.untag),
            (1, self.leave_triggers),
        ]
        if self._host.dokku_root.has_apps:
            choices.append((1, self.destroy))
        if self._host.can_change_apps:
            # Dokku itself would leave half of these behind.
            choices += [(2, self.change), (1, self.rename), (1, self.clone)]
            choices.append((2, self.switch_push))
            if len(self.apps) < _MOST_APPS:
                choices.append((2, self.create))
        weights, deeds = zip(*choices, strict=True)
        self._draw.choices(deeds, weights)[0]()

    def create(self, name: str = "", policy: str = "") -> App:
        """Create an app, of a name and with a policy that are drawn if not given."""
        name = name or self._fresh_name()
        self.gone.discard(name)
        policy = policy or self._draw.choice(["wait", "wait", "background"])
        has_helper = self._draw.random() < 0.5
        self._say(f"create {name} (policy {policy}, helper {has_helper})")
        tags = "latest, stable"
        login = self._host.make_app(name, has_helper=has_helper, push_extra_tags=tags)
        app = App(name=name, has_helper=has_helper)
        self.set(app, "push-policy", policy, plugin="registryd")
        app.login = login
        for key in ("push-on-release", "server", "push-extra-tags"):
            value = self._site.host.read_property(name, key)
            app.settings[("registry", key)] = value or ""
        self.apps.append(app)
        return app

    def deploy(self, app: App | None = None) -> None:
        """Build and release."""
        app = app or self.idle_app()
        if app is not None:
            self.begin(app, self._site.build(app.name), "build")

    def deploy_again(self, app: App | None = None) -> None:
        """Release the same image once more, as `config:set` does."""
        app = app or self.idle_app()
        if app is None or not app.deploys:
            return
        known = self._site.names().get(f"dokku/{app.name}:latest")
        if known is not None:
            self.begin(app, known, "same image")

    def begin(self, app: App, image_id: str, what: str) -> Deploy:
        """Release an image, and go on while the hook waits."""
        self._say(f"release {app.name} ({what}, {image_id[7:15]})")
        hook = self._site.begin_release(app.name)
        build = self._site.build_of(app.name)
        deploy = Deploy(app=app, image_id=image_id, hook=hook, build=build)
        if not app.is_push_on:
            deploy.is_local, deploy.may_be_lost = True, "released with push off"
        app.deploys.append(deploy)
        self.deploys.append(deploy)
        return deploy

    def roll_back(self, app: App, restart: PlayedRestart) -> Deploy:
        """Roll an app back, and go on while the command runs."""
        lived = [deploy for deploy in app.deploys if deploy.is_live]
        image_id = next(
            deploy.image_id
            for deploy in reversed(lived)
            if deploy.image_id != lived[-1].image_id
        )
        self._say(f"roll {app.name} back ({image_id[7:15]})")
        command = ("registryd:rollback", app.name)
        return self._repeat(app, image_id, restart, command)

    def promote(self, source: App, app: App, restart: PlayedRestart) -> Deploy:
        """Promote what an app runs to another one; go on while the command runs."""
        image_id = [deploy for deploy in source.deploys if deploy.is_live][-1].image_id
        self._say(f"promote {source.name} to {app.name} ({image_id[7:15]})")
        command = ("registryd:promote", source.name, app.name)
        return self._repeat(app, image_id, restart, command)

    def _repeat(
        self,
        app: App,
        image_id: str,
        restart: PlayedRestart,
        command: tuple[str, ...],
    ) -> Deploy:
        deploy = Deploy(
            app=app,
            image_id=image_id,
            hook=RunningHook(self._site.host, *command),
            build="",
            restart=restart,
            restarts_before=len(restart.started),
        )
        app.deploys.append(deploy)
        self.deploys.append(deploy)
        return deploy

    def switch_push(self, app: App | None = None) -> None:
        """Switch the push of an app off, or on again."""
        app = app or self.idle_app()
        if app is not None:
            self.set(app, "push-on-release", "false" if app.is_push_on else "true")
            app.is_push_on = not app.is_push_on

    def change(self) -> None:
        """Change a property."""
        app = self._some_app()
        name, value, plugin = self._draw.choice(
            [
                ("push-extra-tags", "stable", "registry"),
                ("push-extra-tags", "latest,blue", "registry"),
                ("image-repo", f"org/{app.name}", "registry"),
                ("image-repo", "", "registry"),
                ("push-policy", "background", "registryd"),
                ("push-policy", "wait", "registryd"),
            ]
        )
        self.set(app, name, value, plugin=plugin)

    def set(self, app: App, name: str, value: str, *, plugin: str = "registry") -> None:
        """Set a property of an app, and expect that it stays."""
        self._say(f"set {app.name} {name}={value!r}")
        app.settings.pop((plugin, name), None)
        self._site.host.set_property(app.name, name, value, plugin=plugin)
        app.settings[(plugin, name)] = value

    def rename(self) -> None:
        """Rename an app."""
        app = self._some_app()
        new = self._fresh_name()
        self._say(f"rename {app.name} {new}")
        result = self._site.host.rename_app(app.name, new)
        if result.code == 0 and not result.stderr:
            self.gone.add(app.name)
            app.name = new
            # Dokku deploys a renamed app; before that it has no image of its name.
            for deploy in app.deploys:
                deploy.may_be_lost = deploy.may_be_lost or "renamed"

    def clone(self) -> None:
        """Clone an app."""
        app = self._some_app()
        new = self._fresh_name()
        self._say(f"clone {app.name} {new}")
        result = self._site.host.clone_app(app.name, new)
        if result.code == 0:
            duplicate = replace(app, name=new, deploys=[], settings=dict(app.settings))
            if result.stderr:
                duplicate.login, duplicate.settings = "", {}
            self.apps.append(duplicate)

    def destroy(self, app: App | None = None) -> None:
        """Destroy an app."""
        app = app or self._some_app()
        self._say(f"destroy {app.name}")
        if self._site.host.destroy_app(app.name).code == 0:
            self.apps.remove(app)
            self.gone.add(app.name)
            for deploy in app.deploys:
                deploy.may_be_lost = "destroyed"

    def prune(self) -> None:
        """Remove every image that no container uses."""
        self._say("prune")
        self._excuse(self.deploys, "pruned before its push")
        try:
            self._host.prune()
        except (EngineApiError, OSError) as error:
            self._say(f"prune failed: {type(error).__name__}")

    def untag(self) -> None:
        """Remove one name of an image."""
        names = self._site.names()
        if names:
            name = self._draw.choice(sorted(names))
            self._say(f"rmi {name}")
            concerned = (
                deploy for deploy in self.deploys if deploy.image_id == names[name]
            )
            self._excuse(concerned, "its name was removed before its push")
            try:
                self._site.untag(name)
            except (EngineApiError, OSError) as error:
                self._say(f"rmi failed: {type(error).__name__}")

    def leave_triggers(self) -> None:
        """Leave a handful of trigger files at once."""
        app = self._some_app()
        folder = self._site.host.data_dir / "spool"
        for _ in range(self._draw.randint(1, 30)):
            self._counter += 1
            name = loose_triggers.leave(folder, app.name, self._counter)
            self.triggers += [name] if name else []
        self._say(f"{len(self.triggers)} trigger files so far")

    def try_again(self) -> bool:
        """Release those apps once more whose latest release failed; tell if any."""
        failed = [
            app
            for app in self.apps
            if app.deploys and not app.deploys[-1].is_deploy_continued
        ]
        for app in failed:
            self.deploy(app)
            app.deploys[-1].must_succeed = True
        return bool(failed)

    def path_of(self, app: App) -> str:
        """Return the repository that an app releases to."""
        own = self._site.host.read_property(app.name, "image-repo")
        return own or f"dokku/{app.name}"

    def owner_of(self, path: str) -> App | None:
        """Return the app that releases to a repository."""
        return next((app for app in self.apps if self.path_of(app) == path), None)

    def excuse_deleted(self, digest: str) -> None:
        """Expect nothing of images that were deleted in the registry."""
        for put in self._host.proxy.puts:
            if put.digest == digest:
                path = put.path
        deploys = [
            deploy
            for deploy in self.deploys
            if deploy.app is self.owner_of(path) or path.endswith(deploy.app.name)
        ]
        for deploy in deploys:
            deploy.may_be_lost = deploy.may_be_lost or "deleted in the registry"
            deploy.app.may_lack_images = "deleted in the registry"
        self._say(f"deleted {path}@{digest[:15]}")

    def is_any_unpushed(self) -> bool:
        """Tell whether a release is on its way, as far as `status` knows."""
        done = self._site.service.look("status", "--format", "json")
        return '"release"' in done.stdout.split('"recent"')[0]

    def collect(self) -> None:
        """Take note of releases that have ended."""
        for deploy in self.deploys:
            if deploy.result is None and not deploy.hook.is_running:
                deploy.result = deploy.hook.finish()
                self._end_deploy(deploy)
                what = f"release of {deploy.app.name} ended {deploy.result.code}"
                self._say(f"{what} {deploy.result.stderr.strip()[-200:]}")

    # -- inside

    def _end_deploy(self, deploy: Deploy) -> None:
        """Do what Dokku does after a release, if its app is still there."""
        app = deploy.app
        if deploy.restart is not None:
            self._end_rollback(deploy, deploy.restart)
            return
        if not deploy.is_deploy_continued:
            deploy.is_live = False
        if app in self.apps and app.deploys[-1] is deploy:
            for line in dokku.go_on(self._host, deploy, self._draw):
                self._say(line)
                if line.startswith(dokku.WRONG):
                    self.wrong.append(line)

    def _end_rollback(self, deploy: Deploy, restart: PlayedRestart) -> None:
        """See whether it runs; if not, let Dokku's record say that it has failed."""
        deploy.is_live = len(restart.started) > deploy.restarts_before
        host, app = self._site.host, deploy.app.name
        told = host.data_dir / "deploying" / app
        if deploy.is_live or not told.is_dir():
            return
        for build in told.iterdir():
            record = host.lib_root / "data" / "builds" / app / f"{build.name}.json"
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps({"status": "failed", "pid": 1}))

    def _excuse(self, deploys: Iterable[Deploy], reason: str) -> None:
        """Expect nothing of releases whose only copy was removed."""
        for deploy in deploys:
            if deploy.result is None or self._is_pushing(deploy):
                deploy.may_be_lost = deploy.may_be_lost or reason
                deploy.app.may_lack_images = reason
                self._say(f"nothing is expected of {deploy.app.name}: {reason}")

    def _is_pushing(self, deploy: Deploy) -> bool:
        """Tell whether an accepted release may still be on its way."""
        return deploy.is_deploy_continued and self.is_any_unpushed()

    def _some_app(self) -> App:
        if not self.apps:
            self.create()
        return self._draw.choice(self.apps)

    def idle_app(self) -> App | None:
        """Return an app that is not being deployed: Dokku has a lock for that."""
        app = self._some_app()
        self.collect()
        return app if app.is_resting else None

    def _fresh_name(self) -> str:
        """Return a name that is free; sometimes one that was used before."""
        if self.gone and self._draw.random() < 0.4:
            name = self._draw.choice(sorted(self.gone))
            self.gone.discard(name)
            return name
        self._counter += 1
        return f"app{self._counter}"
