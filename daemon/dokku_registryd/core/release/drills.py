"""Whether a release would come back on an empty host, by its registry's answers.

What is asked are the questions of a pull: is the login accepted, is the number there,
are all parts there. The latest complete check counts for the parts as long as the
service would not check again; otherwise they are asked for, within a budget of their
registry.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dokku_registryd.core.release import check_turns, completeness
from dokku_registryd.core.release.completeness import Look, Number, Record

BUDGET_USED: Final = (
    "the checks of this hour have used up what one registry is asked for; name the app"
    " to ask nevertheless"
)


class Verdict(StrEnum):
    """Whether the deployed image of an app would come back."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """The registry could not be asked."""
    LOCAL = "not pushed"
    """It is in no registry, as its properties say: nothing was promised."""


class Login(StrEnum):
    """What the registry says of the app's login."""

    ACCEPTED = "accepted"
    ANONYMOUS = "anonymous"
    """The app has none, and the registry needs none."""
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Mirror(StrEnum):
    """Whether the app's second registry has the release, with all parts."""

    NONE = "-"
    """The app has no mirror."""
    COMPLETE = "complete"
    LACKING = "lacking"
    """It has not the release, or not all of it."""
    REFUSED = "refused"
    """It refuses the login."""
    UNKNOWN = "unknown"


class Parts(StrEnum):
    """Whether the registry has all manifests and layers."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer for one app."""

    app: str
    verdict: Verdict
    reference: str = ""
    digest: str = ""
    login: Login = Login.UNKNOWN
    number: Number | None = None
    """What is under the number; None if that was not answered."""
    parts: Parts = Parts.UNKNOWN
    complete_at: float = 0.0
    """When all parts were last seen, in seconds since the epoch; 0 if never."""
    mirror: Mirror = Mirror.NONE
    reason: str = ""
    cure: str = ""


def is_fresh(record: Record | None, digest: str, now: float) -> bool:
    """Return whether an earlier check still answers for all parts of a release."""
    if record is None or record.digest != digest or record.lacking or record.unread:
        return False
    return 0.0 <= now - record.complete_at < completeness.MOST_SECONDS


def local(app: str) -> Answer:
    """Return the answer for an app that does not push."""
    return Answer(
        app=app,
        verdict=Verdict.LOCAL,
        reason="push-on-release is off, so no registry has its image",
        cure=f"dokku registry:set {app} push-on-release true, then deploy",
    )


def unpushed(app: str, reference: str) -> Answer:
    """Return the answer for a release that only this host has."""
    return Answer(
        app=app,
        verdict=Verdict.NO,
        reference=reference,
        reason="only this host has its image: the release is not pushed",
        cure=f"dokku registryd:push {app}",
    )


def unreleased(app: str) -> Answer:
    """Return the answer for an app that was last deployed before it was to push."""
    return Answer(
        app=app,
        verdict=Verdict.NO,
        reason=(
            "push-on-release is on, but it was not deployed since, so no registry has"
            " its image"
        ),
        cure=f"dokku ps:rebuild {app}",
    )


def refused(answer: Answer, reason: str, cure: str) -> Answer:
    """Return an answer after the registry has refused the login.

    Args:
        answer: The answer so far.
        reason: The refusal.
        cure: The command that replaces the login.
    """
    return replace(
        answer,
        verdict=Verdict.NO,
        login=Login.REFUSED,
        reason=reason,
        cure=cure,
    )


def unasked(answer: Answer, reason: str) -> Answer:
    """Return an answer that the registry could not give."""
    return replace(answer, verdict=Verdict.UNKNOWN, reason=reason)


def counted(answer: Answer, number: Number, *, is_proved: bool) -> Answer:
    """Return an answer once it is known what is under the number.

    Args:
        answer: The answer so far.
        number: What is under the number.
        is_proved: Whether the release's digest is recorded, so that the number is not
            needed for a pull.
    """
    answer = replace(answer, number=number)
    if is_proved or number is Number.KEPT:
        return answer
    return replace(
        answer,
        verdict=Verdict.NO,
        reason="nothing is under its number, and its digest was never recorded",
        cure=f"dokku registryd:push {answer.app}",
    )


def unproved(answer: Answer) -> Answer:
    """Return the answer for a number without a recorded digest."""
    return replace(
        answer,
        verdict=Verdict.YES,
        reason="by its number only, since its digest was never recorded",
        cure="dokku-registryd adopt",
    )


def recalled(answer: Answer, record: Record) -> Answer:
    """Return an answer by the latest check of the parts."""
    answer = replace(answer, parts=Parts.COMPLETE, complete_at=record.complete_at)
    return _restorable(answer)


def looked(answer: Answer, found: Look, reason: str, now: float) -> Answer:
    """Return an answer after all parts were asked for.

    Args:
        answer: The answer so far, with the number.
        found: What the registry has.
        reason: Why it could not answer; empty if it could.
        now: Seconds since the epoch.
    """
    if found.missing:
        named = [str(part) for part in found.missing]
        told = completeness.describe(named, len(named))
        return replace(
            answer,
            verdict=Verdict.NO,
            parts=Parts.INCOMPLETE,
            reason=f"the registry lacks {told}",
            cure=f"dokku registryd:push {answer.app}",
        )
    if reason or found.unread:
        return unasked(answer, reason or found.unread)
    answer = replace(answer, parts=Parts.COMPLETE, complete_at=now)
    return _restorable(answer)


def _restorable(answer: Answer) -> Answer:
    answer = replace(answer, verdict=Verdict.YES)
    standing = completeness.standing_of(0, answer.number or Number.KEPT)
    if standing is completeness.Standing.COMPLETE:
        return answer
    return replace(
        answer,
        reason=f"it {completeness.tell(standing, (), 0)}",
        cure=(
            f"dokku ps:rebuild {answer.app}"
            if answer.number is Number.MOVED
            else f"dokku registryd:push {answer.app}"
        ),
    )


def mirrored(answer: Answer, mirror: Mirror, name: str) -> Answer:
    """Return an answer once the second registry was asked too.

    A heal takes the mirror if the first registry does not answer or lacks the release.

    Args:
        answer: The answer of the first registry.
        mirror: What the mirror has.
        name: The repository of the mirror.
    """
    answer = replace(answer, mirror=mirror)
    if mirror is not Mirror.COMPLETE or answer.verdict is Verdict.YES:
        return answer
    because = f": {answer.reason}" if answer.reason else ""
    return replace(
        answer, verdict=Verdict.YES, reason=f"from its mirror {name}{because}"
    )


def of_mirror(found: Look, reason: str) -> Mirror:
    """Return what a look at the mirror has shown.

    Args:
        found: What the mirror has.
        reason: Why it could not answer; empty if it could.
    """
    if found.missing:
        return Mirror.LACKING
    return Mirror.UNKNOWN if reason or found.unread else Mirror.COMPLETE


class Budget:
    """What one drill may ask of each registry. Not thread-safe.

    Args:
        records: The checks of the last hour, with the registry of each.
        now: Seconds since the epoch.
    """

    def __init__(self, records: Iterable[tuple[str, Record]], now: float) -> None:
        self._requests: Counter[str] = Counter()
        self._reads: Counter[str] = Counter()
        for host, record in records:
            age = now - record.checked_at
            if 0.0 <= age < completeness.AGAIN_SECONDS:
                self._requests[host] += record.requests
            if 0.0 <= age < check_turns.READS_SECONDS:
                self._reads[host] += record.reads

    def take(self, host: str, record: Record | None, digest: str) -> bool:
        """Reserve the questions about one release; False if they are too many."""
        tree = completeness.tree_of(record, digest)
        requests = len(tree) or check_turns.USUAL_REQUESTS
        reads = 0 if tree else check_turns.USUAL_READS
        most = check_turns.READS.get(host, self._reads[host] + reads)
        if self._requests[host] + requests > check_turns.REQUESTS_PER_HOUR:
            return False
        if reads and self._reads[host] + reads > most:
            return False
        self._requests[host] += requests
        self._reads[host] += reads
        return True
