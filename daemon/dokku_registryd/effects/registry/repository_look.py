"""Reads what a repository has: its tags, their digests, and the parts of its indexes.

One GET for each tag tells all of it. A removal by digest needs to know every tag, so
nothing is removed from a repository that cannot be read, or has too many tags.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.release import numbering, release_records
from dokku_registryd.core.release.repository_needs import Look
from dokku_registryd.effects import fleet
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
    going: Iterable[str] | None = None,
) -> Look:
    """Return all tags of a repository, and what other hosts run of it.

    Args:
        image: The repository.
        session: The access to it.
        context: The host.
        give_way: Raises if another job goes first.
        going: The digests that would go, if other hosts write release records there;
            None if they do not.

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
    tags = {tag: digest for tag, digest, _ in found}
    elsewhere: frozenset[str] = frozenset()
    if going is not None:
        asked = dict.fromkeys([*going, *_newest(tags)])
        elsewhere = session.call(lambda auth: _elsewhere(image, asked, auth, context))
    return Look(
        tags=tags,
        children={digest: below for _, digest, below in found if below},
        elsewhere=elsewhere,
        clock_ahead=registry.clock_ahead(image.domain),
    )


def children_of(manifest: images.Manifest | None) -> frozenset[str]:
    """Return the digests of the manifests that an index names; none of others."""
    if manifest is None or manifest.media_type not in parts.INDEX_TYPES:
        return frozenset()
    return frozenset(_digests(manifest))


def _newest(tags: Mapping[str, str]) -> list[str]:
    """Return the digests of the latest numbers, of any host."""
    numbers = {
        number: digest
        for tag, digest in tags.items()
        if (number := numbering.whole_number(tag)) is not None
    }
    latest = sorted(numbers, reverse=True)[: release_records.NEWEST]
    return [numbers[number] for number in latest]


def _elsewhere(
    image: reference.ImageReference,
    digests: Iterable[str],
    auth: logins.AuthConfig | None,
    context: ports.Context,
) -> frozenset[str]:
    """Return the digests of the latest records of other hosts."""
    found = list(fleet.records_of(image, digests, auth, context))
    return frozenset(
        record.digest
        for record in release_records.latest(found)
        if record.host != context.host
    )


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
