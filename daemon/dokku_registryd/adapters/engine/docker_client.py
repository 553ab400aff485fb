"""docker-py's low-level client, built and used in our way. It enters here only.

* docker-py sends logins of the process's own user if it gets none. So its client is
  built without reading that user's files.
* docker-py has a pool of connections for each requested address, so that nearly each
  request connects again. So its adapter gets a single pool.
* Errors come from docker, requests, urllib3, json and the socket; all are translated
  here.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
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

FOREIGN_ERRORS: Final = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,  # Invalid JSON or UTF-8, or a stream that was closed during a read.
)
_SERVER_FAULT: Final = 500
_SOCKET_URL: Final = "http+docker://localhost"  # docker-py's name of any socket
_CONNECTIONS: Final = 32  # kept when idle; more may be open


class Connection:
    """The client of one Engine, built on first use. Thread-safe.

    Args:
        base_url: `unix:///PATH` or `tcp://HOST:PORT`.
        timeout_seconds: The timeout of a short request.
        now: Seconds since the epoch.
    """

    def __init__(
        self, base_url: str, timeout_seconds: float, *, now: Callable[[], float]
    ) -> None:
        self._base_url = base_url
        self._timeout = timeout_seconds
        self._now = now
        self._lock = threading.Lock()
        self._known_client: Client | None = None

    @contextlib.contextmanager
    def client(
        self, action: str, secrets: Iterable[logins.Secret] = ()
    ) -> Iterator["Client"]:
        """Lend the client, and translate the errors of its use.

        Args:
            action: What it is used for, for messages.
            secrets: What the Engine gets and may repeat.

        Raises:
            EngineUnavailableError: The Engine does not answer.
            EngineForbiddenError: Its socket is closed to this user.
            InvalidRequestError: The Engine refuses the request.
            TransientError: It fails.
        """
        with self.translated(action, secrets):
            client = self._known_client
            if client is None:
                # Threads need not wait for another thread's attempt to connect.
                client = self.build()
                with self._lock:
                    self._known_client = client
            yield client

    def build(self) -> "Client":
        """Ask for the Engine's API versions, and use the newest known one."""
        client = Client(self._base_url, self._timeout)
        client.use_version(messages.choose_api(client.served_api()))
        return client

    @contextlib.contextmanager
    def translated(
        self, action: str, secrets: Iterable[logins.Secret] = ()
    ) -> Iterator[None]:
        """Translate errors, as `client` does."""
        try:
            yield
        except docker.errors.APIError as error:
            self.forget()
            text = stream.clean(str(error.explanation or error), secrets)
            is_our_fault = (error.status_code or _SERVER_FAULT) < _SERVER_FAULT
            # An older Engine than before: the next attempt uses its version.
            is_our_fault = is_our_fault and "client version" not in text
            kind = errors.InvalidRequestError if is_our_fault else errors.TransientError
            raise kind(f"cannot {action}: the Docker Engine says: {text}") from error
        except FOREIGN_ERRORS as error:
            self.forget()
            self._check_access(action, error)
            raise errors.EngineUnavailableError(
                f"cannot {action}: the Docker Engine at {self._base_url} does not"
                " answer. Check systemctl status docker."
            ) from error

    def forget(self) -> None:
        """Ask for the API version again: the Engine may have been replaced."""
        with self._lock:
            client, self._known_client = self._known_client, None
        if client is not None:
            client.close()  # Requests of other threads continue.

    def _check_access(self, action: str, error: Exception) -> None:
        """Raise if the socket is closed to this user.

        Raises:
            EngineForbiddenError: It is.
        """
        if not engine_socket.is_refusal(error):
            return
        if reason := engine_socket.complaint(self._base_url, self._now):
            raise errors.EngineForbiddenError(f"cannot {action}: {reason}.") from error


class Client(docker.APIClient):
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

    def served_api(self) -> str:
        """Ask for the newest version of the API that the Engine serves.

        `GET /_ping` says so in a header
        (https://docs.docker.com/reference/api/engine/version/v1.51/#tag/System). For
        `GET /version`, which is asked if a proxy drops the header or forbids the ping,
        the Engine may start programs.
        """
        ping = self._get(self._url("/_ping", versioned_api=False))  # type: ignore[attr-defined]  # not in stubs
        served = ping.headers.get("Api-Version") if ping.ok else None
        return str(served or self.version(api_version=False)["ApiVersion"])

    def use_version(self, version: str) -> None:
        """Use a version of the API from now on."""
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

    def list_images(
        self, filters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """List images, by filters of the Engine's API."""
        # Repeat once: containerd's store fails if an image is removed while it lists.
        try:
            return list(self.images(filters=filters))
        except docker.errors.NotFound:
            return list(self.images(filters=filters))

    def add_name(self, image_id: str, repository: str, tag: str) -> bool:
        """Tag an image; return False if it is missing."""
        try:
            self.tag(image_id, repository, tag=tag)
        except docker.errors.NotFound:
            return False
        return True

    def remove_name(self, name: str) -> bool:
        """Remove a name, without force; return False if it is missing or needed."""
        try:
            self.remove_image(name, force=False, noprune=False)
        except docker.errors.APIError as error:
            if error.status_code in {
                requests.codes.not_found,
                requests.codes.conflict,
            }:
                return False
            raise
        return True

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

    def subscribe(self, filters: str) -> transfer.LineStream:
        """Open the stream of events, with filters as JSON."""
        response = self.open(
            "GET", "/events", {"filters": filters}, timeout=self.timeout
        )
        if response.status_code >= requests.codes.bad_request:
            text = transfer.read_message(response)
            raise docker.errors.APIError(text, response=response)
        return transfer.LineStream(response, idle_seconds=None)


class _OnePool(docker.transport.UnixHTTPAdapter):
    """Shares the connections to an Engine's socket between all requests."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:  # noqa: ARG002 - it is the same for all
        return super().get_connection(_SOCKET_URL, proxies)
