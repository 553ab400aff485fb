"""Lists the tags of a repository, page by page.

OCI specification, "Listing Tags": pages are linked by Link headers.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.registry import dialogue, messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import hosts, protocol
from dokku_registryd.core.registry.protocol import Request

MAX_PAGES: Final = 1000
# The limit for all pages of one list together, like their time.
MAX_TAGS: Final = 100_000
MAX_LIST_BYTES: Final = 16 << 20
_PAGE_LENGTH: Final = 1000  # the maximum of ECR and Azure


class TagPages:
    """Reads lists of tags. Thread-safe.

    Args:
        talk: Sends the requests.
        monotonic: Returns monotonic seconds.
        total_timeout: Seconds that all pages of a list may take together.
    """

    def __init__(
        self,
        talk: dialogue.Dialogue,
        *,
        monotonic: Callable[[], float],
        total_timeout: float,
    ) -> None:
        self._dialogue = talk
        self._monotonic = monotonic
        self._total_timeout = total_timeout

    def read(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> list[str]:
        """Return every tag of the repository; empty if there is no repository.

        Invalid tags are omitted.

        Raises:
            RegistryUnavailableError: All pages together take longer than one request
                may, or one of them is not a list.
            PermanentError: There are too many pages or tags.
        """
        actions = messages.PUSHING if for_push else messages.READING
        access = messages.access_to(image.domain, image.path, actions, auth)
        url = f"//{access.host}/v2/{image.path}/tags/list?n={_PAGE_LENGTH}"
        purpose = f"list the tags of {image.repository}"
        found: dict[str, None] = {}
        visited: set[str] = set()
        ends_at = self._monotonic() + self._total_timeout
        left_bytes, left_tags = MAX_LIST_BYTES, MAX_TAGS
        for _ in range(MAX_PAGES):
            left_seconds = ends_at - self._monotonic()
            if left_seconds <= 0:
                raise errors.RegistryUnavailableError(
                    f"cannot {purpose}: {access.host} takes longer than"
                    f" {self._total_timeout:g} s"
                )
            request = Request(
                method="GET",
                url=url,
                purpose=purpose,
                max_bytes=min(messages.MAX_MANIFEST_BYTES, left_bytes),
                most_seconds=left_seconds,
            )
            reply = self._dialogue.find(request, access)
            if reply is None:
                if not visited:
                    return []
                raise _no_list(purpose, access.host, HTTPStatus.NOT_FOUND)
            left_bytes -= len(reply.body)
            # Counted before parsing: a text takes ten times its bytes in memory.
            left_tags -= reply.body.count(b",") + 1
            if left_tags < 0:
                break
            names = protocol.parse_tags(reply.body)
            if names is None:
                raise _no_list(purpose, access.host, reply.status)
            found |= dict.fromkeys(names)
            link = reply.headers.get("link", "")
            following = protocol.next_page(link, reply.url)
            if following is None:
                return list(found)
            following = hosts.read_stated(following, reply.url)
            used = self._dialogue.token(access)
            secrets = (*access.secrets, *([used] if used else []))
            messages.check_same_origin(purpose, reply.url, following, secrets)
            if following in visited:
                break
            visited.add(following)
            url = following
        raise errors.PermanentError(
            f"cannot {purpose}: it has more than {MAX_TAGS} tags or {MAX_PAGES} pages,"
            " or the pages form a loop. Remove old tags in the registry"
        )


def _no_list(purpose: str, host: str, status: int) -> errors.RegistryUnavailableError:
    """Return the error for a page that lacks.

    Half a list would show tags as missing that others need.
    """
    return errors.RegistryUnavailableError(
        f"cannot {purpose}: {host} answers {status:d} without a list of tags"
    )
