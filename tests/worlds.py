"""A whole host in one folder: fakes for what is far, real files for what is near.

Engine and registry client see the same registries, so what one pushes the other finds.
Ledger, spool, replies, property files and detached folders are the real adapters.
"""

import copy
import dataclasses
import functools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from dokku_registryd import errors, ports
from dokku_registryd.adapters.dokku import (
    build_records,
    deploying_files,
    destroyed_apps,
    host_variables,
    modes,
    property_files,
)
from dokku_registryd.adapters.files import absence_file, remnant_files
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.core.dokku import other_plugins, policy
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.image import reference
from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from dokku_registryd.effects.deploy import reply_writer
from fakes_engine import FakeEngine, FakeRemote, do_nothing
from fakes_registry import FakeCredentials, FakeRegistry
from fakes_relay import FakeRelay
from support import scratch

Effect = Callable[
    [jobs.Job, ports.Context, reply_writer.ReplyWriter],
    outcomes.Outcome | outcomes.Continue,
]
SERVER = "r.example"
REPOSITORY = "r.example/org/web"
IMAGE = "dokku/web:latest"


class HandClock:
    """Implements `ports.Clock`; time stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0
        self.wrong_by = 0.0
        """By how much the clock was set; it does not affect monotonic seconds."""

    def now(self) -> float:
        """Return the time."""
        return self.seconds + self.wrong_by

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.seconds += seconds


class Shelves(MutableMapping[str, Manifest]):
    """The registry's content, by the names under which an Engine pushes and pulls."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    def __getitem__(self, canonical: str) -> Manifest:
        """Return what a tag or digest names."""
        found = self._registry._find(reference.parse(canonical))
        if found is None:
            raise KeyError(canonical)
        return found

    def __setitem__(self, canonical: str, manifest: Manifest) -> None:
        """Store what an Engine pushes, unless its tag may not move."""
        image = reference.parse(canonical)
        place = image.repository, image.tag
        if place in self._registry.immutable and place in self._registry.manifests:
            raise errors.TagImmutableError(f"cannot push {canonical}: tag is immutable")
        self._registry.store(canonical, manifest)

    def __delitem__(self, canonical: str) -> None:
        """Refuse: an Engine deletes nothing in a registry."""
        raise NotImplementedError(canonical)

    def __iter__(self) -> Iterator[str]:
        """Give every tag."""
        return (f"{owner}:{tag}" for owner, tag in self._registry.manifests)

    def __len__(self) -> int:
        """Return how many tags there are."""
        return len(self._registry.manifests)


@dataclass(kw_only=True)
class Host:
    """One host with its registries, and what a test may do to them."""

    folder: Path
    engine: FakeEngine
    registry: FakeRegistry
    relay: FakeRelay
    """Not used until a test calls `use_relay`."""
    credentials: FakeCredentials
    files: property_files.PropertyFiles
    ledger: ledger.SqliteLedger
    spool: spool.Spool
    clock: HandClock
    context: ports.Context
    submitted: list[triggers.Trigger] = field(default_factory=list)
    """What effects asked for, but for checks and copies of releases."""
    unchecked: list[str] = field(default_factory=list)
    """The apps whose releases they wanted to be checked."""
    uncopied: list[str] = field(default_factory=list)
    """The apps whose releases they wanted to be copied to their mirrors."""

    # -- what a test arranges

    def create_app(self, app: str = "web", **values: str) -> None:
        """Create an app that pushes to `r.example/org/APP`; more properties follow."""
        (self.folder / "home" / app).mkdir(parents=True, exist_ok=True)
        basic = {
            "push_on_release": "true",
            "server": SERVER,
            "image_repo": f"org/{app}",
        }
        for name, value in {**basic, **values}.items():
            self.set(app, name.replace("_", "-"), value)

    def destroy_app(self, app: str = "web") -> None:
        """Remove an app's own folder, as Dokku does last."""
        (self.folder / "home" / app).rmdir()

    def enable_core(self) -> None:
        """Put Dokku's own registry plugin in charge, by the links that Dokku makes."""
        core = self.folder / "core-plugins" / "available" / "registry"
        core.mkdir(parents=True)
        enabled = self.folder / "plugins" / "enabled"
        enabled.mkdir(parents=True)
        (enabled / "registry").symlink_to(core)

    def disable_core(self) -> None:
        """Put ours in charge again."""
        (self.folder / "plugins" / "enabled" / "registry").unlink()

    def set(self, app: str, name: str, value: str) -> None:
        """Set a property, in the folder where it belongs."""
        ours = {
            "push-policy",
            "push-deadline",
            "heal",
            "follow",
            "hold",
            "keep-releases",
            "keep-remote",
            "mirror",
            "release-records",
        }
        others = other_plugins.PROPERTIES.items()
        foreign = {name: plugin for plugin, names in others for name in names}
        plugin = policy.OURS if name in ours else foreign.get(name, policy.CORE)
        self.files.set(plugin, app, name, value)

    def use_relay(self) -> None:
        """Let the Engine push by the relay from now on."""
        self.relay.refusal = ""

    def cut_registry(self, *, is_down: bool = True) -> None:
        """Let no registry answer, neither us nor the Engine."""
        self.registry.is_down = self.engine.remote.is_down = is_down

    def store(self, name: str, content: str) -> str:
        """Put a foreign image into a registry, and return its digest."""
        manifest = Manifest(media_type="application/json", body=content.encode())
        self.registry.store(name, manifest)
        return manifest.digest

    def add_job(
        self, kind: Kind, job_id: str = "1.1.1", *, app: str = "web", **more: str
    ) -> jobs.Job:
        """Make a job durable, as the intake does, and return it."""
        if kind is Kind.RELEASE:
            more = {
                "image": f"dokku/{app}:latest",
                "scheduler": "docker-local",
                **more,
            }
        job = jobs.Job(
            job_id=job_id,
            trigger=triggers.Trigger(kind=kind, app=app, **more),
            accepted_at=self.clock.now(),
        )
        self.ledger.add_jobs([job])
        return job

    def leave(
        self, kind: Kind, job_id: str = "1.1.1", *, app: str = "web", **more: str
    ) -> None:
        """Leave a trigger file, as a hook does."""
        if kind is Kind.RELEASE:
            more = {
                "image": f"dokku/{app}:latest",
                "scheduler": "docker-local",
                **more,
            }
        trigger = triggers.Trigger(kind=kind, app=app, **more)
        self.spool.prepare()
        beside = self.spool.new.parent / "tmp" / job_id
        beside.write_bytes(triggers.render(trigger))
        beside.rename(self.spool.new / job_id)

    def replace(self, **changes: Any) -> ports.Context:
        """Return the world with other ports."""
        return dataclasses.replace(self.context, **changes)

    def perform(
        self, effect: Effect, job: jobs.Job, context: ports.Context | None = None
    ) -> outcomes.Outcome | None:
        """Make one attempt of a job, without the worker that would retry it.

        None stands for a job that goes on in the background.
        """
        context = context or self.context
        reply = reply_writer.ReplyWriter(context.replies, job.job_id)
        result = effect(job, context, reply)
        return None if isinstance(result, outcomes.Continue) else result

    # -- what a test looks at

    def tags(self, repository: str = REPOSITORY) -> dict[str, str]:
        """Return the tags of a repository and their digests."""
        return {
            tag: manifest.digest
            for (owner, tag), manifest in self.registry.manifests.items()
            if owner == repository
        }

    def names(self) -> dict[str, str]:
        """Return the names on this host and their image IDs."""
        return {
            name: image.image_id
            for image in self.engine.images()
            for name in image.references
        }

    def passing(self) -> list[str]:
        """Return the names on this host that are only there for a push."""
        return [name for image in self.engine.images() for name in image.passing]

    def deployed(self, app: str = "web") -> releases.DeployedRelease | None:
        """Return what Dokku's questions are answered with."""
        return self.files.deployed(app)

    def release(self, job_id: str = "1.1.1") -> releases.Release:
        """Return the release that a job asked for."""
        found = self.ledger.release_of(job_id)
        assert found is not None
        return found

    def tag_version(self, app: str = "web") -> str:
        """Return Dokku's counter."""
        return self.files.get(policy.CORE, app, "tag-version")

    def reply(self, job_id: str = "1.1.1") -> list[tuple[replies.Line, str]]:
        """Return the lines that a waiting hook gets."""
        return list(self.replies.follow(job_id).lines())

    @property
    def replies(self) -> reply_files.ReplyFiles:
        """The reply files."""
        return cast("reply_files.ReplyFiles", self.context.replies)


@functools.cache
def _empty_ledger() -> bytes:
    """Return the file of a new ledger, which takes its time to make."""
    with tempfile.TemporaryDirectory(dir=scratch.folder()) as folder:
        path = Path(folder, "ledger.sqlite3")
        ledger.SqliteLedger(path).close()
        return path.read_bytes()


def build_world(
    folder: Path,
    *,
    image_store: str = "classic",
    free_bytes: Callable[[str], int] = lambda _folder: 1 << 40,
) -> Host:
    """Build an empty host; close its ledger at the end."""
    registry = FakeRegistry()
    remote = FakeRemote(manifests=Shelves(registry), accepted=registry.logins)
    engine = FakeEngine(remote, image_store=image_store)
    engine.relay = FakeRelay("it is switched off")
    (folder / "home" / ".docker").mkdir(parents=True)
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "ledger.sqlite3").write_bytes(_empty_ledger())
    far = _Far(
        engine=engine,
        registry=registry,
        relay=engine.relay,
        credentials=FakeCredentials(),
        clock=HandClock(),
    )
    return _open_world(folder, far, free_bytes)


class Arranged:
    """A host that a test arranged once, to begin with it again and again.

    Args:
        arrange: Arranges a new host. What it lets the Engine call would be about this
            host, never about a copy, so that is refused.
    """

    def __init__(self, arrange: Callable[[Host], object]) -> None:
        self._folder = scratch.make("arranged")
        host = build_world(self._folder / "host")
        try:
            arrange(host)
        finally:
            host.ledger.close()
        assert host.engine.on_push is do_nothing
        self._far = _Far.of(host)

    def copy(self, folder: Path) -> Host:
        """Return a host in another folder that is as this one was arranged."""
        shutil.copytree(self._folder / "host", folder, symlinks=True)
        return _open_world(folder, self._far.copy())

    def close(self) -> None:
        """Remove it; its copies stay."""
        shutil.rmtree(self._folder)


@dataclass(frozen=True, kw_only=True)
class _Far:
    """What is not in the folder of a host."""

    engine: FakeEngine
    registry: FakeRegistry
    relay: FakeRelay
    credentials: FakeCredentials
    clock: HandClock

    @classmethod
    def of(cls, host: Host) -> "_Far":
        return cls(**{each.name: getattr(host, each.name) for each in fields(cls)})

    def copy(self) -> "_Far":
        lock = self.registry.lock
        return copy.deepcopy(self, {id(lock): threading.RLock()})


def _open_world(
    folder: Path,
    far: _Far,
    free_bytes: Callable[[str], int] = lambda _folder: 1 << 40,
) -> Host:
    """Open the host that lies in a folder."""
    book = ledger.SqliteLedger(folder / "data" / "ledger.sqlite3")
    files = property_files.PropertyFiles(
        config_root=folder / "config",
        dokku_root=folder / "home",
        deployed_root=folder / "data" / "deployed",
    )
    submitted: list[triggers.Trigger] = []
    unchecked: list[str] = []
    uncopied: list[str] = []

    def submit(trigger: triggers.Trigger) -> None:
        if trigger.kind is Kind.VERIFY:
            unchecked.append(trigger.app)
        elif trigger.kind is Kind.MIRROR:
            uncopied.append(trigger.app)
        else:
            submitted.append(trigger)

    context = ports.Context(
        engine=far.engine,
        registry=far.registry,
        credentials=far.credentials,
        properties=files,
        deployed=files,
        deploying=deploying_files.DeployingFiles(folder / "data" / "deploying"),
        builds=build_records.BuildRecords(
            folder / "data" / "builds", dokku_root=folder / "home"
        ),
        destroyed=destroyed_apps.DestroyedApps(
            root=folder / "data" / "forgotten", config_root=folder / "config"
        ),
        absences=absence_file.AbsenceFile(folder / "data" / "absence"),
        ledger=book,
        relay=far.relay,
        replies=reply_files.ReplyFiles(folder / "data" / "replies"),
        remnants=remnant_files.RemnantFiles(folder / "data", folder / "config"),
        clock=far.clock,
        defaults=policy.Defaults(),
        schedulers=("docker-local",),
        is_companion=lambda: modes.is_companion(folder),
        is_cleanup_off=lambda: host_variables.may_be_true(
            other_plugins.VARIABLE, folder / "home", ()
        ),
        submit=submit,
        is_preempted=lambda _app: False,
        is_cancelled=lambda _job_id: False,
        free_bytes=free_bytes,
        min_free_bytes=1 << 30,
        host="one.example",
        parallel_tags=2,
        delay=lambda failures, error: max(
            getattr(error, "retry_after", None) or 0.0, 2.0**failures
        ),
    )
    return Host(
        folder=folder,
        engine=far.engine,
        registry=far.registry,
        relay=far.relay,
        credentials=far.credentials,
        files=files,
        ledger=book,
        spool=spool.Spool(folder / "data"),
        clock=far.clock,
        context=context,
        submitted=submitted,
        unchecked=unchecked,
        uncopied=uncopied,
    )
