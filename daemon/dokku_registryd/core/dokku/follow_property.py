"""The property `follow`: the repositories whose releases by other hosts are kept here.

It belongs to the host, since a standby host may have no app at all.
"""

from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.image import reference

NAME: Final = "follow"
OFF: Final = "off"
"""The value for none."""
MOST: Final = 100
"""Repositories that one host may follow."""


def parse(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the repositories with their registries, and the parts that are none.

    Args:
        text: `SERVER/REPOSITORY[,SERVER/REPOSITORY…]`, or `off`.
    """
    found: dict[str, None] = {}
    wrong: list[str] = []
    parts = [part.strip() for part in text.split(",")]
    for part in filter(None, parts if text.strip() != OFF else []):
        try:
            found[repository_of(part)] = None
        except errors.InvalidReferenceError:
            wrong.append(part)
    return tuple(found)[:MOST], (*wrong, *tuple(found)[MOST:])


def repository_of(part: str) -> str:
    """Return one repository in its long form: `docker.io/org/web`.

    Raises:
        InvalidReferenceError: It is not a repository behind a registry's host.
    """
    server = part.partition("/")[0]
    parsed = reference.parse(part)
    is_plain = not parsed.tag and not parsed.digest
    if not is_plain or parsed.domain != reference.normalize_domain(server):
        raise errors.InvalidReferenceError("it is not SERVER/REPOSITORY")
    return parsed.repository
