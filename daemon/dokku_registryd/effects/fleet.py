"""Fleet: which hosts run which releases, by the records in the registries."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.registry import referrers
from dokku_registryd.core.registry.referrers import Descriptor
from dokku_registryd.core.release import numbering, release_records
from dokku_registryd.core.release.release_records import ReleaseRecord
from dokku_registryd.effects.app import app_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The records in the repository of one app."""

    app: str
    repository: str
    records: tuple[ReleaseRecord, ...] = ()
    """The latest of each host."""
    problem: str = ""
    """Why they could not be read; empty if they could."""


def look(context: ports.Context, *, only: str | None = None) -> list[Listing]:
    """Read the records of all apps that push, or of one.

    Raises:
        EngineUnavailableError: The Engine does not tell its settings.
        TransientError: The apps cannot be listed.
    """
    context.engine.facts()  # They decide how each registry is reached.
    states, unread = app_state.all_states(context)
    found = [
        Listing(app=app, repository="", problem=reason)
        for app, reason in unread.items()
        if only in {None, app}
    ]
    apps = [
        (state.policy.app, deployed.reference)
        for state in states
        if only in {None, state.policy.app}
        and (deployed := wanted.deployed_of(state)) is not None
    ]
    with ThreadPoolExecutor(context.parallel_tags, "fleet") as pool:
        found += pool.map(lambda pair: _listing(pair[0], pair[1], context), apps)
    return sorted(found, key=lambda listing: listing.app)


def _listing(app: str, name: str, context: ports.Context) -> Listing:
    repository = name.rpartition(":")[0]
    try:
        image = reference.parse(name)
        login = context.credentials.resolve(app, image.domain)
        found = tuple(_records(image, login, context))
    except errors.RegistrydError as error:
        return Listing(app=app, repository=repository, problem=str(error))
    return Listing(
        app=app,
        repository=repository,
        records=tuple(release_records.latest(found)),
    )


def _records(
    image: reference.ImageReference,
    login: logins.AuthConfig | None,
    context: ports.Context,
) -> Iterator[ReleaseRecord]:
    registry = context.registry
    numbers = {
        number
        for tag in registry.tags(image, auth=login)
        if (number := numbering.whole_number(tag)) is not None
    }
    numbers.add(int(image.tag))
    newest = sorted(numbers, reverse=True)[: release_records.NEWEST]
    digests: dict[str, None] = {}
    for number in dict.fromkeys([*newest, int(image.tag)]):
        digest = registry.digest(image.with_tag(str(number)), auth=login)
        if digest is not None:
            digests[digest] = None
    yield from records_of(image, digests, login, context)


def records_of(
    image: reference.ImageReference,
    digests: Iterable[str],
    login: logins.AuthConfig | None,
    context: ports.Context,
) -> Iterator[ReleaseRecord]:
    """Yield the records of some releases of a repository, of all hosts.

    Raises:
        RegistrydError: The registry does not answer, or refuses.
    """
    for digest in digests:
        for entry in _referrers(image.with_digest(digest), login, context):
            record = release_records.parse(entry.annotations, digest)
            if record is not None:
                yield record


def _referrers(
    subject: reference.ImageReference,
    login: logins.AuthConfig | None,
    context: ports.Context,
) -> list[Descriptor]:
    """Return the records of one release, from the API or from the list by tag."""
    kind = release_records.ARTIFACT_TYPE
    found = context.registry.referrers(subject, kind, auth=login)
    if found is not None:
        return found
    place = subject.with_tag(referrers.tag_of(subject.digest))
    index = context.registry.manifest(place, auth=login)
    return [] if index is None else referrers.parse(index.body, kind)
