"""An app, and what Dokku does with it: the same commands and triggers in its order."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo import facts
from demo.facts import Login
from demo.stage import Stage
from demo.timeline import Stopwatch
from support.app_images import AppImages
from support.dokku_host import Result

EXTRA_TAGS: Final = ("latest", "stable")
MIRROR: Final = "mirror.example.com"
_MIRROR_SECRET: Final = "a-login-for-the-mirror"

_BUILDER: Final = "dockerfile"
_DOCKERFILE: Final = """\
FROM scratch
COPY runtime/ /opt/runtime/
COPY assets/ /app/assets/
COPY code/ /app/code/
"""
_RUNTIME_BYTES: Final = 2_000_000
_ASSET_BYTES: Final = 500_000
_CODE_BYTES: Final = 20_000
# How often a deploy of one web process with nginx asks for the whole name, and how
# often for the tag alone.
_NAME_QUESTIONS: Final = 6
_TAG_QUESTIONS: Final = 5
QUESTIONS: Final = 3 * _NAME_QUESTIONS + _TAG_QUESTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How the hooks of a release ended."""

    output: str
    """What the deployer saw."""
    took: float


class App:
    """One app on the stage's host.

    Args:
        stage: Where it lives.
        name: Its name.
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self.name = name
        self.login = Login(stage.registry.username, stage.registry.password)
        self.repository = f"dokku/{name}"
        self._stage = stage
        self._source = stage.root / "source" / name
        self._deploys = 0

    @property
    def remote(self) -> str:
        """The repository with its registry."""
        return f"{self._stage.registry.host}/{self.repository}"

    @property
    def latest(self) -> str:
        """What Dokku's builders call each new image."""
        return f"dokku/{self.name}:latest"

    @property
    def folder(self) -> Path:
        """Where the app's properties and logins lie."""
        return self._stage.host.config_root / "registry" / self.name

    @property
    def secrets(self) -> list[str]:
        """All that must not outlive the app."""
        return [self.login.password, self.login.basic, _MIRROR_SECRET]

    def create(self) -> None:
        """Do what apps:create, registry:set and registry:login do."""
        host = self._stage.host
        _succeed(host.create_app(self.name), "apps:create")
        host.set_property(self.name, "server", self._stage.registry.host)
        host.set_property(self.name, "push-on-release", "true")
        host.set_property(self.name, "push-extra-tags", ",".join(EXTRA_TAGS))
        config = self.folder / "config.json"
        config.write_text(json.dumps({"credHelpers": {MIRROR: "demo"}}))
        config.chmod(0o600)
        self.docker(
            *("--config", str(self.folder), "login", "--username", self.login.username),
            *("--password-stdin", self._stage.registry.host),
            stdin=self.login.password,
        )
        mirror = {"ServerURL": MIRROR, "Username": "bot", "Secret": _MIRROR_SECRET}
        helper = str(host.bin / "docker-credential-demo")
        _succeed(host.run([helper, "store"], stdin=json.dumps(mirror)), "the helper")

    def build(self) -> str:
        """Build an image whose code is new, as Dokku labels it; return its ID."""
        self._write_source()
        self.docker(
            *("image", "build", "--tag", self.latest),
            f"--label=com.dokku.app-name={self.name}",
            "--label=com.dokku.image-stage=release",
            str(self._source),
        )
        return facts.image_id(self._stage.engine.path, self.latest)

    def release(self) -> Release:
        """Fire what the builder fires once the image is there."""
        watch = Stopwatch()
        self._deploys += 1
        arguments = (_BUILDER, self.name, self.latest)
        _succeed(self._trigger("pre-release-builder", *arguments), "the release")
        done = _succeed(self._trigger("post-release-builder", *arguments), "its push")
        return Release(output=done.stdout, took=watch.seconds)

    def deploy(self) -> str:
        """Ask what the scheduler asks, fire what it fires; return what it would run."""
        images = AppImages(self._stage.host, build=self._build)
        names = {images.deploying_name(self.name) for _ in range(_NAME_QUESTIONS)}
        for _ in range(_TAG_QUESTIONS):
            images.ask("image-tag", self.name)
        facts.claim(len(names) == 1, f"Dokku always gets the same name, not {names}")
        for trigger in ("core-post-deploy", "post-deploy"):
            _succeed(self._trigger(trigger, self.name, "5000", "", "latest"), trigger)
        return names.pop()

    def destroy(self) -> None:
        """Do what apps:destroy does."""
        _succeed(self._stage.host.destroy_app(self.name), "apps:destroy")

    def digests(self, *tags: str) -> dict[str, str]:
        """Ask the registry for the digests of tags."""
        stage = self._stage
        return facts.ask_digests(stage.registry, self.repository, tags, self.login)

    def docker(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the Docker CLI on this host and return what it prints."""
        argv = [str(self._stage.docker), *arguments]
        # BuildKit is a plugin of the CLI that a host need not have.
        done = self._stage.host.run(argv, stdin=stdin, environ={"DOCKER_BUILDKIT": "0"})
        return _succeed(done, f"docker {arguments[0]}").stdout

    def commit(self, deploy: int) -> str:
        """Return the commit of a deploy: any text of the right form."""
        return hashlib.sha1(f"{self.name} {deploy}".encode()).hexdigest()  # noqa: S324

    # -- inside

    def _write_source(self) -> None:
        self._source.mkdir(parents=True, exist_ok=True)
        (self._source / "Dockerfile").write_text(_DOCKERFILE)
        sizes = {"runtime": _RUNTIME_BYTES, "assets": _ASSET_BYTES}
        for name, size in sizes.items():
            path = self._source / name / "content"
            if not path.exists():
                path.parent.mkdir()
                path.write_bytes(os.urandom(size))
        code = self._source / "code" / "serve"
        code.parent.mkdir(exist_ok=True)
        code.write_bytes(os.urandom(_CODE_BYTES))

    def _trigger(self, name: str, *arguments: str) -> Result:
        environ = {
            "DOKKU_BUILD_ID": self._build,
            "DOKKU_BUILD_SOURCE": "git-hook",
            "SSH_NAME": "ana",
            "GIT_REV": self.commit(self._deploys),
        }
        return self._stage.host.trigger(name, *arguments, environ=environ)

    @property
    def _build(self) -> str:
        return f"{self.name}{self._deploys}"


def _succeed(result: Result, what: str) -> Result:
    said = (result.stderr or result.stdout).strip()
    facts.claim(result.code == 0, f"{what} succeeds (status {result.code}: {said})")
    return result
