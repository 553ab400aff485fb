"""The facts of `status`: what it prints as JSON."""

import importlib
import os
import time

from dokku_registryd import __version__, errors
from dokku_registryd.adapters.engine import push_way
from dokku_registryd.adapters.files import absence_facts
from dokku_registryd.adapters.host import package
from dokku_registryd.adapters.ledger import peek
from dokku_registryd.adapters.spool import peek as spool_peek
from dokku_registryd.core.dokku import absence_text
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.status import service_states, status_page
from dokku_registryd.verbs.service import job_facts, service_view

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dokku_registryd.core.registry import backoff

KEYS = (
    *("health", "service", "pid", "state", "outdated", "version", "mode", "engine"),
    *("images", "logins", "unchecked", "data_dir", "free_bytes", "trigger_files"),
    *("rejected_files", "push_way", "missing", "incomplete", "mirror", "silent"),
    *("follow", "paused", "ledger_error", "failed", "unfinished", "recent"),
)
"""The keys of the JSON object, which scripts rely on."""
_RECENT = 5
_OK = 200


def collect(data_dir: str, view: service_view.View) -> dict[str, object]:
    """Return all facts that this user may see.

    A ledger that cannot be read has no jobs, and `ledger_error` says why.
    """
    now = time.time()
    error = ""
    try:
        found = peek.read(f"{data_dir}/ledger.sqlite3", now=now, limit=_RECENT)
    except errors.LedgerError as raised:
        error = str(raised)
        found = peek.LedgerFacts([], [], [], [], [], [])
    page = page_of(view)
    return {
        **of_service(view, page),
        "outdated": package.difference(data_dir),
        "version": __version__,
        "mode": page.text("mode") or _noted_mode(data_dir),
        "engine": _engine(page),
        "images": _images(page, now),
        "logins": _logins(page),
        "unchecked": [{"what": what, "why": why} for what, why in page.unchecked],
        "data_dir": data_dir,
        "free_bytes": _free_bytes(data_dir),
        "trigger_files": _counted(spool_peek.pending, data_dir),
        "rejected_files": _counted(spool_peek.rejected, data_dir),
        "push_way": _push_way(data_dir),
        "missing": _missing(data_dir, now),
        "incomplete": [_incomplete(row, now) for row in found.incomplete],
        "mirror": _mirror(found.uncopied, now),
        "silent": _silent(page, now),
        "follow": collect_follow(page, now),
        "paused": _paused(found.paused, now),
        "ledger_error": error,
        "failed": [job_facts.failed(row, now) for row in found.failed],
        "unfinished": [job_facts.unfinished(row, now) for row in found.unfinished],
        "recent": [job_facts.finished(row, now) for row in found.finished],
    }


def closed(data_dir: str, view: service_view.View) -> dict[str, object]:
    """Return what a user sees who may not read the data folder; the rest is null."""
    facts = of_service(view, page_of(view))
    return {**dict.fromkeys(KEYS), **facts, "data_dir": data_dir}


def page_of(view: service_view.View) -> status_page.Page:
    """Return what the service says; nothing if it is silent, or an older one."""
    status, text = view.answer or (0, "")
    return status_page.Page(text if status == _OK else "")


def of_service(view: service_view.View, page: status_page.Page) -> dict[str, object]:
    """Return whether the service is ready, who owns the spool, and its state."""
    state = view.state
    is_ready, reasons = page.is_ready, page.reasons
    if is_ready is None:
        if state.is_running:
            reasons = [view.refusal or _why_unknown(view)]
        else:
            is_ready = None if state.name == service_states.UNKNOWN else False
            reasons = [f"the service is {state.text}"]
    return {
        "health": {"is_ready": is_ready, "reasons": reasons},
        "service": view.role or ("unknown" if view.is_closed else "stopped"),
        "pid": state.pid if view.role else None,
        "state": {"name": state.name, "text": state.sentence()},
    }


def _why_unknown(view: service_view.View) -> str:
    if view.answer is None:
        return "it has no status socket (status.socket is empty), or is still starting"
    return "an older version runs, which does not say"


def _noted_mode(data_dir: str) -> str | None:
    """Return the mode that was chosen at the installation."""
    try:
        with open(f"{data_dir}/mode", "rb") as file:  # noqa: PTH123 - as elsewhere
            text = file.read(20).decode("ascii", "replace").strip()
    except OSError:
        return None
    return text if text in {"takeover", "companion"} else None


def _engine(page: status_page.Page) -> dict[str, object] | None:
    version = page.text("engine")
    if version is None:
        return None
    return {"version": version, "image_store": page.text("store")}


def _images(page: status_page.Page, now: float) -> dict[str, object] | None:
    """Return the counts of the last sweep; None before it, or without a service."""
    swept_at = page.number("swept_at")
    if swept_at is None:
        return None
    names = ("apps", "wanted", "missing", "lost", "moved", "freeable")
    counts: dict[str, object] = {name: page.number(name) for name in names}
    return {**counts, "swept_age_seconds": job_facts.elapsed(swept_at, now)}


def _logins(page: status_page.Page) -> list[dict[str, object]]:
    """Return the logins that the service has found refused, or soon expiring."""
    return [
        {"kind": kind, "login": login, "reason": reason}
        for kind, login, reason in page.logins
    ]


def _free_bytes(data_dir: str) -> int | None:
    try:
        found = os.statvfs(data_dir)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _push_way(data_dir: str) -> dict[str, object]:
    """Return the path of pushes and the reason; the path is null before the first."""
    reason = push_way.read(data_dir)
    if reason is None:
        return {"way": None, "reason": ""}
    return {"way": "engine" if reason else push_ways.RELAY, "reason": reason}


def _counted(count: "Callable[[str], int]", data_dir: str) -> int:
    try:
        return count(data_dir)
    except OSError:
        return 0  # `doctor` and `health` report the reason; show the rest.


def _missing(data_dir: str, now: float) -> dict[str, object]:
    """Return the apps that the last sweep did not find in Dokku's root."""
    found = absence_facts.read(data_dir)
    return {
        "cause": found["cause"],
        "detail": found["detail"],
        "apps": [
            {
                "app": row["app"],
                "age_seconds": job_facts.elapsed(row["since"], now),
                "reason": row["reason"],
                "is_proposed": row["counted"] >= absence_text.PROPOSED_SECONDS,
            }
            for row in found["apps"]
        ],
    }


def _incomplete(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a release that is amiss in its registry.

    `missing` has up to ten parts; `number` says what became of its number: `gone`,
    `moved` to another image, or nothing if it is empty.
    """
    return {
        "app": row["app"],
        "reference": row["reference"],
        "digest": row["digest"],
        "missing": row["missing"].split("\n") if row["missing"] else [],
        "lacking": row["lacking"],
        "number": row["number"],
        "is_here": bool(row["is_here"]),
        "checked_age_seconds": job_facts.elapsed(row["checked_at"], now),
    }


def _mirror(rows: "list[dict[str, Any]]", now: float) -> dict[str, object]:
    """Return how far mirrors are behind: the releases that they lack."""
    reasons = [row["error"] for row in rows if row["error"]]
    return {
        "apps": len({row["app"] for row in rows}),
        "releases": len(rows),
        "oldest_age_seconds": (
            job_facts.elapsed(rows[0]["wanted_at"], now) if rows else 0.0
        ),
        "reason": reasons[0] if reasons else "",
    }


def _silent(page: status_page.Page, now: float) -> list[dict[str, object]]:
    """Return the registries that do not answer the running service."""
    return [
        {
            "domain": domain,
            "age_seconds": job_facts.elapsed(since, now),
            "reason": reason,
        }
        for domain, since, reason in page.silent
    ]


def collect_follow(page: status_page.Page, now: float) -> dict[str, object] | None:
    """Return what is followed of other hosts; None if the service does not say."""
    text = page.text("follow")
    if text is None:
        return None
    found: dict[str, Any] = importlib.import_module("json").loads(text)
    oldest_at = found["oldest_at"]
    return {
        "problem": found["problem"],
        "kept": found["kept"],
        "lacking": found["lacking"],
        "oldest_age_seconds": (
            0.0 if oldest_at is None else job_facts.elapsed(oldest_at, now)
        ),
        "places": [
            {
                **{name: row[name] for name in row if name != "since"},
                "age_seconds": job_facts.elapsed(row["since"], now),
            }
            for row in found["places"]
        ],
        "repositories": [
            {
                **{name: row[name] for name in row if name != "looked_at"},
                "looked_age_seconds": (
                    None
                    if row["looked_at"] is None
                    else job_facts.elapsed(row["looked_at"], now)
                ),
            }
            for row in found["repositories"]
        ],
    }


def _paused(rows: "list[dict[str, Any]]", now: float) -> list[dict[str, object]]:
    if not rows:
        return []
    module = importlib.import_module("dokku_registryd.core.registry.backoff")
    known: list[backoff.Pause] = [
        module.Pause(**{**row, "direction": module.Direction(row["direction"])})
        for row in rows
    ]
    return [
        {
            "domain": pause.domain,
            "login": pause.key.login,
            "direction": pause.direction.value,
            "app": pause.app,
            "seconds": round(pause.remaining(now), 1),
            "failures": pause.failures,
            "reason": pause.reason,
        }
        for pause in known
        if pause.remaining(now)
    ]
