"""An Engine with memory: names, images, containers and a registry in dictionaries.

It moves tags, refuses to take names that are needed, forgets an image with its last
name, and speaks to its registry as the real one does; `contract/` holds it to that.
Failures are scripted with `fail`.
"""

import json
import queue
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import messages, relay_protocol
from dokku_registryd.core.image import reference as references
from dokku_registryd.core.image.images import (
    APP_LABEL,
    EngineFacts,
    LocalContainer,
    LocalImage,
    Manifest,
)
from fakes_relay import CONTENTS, HOST, FakeRelay, layer_of, remember

_MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_END = object()


@dataclass
class FakeRemote:
    """What registries hold: manifests by canonical reference, with tag or digest."""

    manifests: MutableMapping[str, Manifest] = field(default_factory=dict)
    accepted: dict[str, logins.AuthConfig] = field(default_factory=dict)
    """Domains that want a login, and the one they take."""
    is_down: bool = False
    down: set[str] = field(default_factory=set)
    """Domains that do not answer while others do."""


def do_nothing() -> None:
    """Be there for tests that do something."""


class FakeEngine:
    """Implements `ports.Engine` in memory.

    Args:
        remote: The registries that it pushes to and pulls from.
        image_store: `classic` or `containerd`.
    """

    def __init__(
        self, remote: FakeRemote | None = None, *, image_store: str = "classic"
    ) -> None:
        self.remote = remote or FakeRemote()
        self.relay_host = HOST
        self.known_facts = EngineFacts(
            version="20.10.24", image_store=image_store, root_dir="/var/lib/docker"
        )
        self.is_down = False
        self.asked: list[tuple[str, str]] = []
        """Each push and pull: what and on which reference."""
        self.platforms: dict[str, tuple[str, ...]] = {}
        """Digests of the platform manifests that an image has, by its ID."""
        self.relay: FakeRelay | None = None
        """The relay on this host, if the Engine reaches it."""
        self.on_push: Callable[[], object] = do_nothing
        """Called in the middle of each push."""
        self.used_logins: list[logins.AuthConfig | None] = []
        self._labels: dict[str, tuple[tuple[str, str], ...]] = {}
        self._names: dict[str, str] = {}
        self._repo_digests: dict[str, set[str]] = defaultdict(set)
        self._containers: dict[str, LocalContainer] = {}
        self._failures: dict[str, list[Exception]] = defaultdict(list)
        self._streams: list[FakeEventStream] = []

    # -- what a test arranges

    def add_image(
        self, reference: str, content: bytes = b"", labels: Mapping[str, str] = {}
    ) -> str:
        """Make an image under a name and return its ID."""
        labelled = tuple(sorted(labels.items()))
        seed = repr((content, labelled)).encode()
        image_id = remember(seed)
        self._labels[image_id] = labelled
        self._names[_familiar(reference)] = image_id
        self._emit("image", "tag", image_id)
        return image_id

    def add_container(
        self, image: str, *, app: str = "", is_running: bool = False, name: str = ""
    ) -> str:
        """Make a container of an image that is here, and return its ID."""
        container_id = f"container-{len(self._containers)}"
        self._containers[container_id] = LocalContainer(
            image_id=self._find(image) or "",
            image=image,
            app=app,
            is_running=is_running,
            container_id=container_id,
            name=name,
        )
        return container_id

    def remove_container(self, container_id: str) -> None:
        """Remove a container."""
        del self._containers[container_id]
        self._emit("container", "destroy", container_id)

    def lose(self, reference: str) -> None:
        """Remove a name and, if it was the last, the image, even if it is needed."""
        name = _familiar(reference)
        image_id = self._names.pop(name)
        self._emit("image", "untag", image_id)
        repository = name.rpartition(":")[0]
        if not any(
            named == image_id and other.rpartition(":")[0] == repository
            for other, named in self._names.items()
        ):
            digests = self._repo_digests[image_id]
            digests -= {one for one in digests if one.partition("@")[0] == repository}
        self._drop_nameless(image_id)

    def fail(self, method: str, *failures: Exception) -> None:
        """Let the next calls of a method raise these, in order."""
        self._failures[method].extend(failures)

    def restart(self) -> None:
        """End every event stream, as an Engine that restarts does."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    # -- ports.Engine

    def ping(self) -> None:
        """Answer."""
        self._begin("ping")

    def facts(self) -> EngineFacts:
        """Return `known_facts`."""
        self._begin("facts")
        return self.known_facts

    def image(self, reference: str) -> LocalImage | None:
        """Return an image by name, ID or repository digest."""
        self._begin("image")
        image_id = self._find(reference)
        if not image_id:
            return None
        manifests = self.platforms.get(image_id, ())
        return replace(self._describe(image_id), manifests=manifests)

    def images(self) -> list[LocalImage]:
        """Return the images that have a name."""
        self._begin("images")
        return [self._describe(image_id) for image_id in set(self._names.values())]

    def images_of(self, app: str) -> list[LocalImage]:
        """Return the images of an app, those too that lost their name to another."""
        self._begin("images_of")
        return [
            self._describe(image_id)
            for image_id, labels in self._labels.items()
            if (APP_LABEL, app) in labels
        ]

    def containers(self) -> list[LocalContainer]:
        """Return every container."""
        self._begin("containers")
        return list(self._containers.values())

    def tag(self, image_id: str, reference: str) -> None:
        """Give an image a name, and take the name from any other."""
        self._begin("tag")
        name = ":".join(messages.split_name(reference))
        found = self._find(image_id)
        if found is None:
            raise errors.ImageNotFoundError(
                f"cannot tag {image_id} as {reference}: the image is not on this host"
            )
        self._names[name] = found
        self._emit("image", "tag", found)

    def untag(self, reference: str) -> bool:
        """Take a name away, unless it is a needed image's last one."""
        self._begin("untag")
        name = messages.removable_name(reference)
        for image_id, digests in list(self._repo_digests.items()):
            if name in digests:
                digests.remove(name)
                self._drop_nameless(image_id)
                return True
        named = self._names.get(name)
        if named is None:
            return False
        is_last = list(self._names.values()).count(named) == 1
        if is_last and any(c.image_id == named for c in self._containers.values()):
            return False
        self.lose(name)
        return True

    def log_in(self, auth: logins.AuthConfig) -> None:
        """Try a login at the relay."""
        self._begin("log_in")
        if self.relay is None or not self.relay.knows(auth):
            raise errors.TransientError(f"cannot log in to {auth.domain}: refused")

    def push(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        on_progress: Callable[[str], None],
        give_way: Callable[[], None] = lambda: None,
        shown: Callable[[str], str] = str,
        liveness: Callable[[], object] | None = None,
    ) -> str:
        """Put the image's manifest into the registry, or hand it to the relay."""
        give_way()
        self.asked.append(("push", shown(reference)))
        self.used_logins.append(auth)
        wanted = references.parse(reference)
        passage = None
        if wanted.domain == self.relay_host:
            passage = self.relay.enter(reference, auth) if self.relay else None
            if passage is None:
                raise errors.RegistryUnavailableError(
                    f"cannot push {shown(reference)}: connection refused"
                )
        self._begin("push")
        image_id = self._find(reference)
        if image_id is None:
            raise errors.ImageNotFoundError(
                f"cannot push {reference}: the image is not on this host"
            )
        self.on_push()
        manifest = _manifest_of(image_id, self._labels[image_id])
        if passage is not None:
            passage.take(image_id, manifest)
            on_progress(shown(f"{wanted.tag}: digest: {manifest.digest} size: 1"))
            return manifest.digest
        self._check_registry("push", wanted, auth)
        for name in (wanted, wanted.with_digest(manifest.digest)):
            self.remote.manifests[name.canonical] = manifest
        self._repo_digests[image_id].add(wanted.with_digest(manifest.digest).familiar)
        on_progress(f"{wanted.tag}: digest: {manifest.digest} size: 1")
        return manifest.digest

    def pull(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        give_way: Callable[[], None] = lambda: None,
    ) -> LocalImage:
        """Take an image from the registry."""
        self.asked.append(("pull", reference))
        self.used_logins.append(auth)
        self._begin("pull")
        give_way()
        wanted = references.parse(reference)
        self._check_registry("pull", wanted, auth)
        manifest = self.remote.manifests.get(wanted.canonical)
        if manifest is None:
            raise errors.ImageNotFoundError(
                f"cannot pull {reference}: the registry has no such manifest"
            )
        config = json.loads(manifest.body)["config"]
        image_id: str = config["digest"]
        self._labels[image_id] = tuple((k, v) for k, v in config["labels"])
        self._repo_digests[image_id].add(wanted.with_digest(manifest.digest).familiar)
        if not wanted.digest:
            self._names[_familiar(reference)] = image_id
        self._emit("image", "pull", reference)
        return self._describe(image_id)

    def events(self) -> "FakeEventStream":
        """Subscribe to what happens from now on."""
        self._begin("events")
        stream = FakeEventStream()
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        """Close nothing."""

    # -- inside

    def _begin(self, method: str) -> None:
        if self.is_down:
            raise errors.EngineUnavailableError("the Docker Engine does not answer")
        if self._failures[method]:
            raise self._failures[method].pop(0)

    def _check_registry(
        self,
        action: str,
        wanted: references.ImageReference,
        auth: logins.AuthConfig | None,
    ) -> None:
        if self.remote.is_down or wanted.domain in self.remote.down:
            raise errors.RegistryUnavailableError(
                f"cannot {action} {wanted.familiar}: connection refused"
            )
        if self.remote.accepted.get(wanted.domain, auth) != auth:
            raise errors.AuthenticationError(
                f"cannot {action} {wanted.familiar}: unauthorized"
            )

    def _find(self, name: str) -> str | None:
        if name in self._labels:
            return name
        try:
            familiar = _familiar(name)
        except errors.InvalidReferenceError:
            return None
        by_digest = (
            image_id
            for image_id, digests in self._repo_digests.items()
            if familiar in digests
        )
        return self._names.get(familiar) or next(by_digest, None)

    def _describe(self, image_id: str) -> LocalImage:
        names = [name for name, named in self._names.items() if named == image_id]
        passing = [
            name for name in names if relay_protocol.is_name_at(self.relay_host, name)
        ]
        return LocalImage(
            image_id=image_id,
            references=tuple(name for name in names if name not in passing),
            passing=tuple(passing),
            repo_digests=tuple(sorted(self._repo_digests[image_id])),
            labels=self._labels[image_id],
            created=f"{list(self._labels).index(image_id):09}",
        )

    def _drop_nameless(self, image_id: str) -> None:
        if image_id in self._names.values() or self._repo_digests[image_id]:
            return
        del self._labels[image_id]
        self._repo_digests.pop(image_id, None)
        self._emit("image", "delete", image_id)

    def _emit(self, kind: str, action: str, actor: str) -> None:
        for stream in self._streams:
            stream.put({"Type": kind, "Action": action, "Actor": {"ID": actor}})


class FakeEventStream:
    """Implements `ports.EventStream`."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, event: Mapping[str, Any]) -> None:
        """Deliver an event."""
        self._events.put(event)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Give events until the stream is closed."""
        while (event := self._events.get()) is not _END:
            yield event

    def close(self) -> None:
        """End the iteration."""
        self._events.put(_END)


def _familiar(reference: str) -> str:
    parsed = references.parse(reference)
    if parsed.digest:
        return parsed.with_digest(parsed.digest).familiar
    return parsed.with_tag(parsed.tag or "latest").familiar


def _manifest_of(image_id: str, labels: tuple[tuple[str, str], ...]) -> Manifest:
    digest, content = layer_of(image_id)
    size = len(CONTENTS.get(image_id, b""))
    body = json.dumps(
        {
            "config": {"digest": image_id, "size": size, "labels": labels},
            "layers": [{"digest": digest, "size": len(content)}],
        }
    )
    return Manifest(media_type=_MEDIA_TYPE, body=body.encode())
