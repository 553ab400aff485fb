"""Reads what a repository has: its tags, their digests, and the parts of its indexes.

One GET for each tag tells all of it. A removal by digest needs to know every tag, so
nothing is removed from a repository that cannot be read, or has too many tags.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.release.prunes import Look
from dokku_registryd.effects.registry import registry_session

MOST_TAGS: Final = 2000
_AT_ONCE: Final = 50  # tags between two looks at what else waits
_Found = tuple[str, str, frozenset[str]]
"""A tag, its digest, and the manifests that it names."""


def look(
    image: reference.ImageReference,
    session: registry_session.RegistrySession,
    context: ports.Context,
    *,
    give_way: Callable[[], None] = lambda: None,
) -> Look:
    """Return all tags of a repository.

    Raises:
        TransientError: The registry does not answer, or another job goes first.
        PermanentError: It refuses, or has too many tags.
    """
    registry = context.registry
    names = session.call(lambda auth: registry.tags(image, auth=auth))
    if len(names) > MOST_TAGS:
        raise errors.PermanentError(
            f"{image.repository} has {len(names)} tags. More than {MOST_TAGS} are not"
            " read, so it is unknown what else needs an image. Remove old numbers with"
            " the means of the registry (docs/registries.md)"
        )
    found: list[_Found] = []
    with ThreadPoolExecutor(max_workers=context.parallel_tags) as pool:
        read = partial(_read, image, session, context)
        for start in range(0, len(names), _AT_ONCE):
            give_way()
            some = pool.map(read, names[start : start + _AT_ONCE])
            found += [one for one in some if one is not None]
    return Look(
        tags={tag: digest for tag, digest, _ in found},
        children={digest: below for _, digest, below in found if below},
    )


def children_of(manifest: images.Manifest | None) -> frozenset[str]:
    """Return the digests of the manifests that an index names; none of others."""
    if manifest is None or manifest.media_type not in parts.INDEX_TYPES:
        return frozenset()
    return frozenset(_digests(manifest))


def _read(
    image: reference.ImageReference,
    session: registry_session.RegistrySession,
    context: ports.Context,
    tag: str,
) -> _Found | None:
    target = image.with_tag(tag)
    registry = context.registry
    try:
        manifest = session.call(lambda auth: registry.manifest(target, auth=auth))
    except errors.ForeignManifestError:
        digest = session.call(lambda auth: registry.digest(target, auth=auth))
        return (tag, digest, frozenset()) if digest else None
    if manifest is None:
        return None  # It was removed meanwhile.
    return tag, manifest.digest, children_of(manifest)


def _digests(manifest: images.Manifest) -> Iterator[str]:
    with contextlib.suppress(parts.UnknownPartsError):
        for part in parts.parts_of(manifest):
            yield part.digest
