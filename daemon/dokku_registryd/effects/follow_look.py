"""Reads which releases other hosts run, by the records in a followed repository."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import follow_turns, numbering
from dokku_registryd.core.release.follow_turns import Known
from dokku_registryd.core.release.release_records import ReleaseRecord
from dokku_registryd.effects import fleet
from dokku_registryd.effects.registry import registry_session

Spend = Callable[[int, int], object]
"""Called before each request, with how many follow at most, and how many of them a
registry may count as pulls."""


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
    spend: Spend = lambda _requests, _reads: None,
) -> Known:
    """Read the records of a repository.

    Args:
        repository: The repository, with its registry.
        owner: The app of this host whose login is used; empty for the global one.
        known: What earlier looks have found.
        context: The host.
        is_full: Whether to read those of older numbers again.
        check: Raises if the look should end.
        spend: Counts the requests, those of a look that fails too.

    Raises:
        RegistrydError: The registry does not answer, or refuses.
    """
    image = reference.parse(f"{repository}:1")
    session = session_of(repository, owner, context, check)
    spend(1, 0)
    tags = session.call(lambda auth: context.registry.tags(image, auth=auth))
    spend(len(tags) // follow_turns.PER_PAGE, 0)
    numbers = [
        number for tag in tags if (number := numbering.whole_number(tag)) is not None
    ]
    asked = follow_turns.numbers_to_read(numbers, known, is_full=is_full)
    reader = _Reader(image, session, context, spend)
    reader.read(asked)
    if is_full:
        reader.check()
    records = follow_turns.believable(
        reader.records, context.clock.now(), max(numbers, default=0)
    )
    after = follow_turns.after_look(
        known,
        reader.found(numbers),
        full_at=context.clock.monotonic() if is_full else None,
    )
    for one in known.records:
        if not is_full or one.number in after.broken or reader.hides(one):
            records.append(one)
    return replace(after, records=follow_turns.remembered(records))


class _Reader:
    """Reads the records of numbers; what cannot be read hides only itself."""

    def __init__(
        self,
        image: reference.ImageReference,
        session: registry_session.RegistrySession,
        context: ports.Context,
        spend: Spend,
    ) -> None:
        self._image = image
        self._session = session
        self._context = context
        self._spend = spend
        self._broken: dict[int, errors.RegistrydError] = {}
        self._digests: dict[int, str] = {}
        """Those of broken numbers, as far as they are known."""
        self.records: list[ReleaseRecord] = []
        self._done: list[int] = []
        self._recorded: list[int] = []

    def found(self, numbers: Iterable[int]) -> follow_turns.Found:
        """Return what was found, in all numbers that are there."""
        return follow_turns.Found(
            numbers=frozenset(numbers),
            read=frozenset(self._done),
            recorded=frozenset(self._recorded),
            broken={number: str(error) for number, error in self._broken.items()},
        )

    def read(self, numbers: list[int]) -> None:
        """Read the records of numbers.

        A server error may be about one number only, for example if the registry has
        lost its data; a second one in a row is the registry's.

        Raises:
            RegistrydError: The registry does not answer, or refuses.
        """
        has_failed = False
        for number in numbers:
            try:
                self._read(number)
            except (errors.AuthenticationError, errors.AccessDeniedError):
                raise
            except (errors.PermanentError, errors.UnusableAnswerError) as error:
                self._broken[number], has_failed = error, False
            except errors.RegistryUnavailableError as error:
                if has_failed or backoff.asks_for_pause(error):
                    raise
                self._broken[number], has_failed = error, True
            else:
                self._done.append(number)
                has_failed = False

    def check(self) -> None:
        """Raise if there are numbers, and none could be read: that is the registry.

        Raises:
            RegistrydError: The first one's.
        """
        if self._broken and not self._done:
            raise next(iter(self._broken.values()))

    def hides(self, record: ReleaseRecord) -> bool:
        """Return whether a known record may be one of those that cannot be read."""
        return any(
            record.digest == self._digests[number]
            if number in self._digests
            else record.number == number
            for number in self._broken
        )

    def _read(self, number: int) -> None:
        digest = self._digest(self._image.with_tag(str(number)))
        if digest is None:
            return
        self._digests[number] = digest
        found = self._records(digest)
        self.records += found
        if found:
            self._recorded.append(number)

    def _digest(self, place: reference.ImageReference) -> str | None:
        self._spend(1, 0)
        registry = self._context.registry
        try:
            return self._session.call(lambda auth: registry.digest(place, auth=auth))
        except errors.ForeignManifestError:
            return None  # Its number is of something else than an image.

    def _records(self, digest: str) -> list[ReleaseRecord]:
        self._spend(follow_turns.PER_LIST, 1)
        try:
            return self._session.call(
                lambda auth: list(
                    fleet.records_of(self._image, [digest], auth, self._context)
                )
            )
        except errors.ForeignManifestError:
            return []  # The tag of its list is of something else.
