"""The troubles of a host: what an operator should know now, computed from its state.

A trouble is a level, not an event: it lasts as long as the state shows it, so none is
lost and none is told twice. `episodes` follows when each begins and ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dokku_registryd.core.job import jobs, kinds
from dokku_registryd.core.registry import reach
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status import health

MINUTE_SECONDS: Final = 60.0


class Kind(StrEnum):
    """The kind of a trouble; an interface, see docs/notifications.md."""

    RELEASE_FAILED = "release_failed"
    """The latest release of an app was not pushed, and its deploy failed."""
    PUSH_GIVEN_UP = "push_given_up"
    """An app runs a release that the registry will not get by itself."""
    PUSH_DELAYED = "push_delayed"
    """The push of a release waits for its next attempt, or lags."""
    IMAGE_MISSING = "image_missing"
    """An image of an app is missing on this host and cannot be restored now."""
    RELEASE_INCOMPLETE = "release_incomplete"
    """The registry has lost parts of a deployed release."""
    NUMBER_LOST = "number_lost"
    """The registry has nothing, or another image, under a deployed number."""
    REGISTRY_SILENT = "registry_silent"
    """A registry that an app uses does not answer."""
    LOGIN_REFUSED = "login_refused"
    """A registry refuses a login."""
    LOGIN_EXPIRES = "login_expires"
    """A login is about to expire."""
    SERVICE_NOT_READY = "service_not_ready"
    """A check of the service's readiness fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a kind of trouble is told."""

    began: str
    """What happened, with the subject as `{}`."""
    ended: str
    """That it is over, for any reason, with the subject as `{}`."""
    many: str
    """A noun for several of them."""
    advice: str
    """What to do, with the subject as `{}`."""
    becomes: frozenset[Kind] = frozenset()
    """Worse troubles of the same subject: while one lasts, no end of it is told."""
    is_passing: bool = False
    """It often ends by itself, so it is told only if it lasts."""


RULES: Final[Mapping[Kind, Rule]] = MappingProxyType(
    {
        Kind.RELEASE_FAILED: Rule(
            began="a release of {} failed",
            ended="{} has no failed release any more",
            many="failed releases",
            advice="Correct the cause, then deploy {} again.",
        ),
        Kind.PUSH_GIVEN_UP: Rule(
            began="the push of {} was given up",
            ended="no push of {} is given up any more",
            many="pushes given up",
            advice="Correct the cause, then run: dokku registryd:push {}",
        ),
        Kind.PUSH_DELAYED: Rule(
            began="the push of {} is delayed",
            ended="no push of {} is delayed any more",
            many="delayed pushes",
            advice="It is tried again by itself. To look: dokku registryd:status",
            becomes=frozenset({Kind.RELEASE_FAILED, Kind.PUSH_GIVEN_UP}),
            is_passing=True,
        ),
        Kind.IMAGE_MISSING: Rule(
            began="an image of {} is missing",
            ended="no image of {} is missing any more",
            many="apps with missing images",
            advice="Do not restart {} before: dokku registryd:heal {}",
            is_passing=True,
        ),
        Kind.RELEASE_INCOMPLETE: Rule(
            began="the registry lost parts of the release of {}",
            ended="no release of {} lacks parts any more",
            many="incomplete releases",
            advice="What to do: dokku registryd:doctor {}",
        ),
        Kind.NUMBER_LOST: Rule(
            began="the registry lost the number of the release of {}",
            ended="no number of {} is lost any more",
            many="lost numbers",
            advice="What to do: dokku registryd:doctor {}",
            becomes=frozenset({Kind.RELEASE_INCOMPLETE}),
        ),
        Kind.REGISTRY_SILENT: Rule(
            began="the registry {} does not answer",
            ended="the registry {} answers again",
            many="registries that do not answer",
            advice="Deploys that push there wait for it. To look: dokku"
            " registryd:status",
            is_passing=True,
        ),
        Kind.LOGIN_REFUSED: Rule(
            began="the login for {} is refused",
            ended="the login for {} is not refused any more",
            many="refused logins",
            advice="Log in again with dokku registry:login.",
        ),
        Kind.LOGIN_EXPIRES: Rule(
            began="the login for {} expires soon",
            ended="the login for {} does not expire soon any more",
            many="logins that expire soon",
            advice="Log in again with dokku registry:login.",
            becomes=frozenset({Kind.LOGIN_REFUSED}),
        ),
        Kind.SERVICE_NOT_READY: Rule(
            began="the service is not ready ({})",
            ended="the service is ready again ({})",
            many="failing checks of the service",
            advice="To look: dokku-registryd health",
            is_passing=True,
        ),
    }
)

OF_LEDGER: Final = frozenset(
    {
        Kind.RELEASE_FAILED,
        Kind.PUSH_GIVEN_UP,
        Kind.PUSH_DELAYED,
        Kind.IMAGE_MISSING,
        Kind.RELEASE_INCOMPLETE,
        Kind.NUMBER_LOST,
    }
)
"""The kinds that only the ledger tells."""
OF_LOGINS: Final = frozenset({Kind.LOGIN_REFUSED, Kind.LOGIN_EXPIRES})

_OF_JOBS: Final = {
    kinds.Kind.RELEASE: Kind.PUSH_DELAYED,
    kinds.Kind.PUSH: Kind.PUSH_DELAYED,
    kinds.Kind.HEAL: Kind.IMAGE_MISSING,
}

Key = tuple[Kind, str]
"""Kind and subject: an app, a registry, a login, or a check of readiness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What the ledger knows."""

    failed: Sequence[jobs.JobRecord] = ()
    """Failed releases and pushes without a later success of their app."""
    retried: Sequence[jobs.JobRecord] = ()
    """Unfinished jobs whose last attempt failed."""
    unpushed: Sequence[Release] = ()
    """Deployed releases that the registry does not have."""
    incomplete: Mapping[str, str] = field(default_factory=dict)
    """What a registry lost, by app."""
    lost_numbers: Mapping[str, str] = field(default_factory=dict)
    """What became of a deployed number in its registry, by app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that troubles are computed from; None stands for what is unknown now."""

    book: Book | None
    lost: Mapping[str, str] | None
    """A reference that cannot be restored, by app; None before the first sweep."""
    reasons: Sequence[health.Reason] = ()
    """Why the service is not ready."""
    logins: Mapping[Key, str] | None = None
    """The troubles of logins."""
    reached: Sequence[Reach] | None = None
    """Which registries answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The troubles of one moment."""

    current: Mapping[Key, str]
    """The reason of each."""
    unknown: frozenset[Kind] = frozenset()
    """Kinds whose troubles could not be computed: they stay as they were."""


def find(facts: Facts, *, now: float, lag_seconds: float) -> Found:
    """Return the troubles of a host.

    Args:
        facts: Its state.
        now: Seconds since the epoch.
        lag_seconds: The age from which a release that is not pushed is a trouble.
    """
    current: dict[Key, str] = {
        (Kind.SERVICE_NOT_READY, reason.check): reason.text
        for reason in facts.reasons
        # It says so itself when it starts and stops.
        if reason.check != health.SERVICE
    }
    unknown: set[Kind] = set()
    if facts.book is None:
        unknown |= OF_LEDGER
    else:
        current |= _of_book(facts.book, now, lag_seconds)
    if facts.lost is None:
        unknown.add(Kind.IMAGE_MISSING)
    else:
        for app, reference in facts.lost.items():
            lost = f"{reference} is not here, and no registry is known to have it"
            current.setdefault((Kind.IMAGE_MISSING, app), lost)
    if facts.logins is None:
        unknown |= OF_LOGINS
    else:
        current |= facts.logins
    if facts.reached is None or not all(one.is_decided for one in facts.reached):
        unknown.add(Kind.REGISTRY_SILENT)
    for one in reach.silent(facts.reached or ()):
        current[Kind.REGISTRY_SILENT, one.domain] = one.reason
    return Found(current=current, unknown=frozenset(unknown))


def _of_book(book: Book, now: float, lag_seconds: float) -> Iterator[tuple[Key, str]]:
    given_up = [row for row in book.unpushed if row.state is ReleaseState.FAILED]
    for release in given_up:
        yield (Kind.PUSH_GIVEN_UP, release.app), release.error
    told = {release.job_id for release in given_up}
    for record in book.failed:
        if record.job.job_id not in told and record.outcome is not None:
            yield (Kind.RELEASE_FAILED, record.job.app), record.outcome.error
    for release in book.unpushed:
        age = now - release.created_at
        if release.job_id not in told and age >= lag_seconds:
            waited = f"{release.reference} waits for {age / MINUTE_SECONDS:.0f} minutes"
            yield (Kind.PUSH_DELAYED, release.app), waited
    for record in book.retried:
        kind = _OF_JOBS.get(record.job.kind)
        if kind is not None:
            yield (kind, record.job.app), record.last_error
    for app, lost in book.incomplete.items():
        yield (Kind.RELEASE_INCOMPLETE, app), f"it lacks {lost}"
    for app, lost in book.lost_numbers.items():
        yield (Kind.NUMBER_LOST, app), lost
