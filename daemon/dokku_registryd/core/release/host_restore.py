"""What a host needs after its folders were restored to an empty Engine, app by app.

Dokku records which apps run: `ps:stop` sets the property `restore` of its plugin `ps`
to `false`, and `ps:scale` may leave no process (Dokku 0.38.27, plugins/ps/ps.go and
triggers.go). Their images come first. Before Dokku 0.38 the variable
`DOKKU_APP_RESTORE` of the app said so, with `0`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dokku_registryd.core.dokku import presence
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState

START: Final = "dokku ps:restore --all"
"""What starts the apps, those that were stopped excepted."""
ROUNDS: Final = 3
"""How often one restore asks for what a heal of the service has taken over."""
_OFF: Final = "false"
_OLD_OFF: Final = "0"


class Step(StrEnum):
    """What brings the images of an app back."""

    NOTHING = "here"
    """They are here."""
    RETAG = "retag"
    """They are here, and lack a name."""
    PULL = "pull"
    """The registry has them, as far as is known."""
    LEAVE = "leave"
    """Nothing does: `reason` and `cure` say why, and what else to do."""
    ELSEWHERE = "elsewhere"
    """This host needs none: its scheduler runs the app on other hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is to be done for one app."""

    app: str
    step: Step
    reference: str = ""
    """The deployed name; empty if nothing was pushed."""
    digest: str = ""
    runs: bool = True
    """Whether Dokku would start it: those come first."""
    reason: str = ""
    cure: str = ""

    @property
    def is_work(self) -> bool:
        """Whether a heal is to be asked for."""
        return self.step in {Step.RETAG, Step.PULL}

    @property
    def is_well(self) -> bool:
        """Whether nothing of the app is missing here."""
        return self.step in {Step.NOTHING, Step.ELSEWHERE}


def runs(*, restore: str, scale: str, variable: str = "") -> bool:
    """Return whether Dokku starts an app at `ps:restore`.

    Args:
        restore: The property `restore` of Dokku's plugin `ps`; empty if unset.
        scale: Its property `scale`: `TYPE=COUNT` lines; empty if unset.
        variable: `DOKKU_APP_RESTORE` of the app; empty if unset.
    """
    if restore.strip() == _OFF or (not restore and variable == _OLD_OFF):
        return False
    counts = [line.partition("=")[2].strip() for line in scale.split()]
    return not counts or any(count != "0" for count in counts)


def course_of(
    state: wanted.AppState,
    gaps: Sequence[wanted.Gap],
    *,
    schedulers: Sequence[str],
    record: completeness.Record | None = None,
) -> Course:
    """Return what an app that was released needs.

    Args:
        state: The app, without the replies to deploys that ended with the old host.
        gaps: The missing ones of its wanted references.
        schedulers: The schedulers that keep images on this host.
        record: The latest check of its release in the registry.
    """
    policy, deployed = state.policy, wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    course = Course(
        app=policy.app,
        step=Step.NOTHING,
        reference=deployed.reference if deployed else "",
        digest=(release.digest if release else "") or _digest_of(gaps),
    )
    if deployed is not None:
        scheduler = release.scheduler if release else policy.scheduler
        if scheduler and scheduler not in schedulers:
            return elsewhere(course, scheduler)
    if not policy.heal:
        return replace(
            course,
            step=Step.LEAVE,
            reason="heal is off for it",
            cure=f"dokku registryd:set {policy.app} heal on, then restore again",
        )
    if not gaps:
        return course
    if any(isinstance(gap, wanted.Pull) for gap in gaps):
        return _pulled(course, state, deployed, record)
    if any(isinstance(gap, wanted.Retag) for gap in gaps):
        return replace(course, step=Step.RETAG)
    return unpushed(replace(course, reference=""))


def _pulled(
    course: Course,
    state: wanted.AppState,
    deployed: DeployedRelease | None,
    record: completeness.Record | None,
) -> Course:
    if not course.digest and deployed and _is_unpushed(state, deployed):
        return replace(
            course,
            step=Step.LEAVE,
            reason=f"{deployed.reference} was not pushed before the host was lost",
            cure=rebuild(course.app),
        )
    if record is not None and record.standing is completeness.Standing.INCOMPLETE:
        # It is tried nevertheless: another client may have pushed the parts since.
        told = completeness.tell(record.standing, record.missing, record.lacking)
        return replace(
            course,
            step=Step.PULL,
            reason=f"at the last check it {told}",
            cure=rebuild(course.app),
        )
    return replace(course, step=Step.PULL)


def unpushed(course: Course) -> Course:
    """Return the course of an app whose image no registry has."""
    return replace(
        course,
        step=Step.LEAVE,
        reason="its release was not pushed, so no registry has its image",
        cure=rebuild(course.app),
    )


def elsewhere(course: Course, scheduler: str) -> Course:
    """Return the course of an app that runs on other hosts."""
    return replace(
        course, step=Step.ELSEWHERE, reason=f"{scheduler} keeps no images here"
    )


def rebuild(app: str) -> str:
    """Return the way out where no registry has an image."""
    return f"dokku ps:rebuild {app}"


def missing(found: presence.Absence, root: str) -> list[Course]:
    """Return the courses of apps with properties but without a folder."""
    because = f" ({found.detail})" if found.detail else ""
    return [
        Course(
            app=entry.app,
            step=Step.LEAVE,
            reason=(
                f"{root}/{entry.app} is {entry.reason}"
                if entry.reason
                else f"{root}/{entry.app} is missing{because}"
            ),
            cure=(
                f"restore that folder, or if {entry.app} was destroyed, run"
                f" dokku-registryd forget {entry.app}"
            ),
        )
        for entry in found.apps
    ]


def unread(app: str, reason: str) -> Course:
    """Return the course of an app with an unreadable file."""
    return Course(
        app=app, step=Step.LEAVE, reason=reason, cure="correct it, then restore again"
    )


def ordered(courses: Iterable[Course]) -> list[Course]:
    """Return courses in the order of the work: apps that run come first."""
    return sorted(courses, key=lambda course: (not course.runs, course.app))


def again(now: Iterable[Course], ended_well: Collection[str]) -> list[Course]:
    """Return the work that is left although its heal has ended well.

    A sweep of the service may request the same heal, which then replaces ours and may
    still wait.

    Args:
        now: What is to be done now.
        ended_well: The apps whose heal has ended without an error.
    """
    return [course for course in now if course.is_work and course.app in ended_well]


def settled(before: Course, after: Course | None, said: str) -> Course:
    """Return how the work for an app has ended, judged by the host as it is now.

    Args:
        before: What was to be done.
        after: What is to be done now; None if the app is gone.
        said: What its heal said last.
    """
    if after is None:
        return replace(before, step=Step.LEAVE, reason="the app is gone", cure="")
    if after.is_well or not after.is_work:
        return after
    reason = said or after.reason or "its heal has not ended"
    # A heal's own words name the way out.
    cure = after.cure if not said else ""
    return replace(after, step=Step.LEAVE, reason=reason, cure=cure)


def _is_unpushed(state: wanted.AppState, deployed: DeployedRelease) -> bool:
    return any(
        release.reference == deployed.reference
        and release.state is not ReleaseState.PUSHED
        for release in state.releases
    )


def _digest_of(gaps: Sequence[wanted.Gap]) -> str:
    return next((gap.wanted.digest for gap in gaps if gap.wanted.digest), "")
