"""`status`: the state of the service, and its running, pending and recent jobs."""

import importlib
import time

from dokku_registryd.adapters.engine import push_way
from dokku_registryd.adapters.files import absence_facts
from dokku_registryd.adapters.host import package
from dokku_registryd.adapters.ledger import peek
from dokku_registryd.adapters.spool import peek as spool_peek
from dokku_registryd.core.dokku import absence_text
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.install import builds
from dokku_registryd.verbs import data_folder, identity, output

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from dokku_registryd.core.registry import backoff

_RECENT = 5


def perform(arguments: "argparse.Namespace", out: output.Output) -> int:
    """Print the state of the service and of its jobs."""
    data_dir = data_folder.locate(arguments)
    complaint = identity.become_owner(data_dir, arguments.environ)
    if complaint:
        out.error(complaint)
    facts = _facts(data_dir)
    if arguments.format == "json":
        out.json(facts)
        return 0
    for line in _as_text(facts):
        out.line(line)
    return 0


def _facts(data_dir: str) -> dict[str, object]:
    holder = spool_peek.holder(data_dir)
    now = time.time()
    found = peek.read(f"{data_dir}/ledger.sqlite3", now=now, limit=_RECENT)
    return {
        "service": holder[0] if holder else "stopped",
        "pid": holder[1] if holder else None,
        "outdated": package.difference(data_dir),
        "data_dir": data_dir,
        "trigger_files": _counted(spool_peek.pending, data_dir),
        "rejected_files": _counted(spool_peek.rejected, data_dir),
        "push_way": _push_way(data_dir),
        "missing": _missing(data_dir, now),
        "incomplete": [_incomplete(row, now) for row in found.incomplete],
        "paused": _paused(found.paused, now),
        "unfinished": [_unfinished(row, now) for row in found.unfinished],
        "recent": [_finished(row, now) for row in found.finished],
    }


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
                "age_seconds": _elapsed(row["since"], now),
                "reason": row["reason"],
                "is_proposed": row["counted"] >= absence_text.PROPOSED_SECONDS,
            }
            for row in found["apps"]
        ],
    }


def _incomplete(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a release of which the registry lacks parts; `missing` has up to ten."""
    return {
        "app": row["app"],
        "reference": row["reference"],
        "digest": row["digest"],
        "missing": row["missing"].split("\n"),
        "lacking": row["lacking"],
        "checked_age_seconds": _elapsed(row["checked_at"], now),
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


def _unfinished(row: "dict[str, Any]", now: float) -> dict[str, object]:
    return {
        "job_id": row["job_id"],
        "intent": row["kind"],
        "app": row["app"],
        "attempts": row["attempts"],
        "age_seconds": _elapsed(row["accepted_at"], now),
        "retry_in_seconds": max(0.0, round(row["retry_at"] - now, 1)),
        "last_error": row["last_error"],
    }


def _finished(row: "dict[str, Any]", now: float) -> dict[str, object]:
    return {
        "job_id": row["job_id"],
        "intent": row["kind"],
        "app": row["app"],
        "outcome": row["ending"],
        "reference": row["reference"],
        "detail": row["error"] or row["detail"],
        "age_seconds": _elapsed(row["finished_at"], now),
    }


def _elapsed(since: float, now: float) -> float:
    """Return the seconds since then; 0 if the clock was set back."""
    return max(0.0, round(now - since, 1))


def _as_text(facts: dict[str, object]) -> list[str]:
    lines = [_service_line(facts), _spool_line(facts)]
    unfinished, recent = _dicts(facts["unfinished"]), _dicts(facts["recent"])
    for entry in _dicts(facts["paused"]):
        left = output.age(_seconds(entry["seconds"]))
        lines.append(
            f"Paused:  {entry['domain']} for another {left} ({entry['direction']} with"
            f" {entry['login']}), refused {entry['failures']} times: {entry['reason']}"
        )
    lines += _way_lines(facts["push_way"])
    lines += _missing_lines(facts["missing"])
    for entry in _dicts(facts["incomplete"]):
        lines += _incomplete_lines(entry)
    lines.append("")
    lines.append("Pending:" if unfinished else "No pending jobs.")
    for entry in unfinished:
        lines.append(f"  {_age(entry)} {entry['intent']} {entry['app']}")
        if entry["last_error"]:
            lines.append(
                f"      attempt {entry['attempts']}: {entry['last_error']}"
                f" (retry in {output.age(_seconds(entry['retry_in_seconds']))})"
            )
    if recent:
        lines.append("")
        lines.append("Recent:")
    for entry in recent:
        what = entry["reference"] or entry["app"]
        detail = f" ({entry['detail']})" if entry["detail"] else ""
        lines.append(
            f"  {_age(entry)} {entry['intent']} {what}: {entry['outcome']}{detail}"
        )
    return lines


def _way_lines(way: object) -> list[str]:
    if not isinstance(way, dict) or not way["reason"]:
        return []
    return [f"Pushes:  {push_ways.describe(way['reason'])}"]


def _missing_lines(missing: object) -> list[str]:
    if not isinstance(missing, dict) or missing["cause"] == "none":
        return []
    rows = _dicts(missing["apps"])
    lines = [f"Missing: {missing['detail'] or absence_text.SOME_MISSING}"]
    for row in rows:
        what = f" ({row['reason']})" if row["reason"] else ""
        since = output.age(_seconds(row["age_seconds"]))
        lines.append(f"         {row['app']}, missing for {since}{what}")
        if row["is_proposed"]:
            lines.append(
                f"         If {row['app']} was destroyed, run: dokku-registryd forget"
                f" {row['app']}"
            )
    return lines


def _incomplete_lines(entry: dict[str, object]) -> list[str]:
    module = importlib.import_module("dokku_registryd.core.release.completeness")
    lacks = module.describe(entry["missing"], entry["lacking"])
    age = output.age(_seconds(entry["checked_age_seconds"]))
    said = f"its registry lacks {lacks} (checked {age} ago)"
    return [
        f"Lacking: {entry['reference']} cannot be pulled: {said}",
        f"         Send it again with: dokku-registryd push {entry['app']}",
    ]


def _service_line(facts: dict[str, object]) -> str:
    if facts["service"] == "stopped":
        return (
            "Service: stopped. Deploys push by themselves; missing images are not"
            " restored. Start it with: systemctl start dokku-registryd"
        )
    if facts["service"] == spool_peek.HOOK:
        return f"Service: stopped; the hook with pid {facts['pid']} runs the jobs."
    line = f"Service: running, pid {facts['pid']}"
    if facts["outdated"]:
        line += f"; it {facts['outdated']}: {builds.CURE}"
    return line


def _spool_line(facts: dict[str, object]) -> str:
    line = f"Spool:   {facts['data_dir']}/spool, {facts['trigger_files']} waiting"
    if facts["rejected_files"]:
        line += f", {facts['rejected_files']} rejected (see the .reason files)"
    return line


def _age(entry: dict[str, object]) -> str:
    return f"{output.age(_seconds(entry['age_seconds'])):>6} ago "


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _dicts(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
