"""The property `mirror`: the second registry of an app, as its value names it."""

from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.image import reference

OFF: Final = "off"
"""The value for no mirror, which excludes an app from the global one."""


def repository_of(text: str, image_repo: str, *, is_shared: bool) -> str:
    """Return the repository of an app's mirror.

    Args:
        text: The property: `SERVER` or `SERVER/REPOSITORY`.
        image_repo: The app's repository, the default for that of the mirror.
        is_shared: Whether the property is the global one: then its path is a prefix,
            since no two apps share a repository.

    Raises:
        InvalidReferenceError: It is not a repository.
    """
    server, _, path = text.rstrip("/").partition("/")
    if is_shared and path:
        path = f"{path}/{image_repo}"
    repository = f"{server}/{path or image_repo}"
    parsed = reference.parse(repository)
    is_plain = not parsed.tag and not parsed.digest
    if not is_plain or parsed.domain != reference.normalize_domain(server):
        raise errors.InvalidReferenceError("it does not begin with a registry's host")
    return repository
