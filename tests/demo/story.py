"""The story in scenes. Each thing is done, then looked up, then told."""

import json
from typing import Any, Final

from demo import facts
from demo.acts import Acts
from demo.deploys import EXTRA_TAGS, MIRROR, App
from demo.facts import Login, claim
from demo.stage import Stage
from demo.timeline import Stopwatch, Timeline, spell_size
from support.played_restart import PlayedRestart
from support.waiting import until

_UNAUTHORIZED: Final = 401
_FLEET: Final = ("api", "blog", "web")
_BACKGROUND_SECONDS: Final = 5.0  # far below any retry that a deploy might wait for


class Story:
    """What happens to one app.

    Args:
        stage: Where it happens; it has been started.
        timeline: Where it is told.
    """

    def __init__(self, stage: Stage, timeline: Timeline) -> None:
        self._stage = stage
        self._tell = timeline.event
        self._scene = timeline.scene
        self._app = App(stage, "shop")
        self._acts = Acts(stage, timeline, self._app)

    def play(self) -> None:
        """Play all scenes.

        Raises:
            StoryError: Something is not as it must be.
        """
        self._first_release()
        self._second_release()
        self._removed_name()
        self._pruned_images()
        self._registry_outage()
        self._registry_return()
        self._destroyed_app()
        self._bad_release()
        self._promotion()
        self._lost_host()

    def _first_release(self) -> None:
        self._scene(1, "A release goes to the registry")
        self._app.create()
        self._acts.build()
        self._acts.push(1, new_layers=3)
        self._acts.deploy(1)
        self._acts.count(1)

    def _second_release(self) -> None:
        self._scene(2, "The next release: one layer is new")
        old, first = self._acts.image_id, self._acts.digest
        self._acts.build()
        self._acts.push(2, new_layers=1)
        claim(self._app.digests("1")["1"] == first, "number 1 is what it was")
        self._acts.deploy(2)
        self._acts.count(2)
        self._acts.retire(old)

    def _removed_name(self) -> None:
        self._scene(3, "docker rmi takes the deployed name away")
        asked = len(self._stage.registry.requests())
        self._acts.remove_name(self._acts.name(2))
        took = self._acts.wait_for_heal(2)
        requests = len(self._stage.registry.requests()) - asked
        claim(requests == 0, f"the registry is not asked, not {requests} times")
        self._tell("heal", "back by retag; the registry saw 0 requests, 0 bytes", took)

    def _pruned_images(self) -> None:
        self._scene(4, "docker image prune --all takes every image away")
        self._plant_wrong_login()
        log = self._stage.registry.access_log
        position = log.stat().st_size
        self._acts.prune()
        took = self._acts.wait_for_heal(2)
        blobs, size = facts.downloaded(log.read_bytes()[position:].decode())
        claim(blobs, "the registry sends the layers")
        pushed = f"{self._app.remote}@{self._acts.digest}"
        found = facts.repo_digests(self._stage.engine.path, self._acts.name(2))
        claim(pushed in found, f"what came back is {pushed}, not {found}")
        text = (
            f"pulled {facts.short(self._acts.digest)} with the app's own login:"
            f" {blobs} blobs, {spell_size(size)}"
        )
        self._tell("heal", text, took)

    def _registry_outage(self) -> None:
        self._scene(5, "A release while the registry is down")
        host = self._stage.host
        host.set_property("shop", "push-policy", "background", plugin="registryd")
        self._stage.registry.stop()
        self._tell("outage", "registry stopped; the app has push-policy background")
        self._acts.build()
        took = self._app.release().took
        claim(took < _BACKGROUND_SECONDS, "the deploy does not wait for the registry")
        self._tell("release", "the deploy goes on, the push is kept for later", took)
        self._acts.deploy(3)
        lag = self._wait_for_lag()
        self._acts.count(2)
        reason = lag["last_error"].rpartition(": ")[2].partition(" (")[0]
        self._tell("status", f"shop waits, attempt {lag['attempts']}: {reason}")

    def _registry_return(self) -> None:
        watch = Stopwatch()
        self._stage.registry.start()
        self._tell("return", "registry started again", watch.seconds)
        watch = Stopwatch()
        done = self._stage.service.wait_for("job.finished", intent="release", count=3)
        took, waiting = watch.seconds, self._status()["unfinished"]
        claim(not waiting, f"nothing waits any more, not {waiting}")
        attempts = done["attempts"]
        text = f"{self._acts.name(3)}, delivered by attempt {attempts}; nothing waits"
        self._tell("push", text, took)
        self._acts.confirm(3)
        self._acts.count(3)

    def _destroyed_app(self) -> None:
        self._scene(6, "apps:destroy takes the logins along")
        root, secrets = self._stage.host.root, self._app.secrets
        homes = {self._app.folder / "config.json", self._stage.keychain / MIRROR}
        held = set(facts.files_with(root, secrets))
        claim(held == homes, f"logins are in {homes} alone, not in {held}")
        text = f"its logins: config.json, docker-credential-demo ({MIRROR})"
        self._tell("before", text)
        watch = Stopwatch()
        self._app.destroy()
        done = self._stage.service.wait_for("job.finished", intent="destroyed")
        claim(done["outcome"] == "done", f"the logins are erased: {done}")
        self._tell("destroy", "the hooks of apps:destroy ran", watch.seconds)
        held = set(facts.files_with(root, secrets))
        claim(not held, f"no file of the host holds a login, not {held}")
        claim(not self._app.folder.exists(), "the app's properties are gone")
        self._tell(
            "after", "erased from file and helper; no file or log has a password"
        )

    def _bad_release(self) -> None:
        self._scene(7, "A bad release, and back in seconds")
        app = App(self._stage, "news")
        PlayedRestart(self._stage.host)
        watch = Stopwatch()
        app.create()
        images: list[str] = []
        for _ in range(2):
            images.append(app.build())
            app.release()
            app.deploy()
        self._tell("deploy", f"{app.remote}:2 runs, and it is bad", watch.seconds)
        log = self._stage.registry.access_log
        position = log.stat().st_size
        watch = Stopwatch()
        done = self._stage.host.command(
            "registryd:rollback", "news", environ={"SSH_NAME": "bo"}
        )
        took = watch.seconds
        claim(done.code == 0, f"the rollback ends well: {done.stdout}{done.stderr}")
        asked = log.read_bytes()[position:].decode()
        # A check of the release before may still ask for its layers, by HEAD.
        claim("/blobs/uploads/" not in asked, "no layer is sent")
        digests = app.digests("1", "3", *EXTRA_TAGS)
        claim(len(set(digests.values())) == 1, f"all have one digest, not {digests}")
        for name in (f"{app.remote}:3", app.latest):
            found = facts.image_id(self._engine, name)
            claim(found == images[0], f"{name} is the image of release 1")
        self._tell("rollback", f"{app.remote}:3 runs: release 1, byte for byte", took)
        self._tell("registry", "0 bytes of layers sent; latest, stable are back too")
        listed = self._stage.service.run("releases", "news", "--format", "json")
        latest = json.loads(listed.stdout)[0]
        claim(latest["number"] == 3, f"3 is listed first, not {latest}")
        claim(latest["how"] == "rolled back from 2 to 1", f"it says so, not {latest}")
        claim(latest["revision"] == app.commit(1), f"its commit is that of 1: {latest}")
        claim(latest["deployer"] == "bo", f"it names who asked, not {latest}")
        text = f"3 is {latest['revision'][:7]} by bo: {latest['how']}"
        self._tell("releases", text)

    def _promotion(self) -> None:
        self._scene(8, "What was tested is promoted, byte for byte")
        tested, target = App(self._stage, "news"), App(self._stage, "news-live")
        target.create()
        log = self._stage.registry.access_log
        position = log.stat().st_size
        watch = Stopwatch()
        done = self._stage.host.command("registryd:promote", "news", "news-live")
        took = watch.seconds
        claim(done.code == 0, f"it ends well: {done.stdout}{done.stderr}")
        asked = log.read_bytes()[position:].decode()
        claim("PUT /v2/dokku/news-live/blobs" not in asked, "no layer is sent")
        digest = tested.digests("3")["3"]
        found = target.digests("1", *EXTRA_TAGS)
        claim(set(found.values()) == {digest}, f"all have {digest}, not {found}")
        images = {
            facts.image_id(self._engine, name)
            for name in (f"{tested.remote}:3", f"{target.remote}:1", target.latest)
        }
        claim(len(images) == 1, f"both apps have one image, not {images}")
        self._tell("promote", f"{target.remote}:1 runs: release 3 of news", took)
        text = f"{facts.short(digest)} for both; layers mounted, 0 bytes sent"
        self._tell("registry", text)

    def _lost_host(self) -> None:
        self._scene(9, "The Engine's data is thrown away: a host from its backup")
        fleet = [App(self._stage, name) for name in _FLEET]
        images: dict[str, str] = {}
        watch = Stopwatch()
        for app in fleet:
            app.create()
            image_id = app.build()
            app.release()
            images[app.deploy()] = image_id
        self._tell(
            "deploy", f"{len(fleet)} apps run: {', '.join(_FLEET)}", watch.seconds
        )
        self._stage.service.stop()
        self._stage.engine.lose_everything()
        left = [name for name in images if facts.image_id(self._engine, name)]
        claim(not left, f"the new Engine is empty, and does not have {left}")
        self._tell("lost", "a new Engine: no image, no container; no service runs")
        watch = Stopwatch()
        done = self._stage.service.run("restore")
        claim(done.returncode == 0, f"restore ends well: {done.stdout}{done.stderr}")
        found = {name: facts.image_id(self._engine, name) for name in images}
        claim(found == images, f"every image is the released one, not {found}")
        self._tell("restore", f"{len(found)} images are back, 0 builds", watch.seconds)
        claim("dokku ps:restore --all" in done.stdout, "the next step is named")
        self._tell("next", "dokku ps:restore --all starts them")
        self._stage.service.start()

    # -- inside

    @property
    def _engine(self) -> str:
        return self._stage.engine.path

    def _plant_wrong_login(self) -> None:
        registry, folder = self._stage.registry, self._stage.host.dokku_root / ".docker"
        wrong = Login(registry.username, "an-old-password")
        folder.mkdir()
        auths = {registry.host: {"auth": wrong.basic}}
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": auths}))
        status, _ = facts.ask_registry(registry, "/v2/", wrong)
        claim(status == _UNAUTHORIZED, f"the global login is wrong, not {status}")
        self._tell("login", f"the host's global login is out of date: {status}")

    def _status(self) -> dict[str, Any]:
        answer = self._stage.service.run("status", "--format", "json")
        claim(answer.returncode == 0, f"status answers: {answer.stderr}")
        status: dict[str, Any] = json.loads(answer.stdout)
        return status

    def _wait_for_lag(self) -> dict[str, Any]:
        def lagging() -> list[dict[str, Any]]:
            waiting = self._status()["unfinished"]
            return [job for job in waiting if job["attempts"] and job["last_error"]]

        found = until(lagging, what="a release that waits for its next attempt")
        claim([job["intent"] for job in found] == ["release"], f"a release: {found}")
        return found[0]
