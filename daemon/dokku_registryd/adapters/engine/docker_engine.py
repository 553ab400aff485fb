"""The Docker Engine, with docker-py's low-level client only (`docker_client`).

Facts about the two:

* If the registry refuses a push, the Engine answers HTTP 200; the refusal is a line of
  the stream (docker-py issues 1772, 2226, 3161). So streams are read to the end.
* `images.pull()` returns the old local image if a pull failed. So the local image is
  compared with the requested one afterwards.
* docker-py sends logins of the process's own user if it gets none. So it always gets
  one.
* A stalled push blocks a read on classic stores, and repeats its last line forever on
  containerd stores. So reads have a timeout, and lines must change.
"""

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from dokku_registryd import errors
from dokku_registryd.adapters.engine import docker_client, transfer
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import messages, stream
from dokku_registryd.core.image import images
from dokku_registryd.core.image import reference as references
from dokku_registryd.core.image.images import EngineFacts, LocalContainer, LocalImage

_EVENTS: Final = {
    "type": ["image", "container"],
    "event": [
        *("tag", "untag", "delete", "prune", "load", "import", "pull", "push"),
        "destroy",
    ],
}


class DockerEngine:
    """Implements `ports.Engine`. Connects on first use.

    Args:
        base_url: `unix:///PATH` or `tcp://HOST:PORT`.
        timeout_seconds: The timeout of a short request.
        stall_seconds: How long a push or pull may make no progress.
        deadline_seconds: How long a push or pull may take in total.
        relay: The host of the relay, whose names are hidden.
        monotonic: Monotonic seconds.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        base_url: str,
        timeout_seconds: float = 30,
        stall_seconds: float = 120,
        deadline_seconds: float = 3600,
        relay: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._connection = docker_client.Connection(base_url, timeout_seconds, now=now)
        self._relay = relay
        self._transfers = transfer.Transfers(
            connect_seconds=timeout_seconds,
            stall_seconds=stall_seconds,
            deadline_seconds=deadline_seconds,
            monotonic=monotonic,
        )

    def close(self) -> None:
        """End the pushes and pulls of other threads, and close idle connections."""
        self._transfers.abort()
        self._connection.forget()

    def ping(self) -> None:
        """Return if the Engine answers; raise `EngineUnavailableError` if not."""
        with self._connection.client("reach the Docker Engine") as client:
            client.ping()

    def facts(self) -> EngineFacts:
        """Return the Engine's facts about itself, without a cache."""
        with self._connection.client(
            "ask the Docker Engine for its settings"
        ) as client:
            return messages.parse_facts(client.info())

    def image(self, reference: str) -> LocalImage | None:
        """Return the local image of a reference or image ID; None if it is missing."""
        with self._connection.client(f"inspect {reference}") as client:
            raw = client.whole_image(reference)
        return None if raw is None else self._parse(raw)

    def images(self) -> list[LocalImage]:
        """Return every image with a name, by one request."""
        with self._connection.client("list images") as client:
            found = [self._parse(raw) for raw in client.list_images()]
        return [image for image in found if image.references or image.passing]

    def images_of(self, app: str) -> list[LocalImage]:
        """Return every image of an app, with or without names, by one request."""
        filters = {"label": [f"{images.APP_LABEL}={app}"]}
        with self._connection.client(f"list the images of {app}") as client:
            listed = client.list_images(filters)
        return [self._parse(raw) for raw in listed]

    def containers(self) -> list[LocalContainer]:
        """Return every container, stopped ones too, by one request."""
        with self._connection.client("list containers") as client:
            listed = client.containers(all=True)
        return [messages.parse_container(raw) for raw in listed]

    def tag(self, image_id: str, reference: str) -> None:
        """Tag an image with one more name; an existing name is moved.

        Raises:
            ImageNotFoundError: No such image is here.
        """
        repository, tag = messages.split_name(reference)
        with self._connection.client(f"tag {image_id} as {reference}") as client:
            is_here = client.add_name(image_id, repository, tag)
        if not is_here:
            raise errors.ImageNotFoundError(
                f"cannot tag {image_id} as {reference}: the image is not on this"
                " host. Rebuild the app with dokku ps:rebuild."
            )

    def untag(self, reference: str) -> bool:
        """Remove a name, without force; return False if it is missing or needed."""
        name = messages.removable_name(reference)
        with self._connection.client(f"untag {reference}") as client:
            return client.remove_name(name)

    def log_in(self, auth: logins.AuthConfig) -> None:
        """Let the Engine try a login at its registry, without storing it.

        Raises:
            RegistrydError: The registry refuses it, or the Engine cannot reach it.
        """
        with self._connection.client(
            f"log in to {auth.domain}", auth.secrets
        ) as client:
            client.try_login(messages.login_body(auth))

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
        """Push one tag and return the digest that the Engine reports for it.

        If `give_way` raises, the push ends, in the Engine too.

        Raises:
            RegistryUnavailableError: The push made no progress for too long.
        """
        repository, tag = messages.split_name(reference)
        order = transfer.Order(
            action="push",
            reference=reference,
            path=f"/images/{quote(repository, safe='/:')}/push",
            params={"tag": tag},
            auth=auth,
            in_words=shown,
            liveness=liveness,
        )
        digest = ""
        with contextlib.closing(self._transfer(order, give_way)) as lines:
            for line in lines:
                digest = stream.digest_of(line) or digest
                on_progress(shown(stream.text_of(line, order.secrets)))
        if not digest:
            raise errors.TransientError(
                f"cannot {order.what}: the Engine ended the push without reporting a"
                " digest. Will retry."
            )
        return digest

    def pull(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        give_way: Callable[[], None] = lambda: None,
    ) -> LocalImage:
        """Pull a tag or a digest, and return the local image afterwards.

        If `give_way` raises, the pull ends, in the Engine too.

        Raises:
            ImageNotFoundError: The registry has no such manifest.
        """
        digest = references.parse(reference).digest
        repository, tag = messages.split_name(reference)
        order = transfer.Order(
            action="pull",
            reference=reference,
            path="/images/create",
            params={"fromImage": repository, "tag": digest or tag},
            auth=auth,
        )
        reported = ""
        with contextlib.closing(self._transfer(order, give_way)) as lines:
            for line in lines:
                reported = stream.digest_of(line) or reported
        name = f"{repository}@{digest}" if digest else f"{repository}:{tag}"
        image = self.image(name)
        if image is None or not messages.holds(image, digest or reported):
            raise errors.TransientError(
                f"cannot pull {reference}: the Engine ended the pull, but the local"
                " image is not the requested one. Will retry."
            )
        return image

    def events(self) -> "EventStream":
        """Subscribe to changes of images and to removed containers."""
        with self._connection.translated("read the Docker Engine's events"):
            # A separate client: this connection lives as long as the process.
            client = self._connection.build()
            lines = client.subscribe(json.dumps(_EVENTS))
        return EventStream(client, lines)

    def _parse(self, raw: Mapping[str, Any]) -> LocalImage:
        return messages.parse_image(raw, relay=self._relay)

    def _transfer(
        self, order: transfer.Order, give_way: Callable[[], None]
    ) -> Generator[Mapping[str, Any], None, None]:
        with self._connection.client(order.what) as client:
            yield from self._transfers.run(
                client, order, check_engine=self.ping, give_way=give_way
            )


class EventStream:
    """Implements `ports.EventStream`."""

    def __init__(
        self, client: docker_client.Client, lines: transfer.LineStream
    ) -> None:
        self._client = client
        self._lines = lines
        self._is_read = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield raw events until the connection ends or `close` is called."""
        self._is_read = True
        try:
            # A killed Engine breaks the connection in several ways; all mean that the
            # stream is over.
            with contextlib.suppress(*docker_client.FOREIGN_ERRORS):
                yield from self._lines
        finally:
            self._lines.close()

    def close(self) -> None:
        """End the iteration from another thread; a second call is harmless."""
        self._lines.abort()
        if not self._is_read:
            self._lines.close()
        self._client.close()
