"""What people do on a Dokku host, drawn from a seed, and what they then expect."""

import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from support.dokku_host import Result
from support.engine_api import EngineApiError
from support.running_hook import RunningHook
from torture.host import TortureHost

_MOST_APPS: Final = 5
_FAILED_CHECKS: Final = 0.15  # of the deploys whose release went on
_GOOD: Final = b"dokku-registryd/1\ntrigger=deployed\napp={}\ntag=\nend\n"


@dataclass(kw_only=True)
class Deploy:
    """One release that somebody asked for."""

    app: "App"
    image_id: str
    hook: RunningHook
    result: Result | None = None
    may_be_lost: str = ""
    """Why nobody can expect that it arrives, such as a destroyed app."""
    has_passed_checks: bool = True
    must_succeed: bool = False
    """Whether nothing went wrong any more when it was asked for."""

    @property
    def is_accepted(self) -> bool:
        """Whether its deploy went on, so that the push is a promise."""
        return self.result is not None and self.result.code == 0


@dataclass(kw_only=True)
class App:
    """An app by whatever name it has now."""

    name: str
    deploys: list[Deploy] = field(default_factory=list)
    may_lack_images: str = ""
    """Why its images need not come back."""


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

    def do_something(self) -> None:
        """Do what is drawn."""
        if not self.apps:
            if not self._host.is_disk_fine:
                return
            self.create()
        choices: list[tuple[int, Callable[[], object]]] = [
            (8, self.deploy),
            (3, self.deploy_again),
            (1, self.destroy),
            (2, self.prune),
            (3, self.untag),
            (1, self.leave_triggers),
        ]
        if self._host.is_disk_fine:
            # Dokku itself would leave half of these behind.
            choices += [(2, self.change), (1, self.rename), (1, self.clone)]
            if len(self.apps) < _MOST_APPS:
                choices.append((2, self.create))
        weights, deeds = zip(*choices, strict=True)
        self._draw.choices(deeds, weights)[0]()

    def create(self) -> App:
        """Create an app."""
        name = self._fresh_name()
        policy = self._draw.choice(["wait", "wait", "background"])
        has_helper = self._draw.random() < 0.5
        self._say(f"create {name} (policy {policy}, helper {has_helper})")
        self._host.make_app(
            name, has_helper=has_helper, push_extra_tags="latest, stable"
        )
        self._site.host.set_property(name, "push-policy", policy, plugin="registryd")
        app = App(name=name)
        self.apps.append(app)
        return app

    def deploy(self, app: App | None = None) -> None:
        """Build and release."""
        app = app or self._idle_app()
        if app is not None:
            self._begin(app, self._site.build(app.name), "build")

    def deploy_again(self, app: App | None = None) -> None:
        """Release the same image once more, as `config:set` does."""
        app = app or self._idle_app()
        if app is None or not app.deploys:
            return
        known = self._site.names().get(f"dokku/{app.name}:latest")
        if known is not None:
            self._begin(app, known, "same image")

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
        self._say(f"set {app.name} {name}={value!r}")
        self._site.host.set_property(app.name, name, value, plugin=plugin)

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
        if self._site.host.clone_app(app.name, new).code == 0:
            self.apps.append(App(name=new))

    def destroy(self) -> None:
        """Destroy an app."""
        app = self._some_app()
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
            name = f"{self._counter:016d}.{os.getpid()}.7"
            try:
                path = folder / "tmp" / name
                path.write_bytes(_GOOD.replace(b"{}", app.name.encode()))
                path.chmod(0o600)
                path.rename(folder / "new" / name)
            except OSError:
                continue  # A full disk takes none; then nothing was left.
            self.triggers.append(name)
        self._say(f"{len(self.triggers)} trigger files so far")

    def try_again(self) -> bool:
        """Release those apps once more whose latest release failed; tell if any."""
        failed = [
            app for app in self.apps if app.deploys and not app.deploys[-1].is_accepted
        ]
        for app in failed:
            self.deploy(app)
            app.deploys[-1].must_succeed = True
        return bool(failed)

    def next_number(self) -> tuple[str, str] | None:
        """Return a repository and its next number, of an app that is at rest."""
        self.collect()
        resting = [
            app
            for app in self.apps
            if app.deploys and all(deploy.result for deploy in app.deploys)
        ]
        if not resting or self._unpushed() or not self._host.registry.is_running:
            return None
        app = self._draw.choice(resting)
        path = self._site.host.read_property(app.name, "image-repo")
        path = path or f"dokku/{app.name}"
        taken = [put.tag for put in self._host.proxy.puts if put.path == path]
        numbers = [int(tag) for tag in taken if tag.isdigit()]
        return (path, str(max(numbers) + 1)) if numbers else None

    def owner_of(self, path: str) -> App | None:
        """Return the app that releases to a repository."""
        for app in self.apps:
            own = self._site.host.read_property(app.name, "image-repo")
            if path == (own or f"dokku/{app.name}"):
                return app
        return None

    def excuse_deleted(self, digest: str) -> None:
        """Expect nothing of what somebody has deleted in the registry."""
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
        """Do what Dokku does after a release: run the checks, and say how it ended."""
        app, dokku = deploy.app, self._site
        if app not in self.apps or app.deploys[-1] is not deploy:
            return
        deploy.has_passed_checks = self._draw.random() >= _FAILED_CHECKS
        if deploy.is_accepted and deploy.has_passed_checks:
            dokku.announce_deploy(app.name)
        elif deploy.is_accepted:
            self._say(f"the checks of {app.name} fail")
        is_good = deploy.is_accepted and deploy.has_passed_checks
        dokku.end_deploy(app.name, status="succeeded" if is_good else "failed")

    def _excuse(self, deploys: Iterable[Deploy], reason: str) -> None:
        """Expect nothing of releases whose only copy somebody takes away."""
        for deploy in deploys:
            if deploy.result is None or self._is_pushing(deploy):
                deploy.may_be_lost = deploy.may_be_lost or reason
                deploy.app.may_lack_images = reason
                self._say(f"nothing is expected of {deploy.app.name}: {reason}")

    def _is_pushing(self, deploy: Deploy) -> bool:
        """Tell whether an accepted release may still be on its way."""
        return deploy.is_accepted and bool(self._unpushed())

    def _unpushed(self) -> list[str]:
        done = self._site.service.run("status", "--format", "json")
        return [done.stdout] if '"release"' in done.stdout.split('"recent"')[0] else []

    def _begin(self, app: App, image_id: str, what: str) -> None:
        self._say(f"release {app.name} ({what}, {image_id[7:15]})")
        deploy = Deploy(
            app=app, image_id=image_id, hook=self._site.begin_release(app.name)
        )
        app.deploys.append(deploy)
        self.deploys.append(deploy)

    def _some_app(self) -> App:
        if not self.apps:
            self.create()
        return self._draw.choice(self.apps)

    def _idle_app(self) -> App | None:
        """Return an app, if nobody deploys it just now: Dokku has a lock for that."""
        app = self._some_app()
        self.collect()
        is_busy = any(deploy.result is None for deploy in app.deploys)
        return None if is_busy else app

    def _fresh_name(self) -> str:
        """Return a name that is free; sometimes one that was used before."""
        if self.gone and self._draw.random() < 0.4:
            name = self._draw.choice(sorted(self.gone))
            self.gone.discard(name)
            return name
        self._counter += 1
        return f"app{self._counter}"
