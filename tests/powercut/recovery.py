"""Starts a host again on what a power cut has left, and sees what becomes of it.

Registry, keychain and log are as they were at that moment. The Engine cannot go back:
it is as it is by then, with all images.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any, Final, cast

from dokku_registryd.core.image.images import Manifest
from powercut import tree
from powercut.actor import Scene
from powercut.cuts import Cut
from powercut.recorder import Moment, Recorder, Recording
from support import seeding
from support.dokku_host import Result
from support.remote import Remote
from torture import settling, verdict
from torture.apps import App, Deploy
from torture.deeds import Deeds
from torture.stored import Violation

# Beyond the kernel's highest process ID: no build of before the cut runs any more.
_NOBODY: Final = 1 << 23


class Recovery:
    """Lets one host recover from one power cut after the other.

    Args:
        recorder: The host's recorder.
        recording: What happened on it.
    """

    def __init__(self, recorder: Recorder, recording: Recording) -> None:
        self.host = recorder.host
        self._places = [*recorder.roots, *recorder.kept]
        self._recording = recording
        self._manifests = self._all_manifests()

    def violations(self, cut: Cut) -> list[Violation]:
        """Return what is wrong once a host has recovered from a cut."""
        moment = self._moment(cut.at)
        host = self.host
        host.site.service.kill()
        self._put_back(cut)
        scene = cast("Scene", moment.scene)
        self._put_back_builds(scene)
        self._put_back_registry(cut.at)
        deeds = self._deeds(scene)
        host.site.service.start()
        try:
            settling.settle(host, deeds)
        except AssertionError as error:
            return [("stuck", str(error))]
        found = verdict.violations(host, deeds)
        aside = sorted(host.site.host.data_dir.glob("ledger.sqlite3.corrupt-*"))
        found += [("lost", f"a ledger that was damaged: {path}") for path in aside]
        refused = host.site.host.spool("rejected")
        found += [("lost", f"a trigger was refused: {name}") for name in refused]
        return found

    # -- as it was

    def _moment(self, at: int) -> Moment:
        before = [one for one in self._recording.moments if one.at <= at]
        return before[-1] if before else self._recording.moments[0]

    def _put_back(self, cut: Cut) -> None:
        for place in self._places:
            if place.is_dir():
                for inner in place.iterdir():
                    if inner.is_dir() and not inner.is_symlink():
                        shutil.rmtree(inner)
                    else:
                        inner.unlink()
        places = {str(place): place for place in self._places}
        tree.write(cut.tree.files(), places)

    def _put_back_builds(self, scene: Scene) -> None:
        host = self.host.site.host
        builds = host.lib_root / "data" / "builds"
        shutil.rmtree(builds, ignore_errors=True)
        for path, content in scene.builds.items():
            target = Path(path)
            if isinstance(content, bytes):
                record = json.loads(content) | {"pid": _NOBODY}
                target.write_text(json.dumps(record))
            else:
                target.mkdir(parents=True)
        for name in {*scene.apps, *scene.gone}:
            shutil.rmtree(host.dokku_root / name, ignore_errors=True)
        for later in host.dokku_root.iterdir():
            if later.name not in {".docker", ".ssh"}:
                shutil.rmtree(later)
        for name in scene.apps:
            (host.dokku_root / name).mkdir()

    def _put_back_registry(self, at: int) -> None:
        host = self.host
        wanted = [put for since, put in self._recording.puts if since <= at]
        for put in {(put.path, put.digest): put for put in host.proxy.puts}.values():
            Remote(host.registry, put.path).delete(put.digest)
        for put in wanted:
            manifest = self._manifests[put.path, put.digest]
            seeding.put(host.registry, put.path, put.tag, manifest)
        host.proxy.puts[:] = wanted
        host.proxy.refused.clear()

    def _all_manifests(self) -> dict[tuple[str, str], Manifest]:
        found = {}
        for _, put in self._recording.puts:
            manifest = seeding.fetch(self.host.registry, put.path, put.digest)
            assert manifest is not None, put
            found[put.path, put.digest] = manifest
        return found

    def _deeds(self, scene: Scene) -> Deeds:
        """Return the memory of a user who worked until the power cut."""
        deeds = Deeds(self.host, random.Random(0), lambda _step: None)  # noqa: S311 - it must be repeatable
        apps = {name: App(name=name) for name in scene.apps}
        for deployed in scene.deploys:
            app = apps.get(deployed.app, App(name=deployed.app))
            code = 1 if deployed.code is None else deployed.code
            deploy = Deploy(
                app=app,
                image_id=deployed.image_id,
                hook=cast("Any", None),
                build="",
                # Facts that Dokku had not reported by then are unknown.
                is_live=deployed.is_live or None,
                result=Result("", "the power went", code),
            )
            if deployed.app not in apps:
                deploy.may_be_lost = "destroyed"
            app.deploys.append(deploy)
            deeds.deploys.append(deploy)
        deeds.apps = [*apps.values()]
        deeds.gone = {*scene.gone}
        return deeds
