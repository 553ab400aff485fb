"""What scenes are made of: each act does something, looks it up, and tells it."""

import re
from typing import Final

from demo import facts
from demo.deploys import EXTRA_TAGS, QUESTIONS, App
from demo.facts import claim
from demo.stage import Stage
from demo.timeline import Stopwatch, Timeline, spell_size
from support.waiting import until

# A heal that meets the prune half-way keeps the image; then it is pruned again.
_MOST_PRUNES: Final = 5
_PUSHED: Final = re.compile(r"^\w+: Pushed$", re.MULTILINE)


class Acts:
    """Acts around one app.

    Args:
        stage: Where they happen; it has been started.
        timeline: Where they are told.
        app: The app.
    """

    def __init__(self, stage: Stage, timeline: Timeline, app: App) -> None:
        self.image_id = ""
        """The image that was built last."""
        self.digest = ""
        """What the registry has confirmed last."""
        self._stage = stage
        self._engine = stage.engine.path
        self._tell = timeline.event
        self._app = app

    def name(self, number: int) -> str:
        """Return the deployed reference of a release."""
        return f"{self._app.remote}:{number}"

    def names(self, number: int) -> set[str]:
        """Return all names that the image of a deployed release has."""
        local = f"{self._app.repository}:{number}"
        return {self.name(number), local, self._app.latest}

    def build(self) -> None:
        """Build an image that is new."""
        watch = Stopwatch()
        previous, self.image_id = self.image_id, self._app.build()
        claim(self.image_id not in {"", previous}, "docker build makes a new image")
        size = spell_size(facts.image_size(self._engine, self._app.latest))
        text = f"{self._app.latest}, {self._count_layers()} layers, {size}"
        self._tell("build", text, watch.seconds)

    def push(self, number: int, *, new_layers: int) -> None:
        """Release it, and ask the registry for what the release promises."""
        release = self._app.release()
        sent, layers = len(_PUSHED.findall(release.output)), self._count_layers()
        claim(sent == new_layers, f"{new_layers} layers are sent, not {sent}")
        text = f"{self.name(number)}, {sent} of {layers} layers sent"
        self._tell("push", text, release.took)
        self.confirm(number)

    def confirm(self, number: int) -> None:
        """Ask the registry whether number and tags have what the ledger recorded."""
        tags = (str(number), *EXTRA_TAGS)
        digests = self._app.digests(*tags)
        done = self._stage.service.lines("job.finished", intent="release")[-1]
        claim(done["reference"] == self.name(number), f"release {number} is done")
        self.digest = str(done["digest"])
        claim(self.digest.startswith("sha256:"), "the release has a digest")
        expected = dict.fromkeys(tags, self.digest)
        claim(digests == expected, f"the registry has {expected}, not {digests}")
        text = f"confirms {facts.short(self.digest)} for {', '.join(tags)}"
        self._tell("registry", text)

    def count(self, number: int) -> None:
        """See that a release is the last that counts: it runs and is confirmed."""
        written = self._stage.host.read_property(self._app.name, "tag-version")
        claim(written == str(number), f"tag-version is {number}, not {written}")

    def deploy(self, number: int) -> None:
        """Deploy it, and see that Dokku is led to the image that was built."""
        watch = Stopwatch()
        name = self._app.deploy()
        claim(name == self.name(number), f"Dokku runs {self.name(number)}, not {name}")
        found = facts.image_id(self._engine, name)
        claim(found == self.image_id, f"{name} is the image that was built")
        text = f"{QUESTIONS} questions of Dokku answered: run {name}"
        self._tell("deploy", text, watch.seconds)

    def retire(self, image_id: str) -> None:
        """Remove a superseded image as ps:retire does: by its ID, without force."""
        until(
            lambda: len(facts.image_names(self._engine, image_id)) == 1,
            what=f"one name only for {image_id}",
        )
        watch = Stopwatch()
        self._app.docker("image", "remove", image_id)
        claim(not facts.image_id(self._engine, image_id), f"{image_id} is removed")
        text = "release 1 kept one name of two, so ps:retire can free its image"
        self._tell("retire", text, watch.seconds)

    def remove_name(self, name: str) -> None:
        """Remove one name of an image."""
        watch = Stopwatch()
        said = self._app.docker("rmi", name)
        claim(f"Untagged: {name}" in said, f"docker rmi removes {name}")
        self._tell("rmi", f"{name} is gone", watch.seconds)

    def prune(self) -> None:
        """Remove all images."""
        watch = Stopwatch()
        said = ""
        for _ in range(_MOST_PRUNES):
            said = self._app.docker("image", "prune", "--all", "--force")
            if f"deleted: {self.image_id}" in said:
                break
        claim(f"deleted: {self.image_id}" in said, "docker image prune removes it")
        freed = said.strip().rpartition(": ")[2]
        self._tell("prune", f"every image is gone, {freed} freed", watch.seconds)

    def wait_for_heal(self, number: int) -> float:
        """Wait until all names of a deployed release are back; return the seconds."""
        watch = Stopwatch()
        names = self.names(number)
        until(
            lambda: all(
                facts.image_id(self._engine, name) == self.image_id for name in names
            ),
            what=f"the return of {', '.join(names)}",
        )
        return watch.seconds

    def _count_layers(self) -> int:
        return facts.count_layers(self._engine, self._app.latest)
