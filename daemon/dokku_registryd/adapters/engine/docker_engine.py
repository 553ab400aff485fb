"""The Docker Engine, with docker-py's low-level client only.

Facts about the two:

* If the registry refuses a push, the Engine answers HTTP 200; the refusal is a line of
  the stream (docker-py issues 1772, 2226, 3161). So streams are read to the end.
* `images.pull()` returns the old local image if a pull failed. So the local image is
  compared with the requested one afterwards.
* docker-py sends logins of the process's own user if it gets none. So it always gets
  one, and its client is built without reading that user's files.
* A stalled push blocks a read on classic stores, and repeats its last line forever on
  containerd stores. So reads have a timeout, and lines must change.
* docker-py has a pool of connections for each requested address, so that nearly each
  request connects again. So its adapter gets a single pool.
* Errors come from docker, requests, urllib3, json and the socket; all are translated
  here.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import docker
import docker.auth
import docker.errors
import docker.transport
import requests
import urllib3.exceptions

from dokku_registryd import errors
from dokku_registryd.adapters.engine import engine_socket, transfer
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import messages, stream
from dokku_registryd.core.image import images
from dokku_registryd.core.image import reference as references
from dokku_registryd.core.image.images import EngineFacts, LocalContainer, LocalImage

_FOREIGN_ERRORS: Final = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,  # Invalid JSON or UTF-8, or a stream that was closed during a read.
)
_EVENTS: Final = {
    "type": ["image", "container"],
    "event": [
        *("tag", "untag", "delete", "prune", "load", "import", "pull", "push"),
        "destroy",
    ],
}
_SERVER_FAULT: Final = 500
_SOCKET_URL: Final = "http+docker://localhost"  # docker-py's name of any socket
_CONNECTIONS: Final = 32  # kept when idle; more may be open


class DockerEngine:
    """Implements `ports.Engine`. Connects on first use.

    Args:
        base_url: `unix:///PATH` or `tcp://HOST:PORT`.
        timeout_seconds: The timeout of a short request.
        stall_seconds: How long a push or pull may make no progress.
        deadline_seconds: How long a push or pull may take in total.
        relay: The host of the relay, whose names are hidden.
        monotonic: Monotonic seconds.
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
    ) -> None:
        self._base_url = base_url
        self._timeout = timeout_seconds
        self._relay = relay
        self._lock = threading.Lock()
        self._known_client: _Client | None = None
        self._transfers = transfer.Transfers(
            connect_seconds=timeout_seconds,
            stall_seconds=stall_seconds,
            deadline_seconds=deadline_seconds,
            monotonic=monotonic,
        )

    def close(self) -> None:
        """End the pushes and pulls of other threads, and close idle connections."""
        self._transfers.abort()
        self._forget_client()

    def ping(self) -> None:
        """Return if the Engine answers; raise `EngineUnavailableError` if not."""
        with self._client("reach the Docker Engine") as client:
            client.ping()

    def facts(self) -> EngineFacts:
        """Return the Engine's facts about itself, without a cache."""
        with self._client("ask the Docker Engine for its settings") as client:
            return messages.parse_facts(client.info())

    def image(self, reference: str) -> LocalImage | None:
        """Return the local image of a reference or image ID; None if it is missing."""
        with self._client(f"inspect {reference}") as client:
            raw = client.whole_image(reference)
        return None if raw is None else self._parse(raw)

    def images(self) -> list[LocalImage]:
        """Return every image with a name, by one request."""
        with self._client("list images") as client:
            found = [self._parse(raw) for raw in _list_images(client)]
        return [image for image in found if image.references or image.passing]

    def images_of(self, app: str) -> list[LocalImage]:
        """Return every image of an app, with or without names, by one request."""
        filters = {"label": [f"{images.APP_LABEL}={app}"]}
        with self._client(f"list the images of {app}") as client:
            listed = _list_images(client, filters)
        return [self._parse(raw) for raw in listed]

    def containers(self) -> list[LocalContainer]:
        """Return every container, stopped ones too, by one request."""
        with self._client("list containers") as client:
            listed = client.containers(all=True)
        return [messages.parse_container(raw) for raw in listed]

    def tag(self, image_id: str, reference: str) -> None:
        """Tag an image with one more name; an existing name is moved.

        Raises:
            ImageNotFoundError: No such image is here.
        """
        repository, tag = messages.split_name(reference)
        with self._client(f"tag {image_id} as {reference}") as client:
            try:
                client.tag(image_id, repository, tag=tag)
            except docker.errors.NotFound as error:
                raise errors.ImageNotFoundError(
                    f"cannot tag {image_id} as {reference}: the image is not on this"
                    " host. Rebuild the app with dokku ps:rebuild."
                ) from error

    def untag(self, reference: str) -> bool:
        """Remove a name, without force; return False if it is missing or needed."""
        name = messages.removable_name(reference)
        with self._client(f"untag {reference}") as client:
            try:
                client.remove_image(name, force=False, noprune=False)
            except docker.errors.APIError as error:
                if error.status_code in {
                    requests.codes.not_found,
                    requests.codes.conflict,
                }:
                    return False
                raise
        return True

    def log_in(self, auth: logins.AuthConfig) -> None:
        """Let the Engine try a login at its registry, without storing it.

        Raises:
            RegistrydError: The registry refuses it, or the Engine cannot reach it.
        """
        with self._client(f"log in to {auth.domain}", auth.secrets) as client:
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
        with self._translated("read the Docker Engine's events"):
            # A separate client: this connection lives as long as the process.
            client = self._build_client()
            filters = {"filters": json.dumps(_EVENTS)}
            response = client.open("GET", "/events", filters, timeout=self._timeout)
            if response.status_code >= requests.codes.bad_request:
                text = transfer.read_message(response)
                raise docker.errors.APIError(text, response=response)
            lines = transfer.LineStream(response, idle_seconds=None)
        return EventStream(client, lines)

    # -- inside

    def _parse(self, raw: Mapping[str, Any]) -> LocalImage:
        return messages.parse_image(raw, relay=self._relay)

    @contextlib.contextmanager
    def _client(
        self, action: str, secrets: Iterable[logins.Secret] = ()
    ) -> Iterator["_Client"]:
        with self._translated(action, secrets):
            client = self._known_client
            if client is None:
                # Threads need not wait for another thread's attempt to connect.
                client = self._build_client()
                with self._lock:
                    self._known_client = client
            yield client

    def _build_client(self) -> "_Client":
        """Ask for the Engine's API versions, and use the newest known one."""
        client = _Client(self._base_url, self._timeout)
        served = str(client.version(api_version=False)["ApiVersion"])
        client.use_version(messages.choose_api(served))
        return client

    def _transfer(
        self, order: transfer.Order, give_way: Callable[[], None]
    ) -> Generator[Mapping[str, Any], None, None]:
        with self._client(order.what) as client:
            yield from self._transfers.run(
                client, order, check_engine=self.ping, give_way=give_way
            )

    @contextlib.contextmanager
    def _translated(
        self, action: str, secrets: Iterable[logins.Secret] = ()
    ) -> Iterator[None]:
        try:
            yield
        except docker.errors.APIError as error:
            self._forget_client()
            text = stream.clean(str(error.explanation or error), secrets)
            is_our_fault = (error.status_code or _SERVER_FAULT) < _SERVER_FAULT
            # An older Engine than before: the next attempt uses its version.
            is_our_fault = is_our_fault and "client version" not in text
            kind = errors.InvalidRequestError if is_our_fault else errors.TransientError
            raise kind(f"cannot {action}: the Docker Engine says: {text}") from error
        except _FOREIGN_ERRORS as error:
            self._forget_client()
            self._check_access(action, error)
            raise errors.EngineUnavailableError(
                f"cannot {action}: the Docker Engine at {self._base_url} does not"
                " answer. Check systemctl status docker."
            ) from error

    def _check_access(self, action: str, error: Exception) -> None:
        """Raise if the socket is closed to this user.

        Raises:
            EngineForbiddenError: It is.
        """
        if not engine_socket.is_refusal(error):
            return
        if reason := engine_socket.complaint(self._base_url):
            raise errors.EngineForbiddenError(f"cannot {action}: {reason}.") from error

    def _forget_client(self) -> None:
        """Ask for the API version again: the Engine may have been replaced."""
        with self._lock:
            client, self._known_client = self._known_client, None
        if client is not None:
            client.close()  # Requests of other threads continue.


def _list_images(
    client: docker.APIClient, filters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Repeat once: containerd's store fails if an image is removed while it lists."""
    try:
        return list(client.images(filters=filters))
    except docker.errors.NotFound:
        return list(client.images(filters=filters))


class EventStream:
    """Implements `ports.EventStream`."""

    def __init__(self, client: "_Client", lines: transfer.LineStream) -> None:
        self._client = client
        self._lines = lines
        self._is_read = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield raw events until the connection ends or `close` is called."""
        self._is_read = True
        try:
            # A killed Engine breaks the connection in several ways; all mean that the
            # stream is over.
            with contextlib.suppress(*_FOREIGN_ERRORS):
                yield from self._lines
        finally:
            self._lines.close()

    def close(self) -> None:
        """End the iteration from another thread; a second call is harmless."""
        self._lines.abort()
        if not self._is_read:
            self._lines.close()
        self._client.close()


class _OnePool(docker.transport.UnixHTTPAdapter):
    """Shares the connections to an Engine's socket between all requests."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:  # noqa: ARG002 - it is the same for all
        return super().get_connection(_SOCKET_URL, proxies)


class _Client(docker.APIClient):
    """docker-py's client, built without the files of the process's own user.

    Its own constructor reads that user's logins and headers, fails if one of them is
    malformed, and has no option to prevent that. This sets the same attributes as that
    constructor of docker 7.1 to 7.2.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        requests.Session.__init__(self)
        self.trust_env = False
        self.timeout = timeout  # type: ignore[assignment]  # stubs know whole seconds
        self._version = "{}.{}".format(*messages.OLDEST_API)
        self._general_configs: dict[str, Any] = {}
        self._auth_configs = docker.auth.AuthConfig({})
        self.credstore_env = None
        self.base_url = base_url.replace("tcp://", "http://", 1)
        if base_url.startswith("unix://"):
            self.base_url = _SOCKET_URL
            adapter = _OnePool(f"http+{base_url}", max_pool_size=_CONNECTIONS)
            self.mount("http+docker://", adapter)

    def use_version(self, version: str) -> None:
        self._version = version

    def whole_image(self, reference: str) -> dict[str, Any] | None:
        """Inspect an image if it exists, with its manifests for each platform."""
        path = f"/images/{quote(reference, safe='/:@')}/json"
        answer = self.open("GET", path, {"manifests": "1"}, timeout=self.timeout)
        if answer.status_code == requests.codes.not_found:
            return None
        self._raise_for_status(answer)  # type: ignore[attr-defined]  # not in stubs
        found: dict[str, Any] = answer.json()
        return found

    def try_login(self, login: Mapping[str, str]) -> None:
        """Ask the Engine to log in to a registry (`POST /auth`)."""
        url = f"{self.base_url}/v{self._version}/auth"
        answer = self.request("POST", url, json=dict(login), timeout=self.timeout)
        self._raise_for_status(answer)  # type: ignore[attr-defined]  # not in stubs

    def open(
        self, method: str, path: str, params: Mapping[str, str], **options: Any
    ) -> requests.Response:
        """Send a request without reading the answer's body."""
        url = f"{self.base_url}/v{self._version}{path}"
        return self.request(method, url, params=dict(params), stream=True, **options)
