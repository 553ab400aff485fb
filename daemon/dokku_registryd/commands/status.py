"""`status`: is the service up, what waits, and what lags behind."""

import argparse
import time
from pathlib import Path

from dokku_registryd.adapters import spool
from dokku_registryd.commands import data_folder, identity, scene
from dokku_registryd.commands.output import Output
from dokku_registryd.core import jobs, pauses

_RECENT = 5


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the state of the service and of the jobs that are not done."""
    data_dir = data_folder.find(arguments)
    identity.become_owner(data_dir, arguments.environ)
    facts = _facts(data_dir)
    if arguments.format == "json":
        out.json(facts)
        return 0
    for line in _as_text(facts):
        out.line(line)
    return 0


def _facts(data_dir: Path) -> dict[str, object]:
    holder = spool.SpoolLock(data_dir).holder()
    files = spool.Spool(data_dir)
    book = scene.open_ledger(data_dir / "ledger.sqlite3")
    paused = book.paused_registries() if book else []
    unfinished = book.unfinished_jobs() if book else []
    recent = book.finished_jobs(limit=_RECENT) if book else []
    if book:
        book.close()
    now = time.time()
    return {
        "service": holder[0] if holder else "stopped",
        "pid": holder[1] if holder else None,
        "data_dir": str(data_dir),
        "trigger_files": files.pending(),
        "rejected_files": files.rejected(),
        "paused": [_paused(pause, now) for pause in paused if pause.remaining(now)],
        "unfinished": [_unfinished(record, now) for record in unfinished],
        "recent": [_finished(record, now) for record in recent],
    }


def _paused(pause: pauses.Pause, now: float) -> dict[str, object]:
    return {
        "domain": pause.domain,
        "seconds": round(pause.remaining(now), 1),
        "failures": pause.failures,
        "reason": pause.reason,
    }


def _unfinished(record: jobs.JobRecord, now: float) -> dict[str, object]:
    return {
        "job_id": record.job.job_id,
        "intent": record.job.kind.value,
        "app": record.job.app,
        "attempts": record.job.attempts,
        "age_seconds": round(now - record.job.accepted_at, 1),
        "retry_in_seconds": max(0.0, round(record.retry_at - now, 1)),
        "last_error": record.last_error,
    }


def _finished(record: jobs.JobRecord, now: float) -> dict[str, object]:
    outcome = record.outcome
    return {
        "job_id": record.job.job_id,
        "intent": record.job.kind.value,
        "app": record.job.app,
        "outcome": outcome.ending.value if outcome else "",
        "reference": outcome.reference if outcome else "",
        "detail": (outcome.error or outcome.detail) if outcome else "",
        "age_seconds": round(now - record.finished_at, 1),
    }


def _as_text(facts: dict[str, object]) -> list[str]:
    lines = [_service_line(facts), _spool_line(facts)]
    unfinished, recent = _dicts(facts["unfinished"]), _dicts(facts["recent"])
    for entry in _dicts(facts["paused"]):
        left = scene.age(_seconds(entry["seconds"]))
        lines.append(
            f"Paused:  {entry['domain']} for {left} more, refused"
            f" {entry['failures']} times: {entry['reason']}"
        )
    lines.append("")
    lines.append("Not done yet:" if unfinished else "Nothing waits.")
    for entry in unfinished:
        lines.append(f"  {_age(entry)} {entry['intent']} {entry['app']}")
        if entry["last_error"]:
            lines.append(
                f"      attempt {entry['attempts']}: {entry['last_error']}"
                f" (again in {scene.age(_seconds(entry['retry_in_seconds']))})"
            )
    if recent:
        lines.append("")
        lines.append("Done last:")
    for entry in recent:
        what = entry["reference"] or entry["app"]
        detail = f" ({entry['detail']})" if entry["detail"] else ""
        lines.append(
            f"  {_age(entry)} {entry['intent']} {what}: {entry['outcome']}{detail}"
        )
    return lines


def _service_line(facts: dict[str, object]) -> str:
    if facts["service"] == "stopped":
        return (
            "Service: stopped. Releases are pushed by the deploy itself; nothing heals."
            " Start it with: systemctl start dokku-registryd"
        )
    if facts["service"] == spool.HOOK:
        return f"Service: stopped; the hook with pid {facts['pid']} works the spool."
    return f"Service: running, pid {facts['pid']}"


def _spool_line(facts: dict[str, object]) -> str:
    line = f"Spool:   {facts['data_dir']}/spool, {facts['trigger_files']} waiting"
    if facts["rejected_files"]:
        line += f", {facts['rejected_files']} rejected (each has a .reason beside it)"
    return line


def _age(entry: dict[str, object]) -> str:
    return f"{scene.age(_seconds(entry['age_seconds'])):>6} ago "


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _dicts(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
