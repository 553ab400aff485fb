"""A whole life of an app with each kind of registry, by one scripted registry.

Half of the kinds live with a classic image store, the others with containerd's.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from support import engine_api, seeding
from support.engines import CLASSIC, CONTAINERD, EngineServer
from support.played_registry import MARK, PlayedRegistry
from support.registries import RegistryServer
from support.registry_kinds import CREATE, KINDS, LOG_IN, RegistryKind
from support.site import Site

_FIRST: Final = "first-secret"
_SECOND: Final = "second-secret"
_TAG: Final = "stable"
_THEIRS: Final = "of another client"
_STORES: Final = (CLASSIC, CONTAINERD)


class _Life:
    """The chapters of a life; each asserts what the operator and the registry see."""

    def __init__(self, site: Site, played: PlayedRegistry) -> None:
        self.site = site
        self.played = played
        self.kind = played.play.kind
        self.app = self.kind.name
        self.path = f"dokku/{self.app}"
        self.remote = site.remote(self.app)
        self.number = 0

    def begin(self) -> None:
        """Create an app and log it in, by the command that tries the login."""
        site = self.site
        site.server = self.played.play.host
        site.service.configure(daemon__sweep_interval_seconds=1)
        site.service.start()
        site.make_app(self.app, push_extra_tags=_TAG)
        self.log_in(_FIRST)

    def log_in(self, password: str) -> None:
        """Log in as an operator does."""
        arguments = (
            "--password-stdin",
            self.app,
            self.played.play.host,
            self.kind.username,
        )
        done = self.site.host.command("registry:login", *arguments, stdin=password)
        assert (done.code, "Login Succeeded" in done.stderr) == (0, True), done

    def release(self) -> None:
        """Release and deploy; the registry has it under its number and extra tag."""
        self.number += 1
        self.site.ship(self.app)
        self.expect_live()

    def expect_live(self) -> None:
        """See that the number is what runs, and what the extra tag stands for."""
        name = self.site.reference(self.number, self.app)
        assert self.site.deployed_later(self.app) == name
        assert self.remote.digest(self.number) is not None
        assert self.remote.digest(_TAG) == self.remote.digest(self.number)

    def fail(self, advice: str) -> None:
        """Try a release that ends at once, and says what the operator should do."""
        self.number += 1
        before = self.site.host.read_property(self.app, "tag-version")
        self.site.build(self.app)
        result = self.site.release(self.app)
        assert (result.code, advice in result.stderr) == (1, True), result
        assert "retry" not in result.stdout
        assert self.site.host.read_property(self.app, "tag-version") == before

    def find_repository(self) -> None:
        """Learn that the repository is missing, where it is not made by a push."""
        if self.kind.creates == "never":
            self.fail(CREATE)
            self.played.play.create(self.path)

    def lose_number(self) -> None:
        """Find another client's image under the next number, and take the one after.

        Where numbers are immutable, it comes between our look-up and our push.
        """
        lost = self.number + 1
        self.number = lost + 1

        def push(_path: str, tag: str) -> None:
            if tag == str(lost) and self.remote.digest(lost) is None:
                seeding.push(self.site.registry, self.path, tag, _THEIRS)

        if self.kind.immutable is None:
            push("", str(lost))
        else:
            self.played.play.on_put = push
        self.site.build(self.app)
        result = self.site.release(self.app)
        assert (result.code, result.stderr) == (0, "")
        told = f"Tag {lost} is taken by another image, bumping tag to {self.number}"
        assert told in result.stdout
        self.site.announce_deploy(self.app)
        assert self.remote.digest(lost) == seeding.build_manifest(_THEIRS).digest
        self.expect_live()

    def prune(self) -> None:
        """Prune all images of the host; those that are deployed come back."""
        name = self.site.reference(self.number, self.app)
        target = "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
        engine_api.request(self.site.engine.path, "POST", target)
        if self.kind.withheld is not None:
            self.site.waiting("heal", self.app)
            self.played.play.scanned.add(self.path)
        self.site.service.wait_for(
            "job.finished", intent="heal", app=self.app, detail="pulled"
        )
        assert name in self.site.names()

    def lose_login(self) -> None:
        """Meet a login that is over; a new one is enough."""
        self.played.play.expect(self.kind.username, _SECOND)
        self.fail(LOG_IN)
        self.log_in(_SECOND)

    def be_refused(self) -> None:
        """Meet what this kind refuses; the deploy ends or waits."""
        refusal = self.kind.refusal
        before = self.remote.digest(_TAG)
        self.played.play.refusal = refusal
        if refusal.is_passing:
            self.number += 1
            self.site.build(self.app)
            hook = self.site.begin_release(self.app)
            waiting = self.site.waiting("release", self.app)
            assert refusal.advice in waiting["last_error"]
            self.played.play.refusal = None
            assert hook.finish().code == 0
        else:
            self.fail(refusal.advice)
            assert self.remote.digest(_TAG) == before
            self.played.play.refusal = None

    def end(self) -> None:
        """Destroy the app: its login and its rows in the ledger are gone."""
        folder = self.site.host.config_root / "registry" / self.app
        assert self.site.host.destroy_app(self.app).code == 0
        self.site.service.wait_for("job.finished", intent="destroyed", app=self.app)
        assert not folder.exists()
        assert self.site.ask("releases") == []


@pytest.mark.parametrize(
    ("kind", "engine"),
    [(kind, _STORES[number % 2]) for number, kind in enumerate(KINDS)],
    ids=[kind.name for kind in KINDS],
    indirect=["engine"],
)
def test_a_whole_life(
    kind: RegistryKind,
    engine: EngineServer,
    htpasswd_registry: RegistryServer,
    tmp_path: Path,
) -> None:
    """It releases, loses, heals, is refused and ends as with any other registry."""
    with (
        PlayedRegistry(kind, htpasswd_registry, password=_FIRST) as played,
        Site(tmp_path / "host", engine, htpasswd_registry) as site,
    ):
        life = _Life(site, played)
        life.begin()
        life.find_repository()
        life.release()
        assert all(scope.endswith(":pull,push") for scope in played.play.scopes)
        played.play.end_tokens()
        played.play.is_limited = kind.limited is not None
        life.release()
        played.play.is_limited = False
        life.lose_number()
        life.prune()
        life.lose_login()
        life.be_refused()
        life.end()

        puts = re.findall(r"PUT \S+/manifests/(\d+) 201", "\n".join(played.asked))
        assert sorted(puts) == sorted(set(puts))
        assert not [line for line in played.asked if line.startswith("DELETE")]
        assert played.play.strays == []
        for secret in (_FIRST, _SECOND, MARK):
            assert site.spread(secret) == []
