"""`restore`: all deployed images are back after Dokku's folders were restored.

It asks for heals in the order in which apps are needed, and ends with a look at the
host: an app counts as restored if nothing of it is missing now. So it may be killed and
repeated at any time.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import host_variables
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import host_restore
from dokku_registryd.core.release.host_restore import Course, Step
from dokku_registryd.effects import host_restore as looks
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.hooks import together
from dokku_registryd.verbs.host import adopt
from dokku_registryd.verbs.output import Output

_FAILED = 1
_VARIABLE = "DOKKU_APP_RESTORE"


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Restore the images of all apps, or print the plan.

    Returns:
        0 if all deployed images are here at the end, or can come in a dry run.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        RegistrydError: The apps cannot be listed.
    """
    settings = preparation.enter(arguments, out)
    is_json = arguments.format == "json"
    quiet = Output(line=lambda _text: None, error=out.error)
    said = quiet if is_json else out
    if not arguments.dry_run:
        _make_ready(arguments, settings, said)
    courses = _look(settings, said)
    if not courses:
        return _tell_nothing(settings, out, is_json=is_json)
    if arguments.dry_run:
        if is_json:
            out.json(_as_json(courses, is_whole=not _status(courses)))
        else:
            _tell_plan(courses, out)
        return _status(courses)
    work = [course for course in courses if course.is_work]
    left = courses
    if work:
        ends, now = _carry_out(arguments, settings, work, said)
        left = _settle(courses, now, ends)
    if is_json:
        out.json(_as_json(left, is_whole=not _status(left)))
    else:
        _tell_end(left, out)
    return _status(left)


def _make_ready(
    arguments: argparse.Namespace, settings: config.Settings, out: Output
) -> None:
    """Open the ledger as its owner would, and adopt releases that it does not know.

    A backup may be older than the program, and a copied ledger may be damaged.
    """
    lock = spool.SpoolLock(settings.data_dir)
    if lock.acquire(spool.HOOK):
        try:
            book, aside = ledger.open_or_rebuild(
                settings.ledger_file, stamp=str(int(time.time()))
            )
            book.close()
        finally:
            lock.release()
        if aside:
            out.error(
                f"the ledger was damaged and has been rebuilt; the old one is {aside}"
            )
    with reading.context(settings, _read_ledger(settings, out)) as context:
        unknown = looks.needs_adoption(context)
    if not unknown:
        return
    out.line(f"-----> Adopting {_count(len(unknown), 'app')} that the ledger lacks")
    for entry in adopt.record(arguments, settings, out):
        for difference in entry.differences if entry.app in unknown else ():
            out.error(f"{entry.app}: {difference}")


def _look(settings: config.Settings, out: Output) -> list[Course]:
    root = Path(settings.paths.dokku_root)
    with reading.context(settings, _read_ledger(settings, out)) as context:
        return looks.plan(
            context,
            variable_of=lambda app: host_variables.of_app(_VARIABLE, app, root),
        )


def _read_ledger(settings: config.Settings, out: Output) -> ledger.SqliteLedger:
    try:
        found = preparation.read_ledger(settings)
    except errors.LedgerError as error:
        out.error(f"planning without the ledger: {error}")
        found = None
    return found or ledger.SqliteLedger(None)


def _carry_out(
    arguments: argparse.Namespace,
    settings: config.Settings,
    work: Sequence[Course],
    out: Output,
) -> tuple[dict[str, together.End], list[Course]]:
    """Return how the heals have ended, and what is to be done now."""
    ends = _restore(arguments, settings, work, out)
    now = _look(settings, out)
    for _ in range(host_restore.ROUNDS):
        ended_well = {app for app, end in ends.items() if end.is_good}
        rest = host_restore.again(now, ended_well)
        if not rest:
            break
        ends |= _restore(arguments, settings, rest, out)
        now = _look(settings, out)
    return ends, now


def _restore(
    arguments: argparse.Namespace,
    settings: config.Settings,
    work: Sequence[Course],
    out: Output,
) -> dict[str, together.End]:
    # As an option of Dokku's command it is a text.
    workers = settings.daemon.workers
    most = int(arguments.jobs or workers)
    if not work:
        return {}
    out.line(
        f"-----> Restoring {_count(len(work), 'app')}, {min(most, len(work))} at a time"
    )
    ends: dict[str, together.End] = {}
    jobs = together.Together(arguments, most=most, workers=workers)
    wanted = [triggers.Trigger(kind=Kind.HEAL, app=course.app) for course in work]
    width = len(str(len(work)))
    by_app = {course.app: course for course in work}
    for end in jobs.run(wanted):
        ends[end.app] = end
        place = f"[{len(ends):>{width}}/{len(work)}]"
        if end.is_good:
            what = by_app[end.app].reference
            out.line(
                f"       {place} {end.app}: {end.said or 'done'}, {what}"
                f" ({end.seconds:.1f} s)"
            )
        else:
            out.error(f"{place} {end.app}: {end.said}")
    return ends


def _settle(
    before: Sequence[Course],
    now: Sequence[Course],
    ends: dict[str, together.End],
) -> list[Course]:
    found = {course.app: course for course in now}
    settled = [
        host_restore.settled(
            course,
            found.get(course.app),
            ends[course.app].said
            if course.app in ends and not ends[course.app].is_good
            else "",
        )
        for course in before
    ]
    known = {course.app for course in before}
    return settled + [
        host_restore.settled(course, course, "")
        for course in now
        if course.app not in known
    ]


def _tell_nothing(settings: config.Settings, out: Output, *, is_json: bool) -> int:
    """Say that no app has a deployed release, or that its properties are missing."""
    root = settings.config_root
    is_restored = any((root / plugin).is_dir() for plugin in ("registry", "common"))
    if is_json:
        out.json(_as_json([], is_whole=is_restored))
    elif is_restored:
        out.line("No app of this host has a deployed release.")
    if is_restored:
        return 0
    out.error(
        f"no app has properties, since {root} is not restored: restore that folder of"
        " the backup too, then run this again"
    )
    return _FAILED


def _tell_plan(courses: Sequence[Course], out: Output) -> None:
    rows: list[tuple[str, ...]] = [
        (
            course.app,
            course.step.value,
            "yes" if course.runs else "no",
            course.reference or "-",
            course.digest.removeprefix("sha256:")[:12] or "-",
        )
        for course in courses
    ]
    heads = ("APP", "STEP", "RUNS", "REFERENCE", "DIGEST")
    head, *lines = preparation.Table(heads, rows).lines()
    out.line(head)
    for line, course in zip(lines, courses, strict=True):
        out.line(line)
        if course.reason and course.step is not Step.ELSEWHERE:
            out.line(f"  {_reason(course)}")


def _tell_end(courses: Sequence[Course], out: Output) -> None:
    lacking = [course for course in courses if not course.is_well]
    here = len(courses) - len(lacking)
    have = "has its images" if len(courses) == 1 else "have their images"
    out.line(f"-----> {here} of {_count(len(courses), 'app')} {have}")
    for course in lacking:
        out.error(f"{course.app}: {_reason(course)}")
    if here:
        out.line(f"       Next, start the apps that ran: {host_restore.START}")


def _reason(course: Course) -> str:
    reason = course.reason.rstrip(".")
    return f"{reason}. Way out: {course.cure}" if course.cure else reason


def _as_json(courses: Sequence[Course], *, is_whole: bool) -> dict[str, object]:
    return {
        "is_whole": is_whole,
        "apps": [
            {
                "app": course.app,
                "step": course.step.value,
                "runs": course.runs,
                "reference": course.reference,
                "digest": course.digest,
                "reason": course.reason,
                "cure": course.cure,
            }
            for course in courses
        ],
        "next": host_restore.START,
    }


def _status(courses: Sequence[Course]) -> int:
    return _FAILED if any(course.step is Step.LEAVE for course in courses) else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
