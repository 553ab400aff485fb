"""Peace: every fault ends, and what was promised gets the time that it needs."""

import json
import sqlite3
from collections import Counter
from typing import Any, Final

from support.waiting import until
from torture import faults
from torture.apps import App
from torture.deeds import Deeds
from torture.host import TortureHost

_HOOK_SECONDS: Final = 300
_START_SECONDS: Final = 300
_JOB_SECONDS: Final = 300
_IMAGE_SECONDS: Final = 300
_MOST_REQUESTS: Final = 3
_PAUSE_SECONDS: Final = 0.2  # Each look is a program that is started.


def settle(host: TortureHost, deeds: Deeds) -> None:
    """Return once nothing is left to be done, and failed apps have succeeded.

    Raises:
        AssertionError: Something is never done.
    """
    settle_down(host, deeds)
    if deeds.try_again():
        settle_down(host, deeds)


def settle_down(host: TortureHost, deeds: Deeds) -> None:
    """Let every fault end, and return once nothing is left to be done.

    Raises:
        AssertionError: Something is never done.
    """
    deeds.note("peace")
    faults.heal(host)
    host.engine.ensure()
    host.start_daemon()

    def hooks_are_done() -> bool:
        host.start_daemon()
        deeds.collect()
        return all(deploy.result is not None for deploy in deeds.deploys)

    until(hooks_are_done, _HOOK_SECONDS, what="the end of all hooks")

    def is_ready() -> bool:
        host.start_daemon()
        return bool(host.site.service.lines("daemon.ready"))

    until(is_ready, _START_SECONDS, what="the daemon's start")
    asked: Counter[str] = Counter()
    until(
        lambda: _are_jobs_done(host, deeds, asked),
        _JOB_SECONDS,
        what="the end of all jobs",
        pause=_PAUSE_SECONDS,
    )
    until(
        lambda: are_images_here(host, deeds, asked),
        _IMAGE_SECONDS,
        what=f"the return of all images, {missing(host, deeds)}",
    )
    until(
        lambda: _are_jobs_done(host, deeds, asked),
        what="the end of all jobs",
        pause=_PAUSE_SECONDS,
    )
    until(
        lambda: are_copies_there(host, deeds),
        _IMAGE_SECONDS,
        what="the copies in mirrors",
        pause=_PAUSE_SECONDS,
    )
    until(
        lambda: are_records_there(host, deeds),
        _IMAGE_SECONDS,
        what="the records of releases",
        pause=_PAUSE_SECONDS,
    )
    if host.neighbour is not None:
        host.neighbour.settle()


def are_copies_there(host: TortureHost, deeds: Deeds) -> bool:
    """Tell whether each app that has a mirror has there what it runs."""
    host.start_daemon()
    query = (
        "SELECT app, CAST(number AS TEXT) FROM copies JOIN releases USING (job_id)"
        " WHERE copied_at > 0"
    )
    copied = set(rows(host, query))
    for app in deeds.apps:
        number = deployed(host, app.name)[1]
        mirror = host.site.host.read_property(app.name, "mirror", plugin="registryd")
        if mirror and number not in {"", "0"} and (app.name, number) not in copied:
            return False
    return True


def are_records_there(host: TortureHost, deeds: Deeds) -> bool:
    """Tell whether each app that leaves records has put that of what it runs."""
    host.start_daemon()
    query = (
        "SELECT app, CAST(number AS TEXT) FROM release_records"
        " JOIN releases USING (job_id) WHERE release_records.digest != ''"
    )
    recorded = set(rows(host, query))
    return all(
        (app.name, number) in recorded
        for app in deeds.apps
        if has_records(host, app) and (number := deployed(host, app.name)[1]) > "0"
    )


def has_records(host: TortureHost, app: App) -> bool:
    """Tell whether an app leaves records of its releases."""
    value = host.site.host.read_property(
        app.name, "release-records", plugin="registryd"
    )
    return value == "on"


def are_images_here(host: TortureHost, deeds: Deeds, asked: Counter[str]) -> bool:
    """Tell whether nothing is missing, and ask for what is not pulled any more."""
    host.start_daemon()
    if not missing(host, deeds):
        return True
    _ask_for_blocked(host, status(host)["unfinished"], asked)
    return False


def _ask_for_blocked(
    host: TortureHost, unfinished: list[dict[str, Any]], asked: Counter[str]
) -> None:
    """Do what an operator does for an app blocked by the guard against loops."""
    for job in unfinished:
        name = job["app"]
        is_blocked = job["intent"] == "heal" and "is missing again" in job["last_error"]
        if is_blocked and asked[name] < _MOST_REQUESTS:
            asked[name] += 1
            host.site.service.run("heal", name)


def _are_jobs_done(host: TortureHost, deeds: Deeds, asked: Counter[str]) -> bool:
    """Return whether all waiting jobs are ones that cannot be expected to finish."""
    host.start_daemon()
    hopeless = {app.name for app in deeds.apps if app.may_lack_images}
    unfinished = status(host)["unfinished"]
    left = [job for job in unfinished if job["app"] not in hopeless]
    # The trigger of an accepted release lies there until its push is done.
    if host.site.host.spool().keys() - {job["job_id"] for job in unfinished}:
        return False
    if _is_awaited(host, deeds):
        return False
    _ask_for_blocked(host, left, asked)
    return not left


def _is_awaited(host: TortureHost, deeds: Deeds) -> bool:
    """Return whether a push is running whose image was not removed.

    Another release of the same app may well be hopeless.
    """
    awaited = {
        deploy.image_id
        for deploy in deeds.deploys
        if deploy.is_deploy_continued and not deploy.may_be_lost
    }
    query = "SELECT image_id FROM releases WHERE state = 'reserved'"
    return not awaited.isdisjoint(image_id for (image_id,) in rows(host, query))


def status(host: TortureHost) -> dict[str, Any]:
    """Return what `status` tells."""
    done = host.site.service.look("status", "--format", "json")
    if done.returncode:
        raise AssertionError(f"status fails: {done.stderr}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def missing(host: TortureHost, deeds: Deeds) -> list[str]:
    """Return the names of deployed releases that are not on the host."""
    names = host.site.names()
    return [
        name
        for app in deeds.apps
        if not app.may_lack_images
        for name in wanted_names(host, app)
        if name not in names
    ]


def deployed(host: TortureHost, app: str) -> tuple[str, str]:
    """Return repository and number that Dokku is answered with, empty if none."""
    record = host.site.host.data_dir / "deployed" / app
    lines = record.read_text().split("\n") if record.exists() else ["", "", ""]
    return lines[1], lines[2]


def wanted_names(host: TortureHost, app: App) -> list[str]:
    """Return the names that an app needs, by the record that Dokku is answered from."""
    record = host.site.host.data_dir / "deployed" / app.name
    if not record.exists():
        return []
    server, repository, number = record.read_text().split("\n")[:3]
    if number == "0":
        return []  # It runs a release without a push.
    names = (
        f"{server}{repository}:{number}",
        f"{repository}:{number}",
        f"dokku/{app.name}:{number}",
    )
    return list(dict.fromkeys(names))


def rows(host: TortureHost, query: str) -> list[tuple[Any, ...]]:
    """Ask the ledger, without the code under test."""
    path = host.site.host.data_dir / "ledger.sqlite3"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
