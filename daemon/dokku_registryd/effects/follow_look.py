"""Reads which releases other hosts run, by the records in a followed repository."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import follow_turns, numbering
from dokku_registryd.core.release.follow_turns import Known
from dokku_registryd.core.release.release_records import ReleaseRecord
from dokku_registryd.effects import fleet
from dokku_registryd.effects.registry import registry_session

_Found = tuple[int, str, list[ReleaseRecord]]
"""A number, its digest, and the records of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The result of a look at one repository."""

    known: Known
    requests: int
    """The requests that it took, at most."""
    reads: int
    """How many of them a registry may count as pulls."""


def session_of(
    repository: str, owner: str, context: ports.Context, check: Callable[[], object]
) -> registry_session.RegistrySession:
    """Return the access to a followed repository.

    Args:
        repository: The repository, with its registry.
        owner: The app of this host whose login is used; empty for the global one.
        context: The host.
        check: Raises if it should end.
    """
    return registry_session.RegistrySession(
        context,
        app=owner,
        domain=reference.parse(repository).domain,
        direction=backoff.Direction.PULL,
        check=check,
        is_aside=True,
    )


def look(
    repository: str,
    owner: str,
    known: Known,
    context: ports.Context,
    *,
    is_full: bool,
    check: Callable[[], object],
) -> Look:
    """Read the records of a repository.

    Args:
        repository: The repository, with its registry.
        owner: The app of this host whose login is used; empty for the global one.
        known: What earlier looks have found.
        context: The host.
        is_full: Whether to read those of older numbers again.
        check: Raises if the look should end.

    Raises:
        RegistrydError: The registry does not answer, or refuses.
    """
    image = reference.parse(f"{repository}:1")
    session = session_of(repository, owner, context, check)
    tags = session.call(lambda auth: context.registry.tags(image, auth=auth))
    numbers = (numbering.whole_number(tag) for tag in tags)
    asked = follow_turns.numbers_to_read(
        [number for number in numbers if number is not None], known, is_full=is_full
    )
    found = list(_read(image, asked, session, context))
    records = [record for _, _, listed in found for record in listed]
    records = follow_turns.believable(records, context.clock.now())
    recorded = [number for number, _, listed in found if listed]
    if not is_full:
        records = [*known.records, *records]
        recorded.append(known.recorded)
    lists = len(found)
    return Look(
        known=replace(
            known,
            records=follow_turns.remembered(records),
            recorded=max(recorded, default=0),
            full_at=context.clock.monotonic() if is_full else known.full_at,
        ),
        requests=(
            1
            + len(tags) // follow_turns.PER_PAGE
            + len(asked)
            + lists * follow_turns.PER_LIST
        ),
        reads=lists,
    )


def _read(
    image: reference.ImageReference,
    numbers: list[int],
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> Iterator[_Found]:
    for number in numbers:
        digest = _digest(image.with_tag(str(number)), session, context)
        if digest is not None:
            yield number, digest, _records(image, digest, session, context)


def _digest(
    place: reference.ImageReference,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> str | None:
    try:
        return session.call(lambda auth: context.registry.digest(place, auth=auth))
    except errors.ForeignManifestError:
        return None  # Its number is of something else than an image.


def _records(
    image: reference.ImageReference,
    digest: str,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> list[ReleaseRecord]:
    try:
        return session.call(
            lambda auth: list(fleet.records_of(image, [digest], auth, context))
        )
    except errors.ForeignManifestError:
        return []  # The tag of its list is of something else.
