"""What a registry itself says, asked without the client under test."""

import http.client
import json
from typing import Final, NamedTuple

from support import seeding
from support.registries import RegistryServer
from support.waiting import until

_KINDS: Final = (seeding.SCHEMA2, seeding.OCI, seeding.LIST, seeding.INDEX)
_OK: Final = 200
_NOT_FOUND: Final = 404
_BROKEN: Final = 500


class _Answer(NamedTuple):
    status: int
    body: str
    digest: str | None


class Remote:
    """One repository in a registry."""

    def __init__(self, server: RegistryServer, path: str) -> None:
        self._server = server
        self._path = path

    def digest(self, tag: object) -> str | None:
        """Return the digest of a tag, None if there is no such tag.

        Raises:
            AssertionError: The registry says neither.
        """
        _, found = self._ask("HEAD", f"manifests/{tag}")
        return found

    def tags(self) -> list[str]:
        """Return all tags, sorted."""
        body, _ = self._ask("GET", "tags/list")
        return sorted(json.loads(body).get("tags") or [])

    def numbers(self) -> list[int]:
        """Return all tags that are numbers, sorted."""
        return sorted(int(tag) for tag in self.tags() if tag.isdigit())

    def delete(self, digest: str) -> None:
        """Delete a manifest, with all tags that name it."""
        self._ask("DELETE", f"manifests/{digest}")

    def images(self, store: str) -> dict[str, str]:
        """Return each tag with what an Engine calls its image.

        Args:
            store: The Engine's: a classic one goes by the image's configuration.
        """
        found = {}
        for tag in self.tags():
            body, digest = self._ask("GET", f"manifests/{tag}")
            config = json.loads(body)["config"]["digest"]
            found[tag] = config if store == "classic" else str(digest)
        return found

    def count_puts(self, tag: object) -> int:
        """Return how often a client put a manifest under a tag."""
        return len(
            self._server.requests(f"PUT /v2/{self._path}/manifests/{tag} HTTP/1.1")
        )

    def _ask(self, method: str, what: str) -> tuple[str, str | None]:
        answer = until(
            lambda: self._ask_once(method, what),
            what=f"an answer to {method} {what} other than 5xx",
        )
        assert answer is not None
        if answer.status == _NOT_FOUND:
            return "{}", None
        # Any other answer says nothing about what the registry has.
        assert answer.status == _OK or method == "DELETE", (method, what, answer)
        return answer.body, answer.digest

    def _ask_once(self, method: str, what: str) -> _Answer | None:
        """Ask once; None while the registry is writing what it is asked for.

        It lists a tag before the file is written that says what the tag names.
        """
        headers = {
            "Accept": ", ".join(_KINDS),
            **seeding.authorize(self._server, self._path),
        }
        connection = http.client.HTTPConnection(self._server.host, timeout=120)
        try:
            connection.request(method, f"/v2/{self._path}/{what}", headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        if response.status >= _BROKEN:
            return None
        return _Answer(response.status, body, response.headers["Docker-Content-Digest"])


def contents(server: RegistryServer, store: str) -> dict[str, dict[str, str]]:
    """Return all that a registry has: repository, tag, what an Engine calls it."""
    connection = http.client.HTTPConnection(server.host, timeout=120)
    try:
        headers = seeding.authorize(server, "")
        connection.request("GET", "/v2/_catalog", headers=headers)
        listed = json.loads(connection.getresponse().read())["repositories"]
    finally:
        connection.close()
    return {path: Remote(server, path).images(store) for path in listed}
