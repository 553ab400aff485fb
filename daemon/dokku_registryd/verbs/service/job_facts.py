"""Rows of the ledger's jobs, for `status` and `history`: as JSON and as lines."""

from dokku_registryd.verbs import output

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this
if TYPE_CHECKING:
    from typing import Any


def unfinished(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a job without an outcome."""
    return {
        "job_id": row["job_id"],
        "intent": row["kind"],
        "app": row["app"],
        "attempts": row["attempts"],
        "age_seconds": elapsed(row["accepted_at"], now),
        "retry_in_seconds": max(0.0, round(row["retry_at"] - now, 1)),
        "last_error": row["last_error"],
    }


def finished(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a job with an outcome."""
    return {
        "job_id": row["job_id"],
        "intent": row["kind"],
        "app": row["app"],
        "outcome": row["ending"],
        "reference": row["reference"],
        "detail": row["error"] or row["detail"],
        "age_seconds": elapsed(row["finished_at"], now),
    }


def failed(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a failed release; `is_deployed` says whether its deploy had continued."""
    return {
        "job_id": row["job_id"],
        "app": row["app"],
        "reference": row["reference"] or row["wanted"] or "",
        "reason": row["error"],
        "is_deployed": bool(row["is_accepted"]),
        "source": row["source"],
        "age_seconds": elapsed(row["finished_at"], now),
    }


def past(row: "dict[str, Any]", now: float) -> dict[str, object]:
    """Return a job with an outcome, with its times and attempts."""
    return {
        **finished(row, now),
        "reference": row["reference"] or row["wanted"] or "",
        "attempts": row["attempts"],
        "accepted_at": row["accepted_at"],
        "finished_at": row["finished_at"],
        "took_seconds": elapsed(row["accepted_at"], row["finished_at"]),
    }


def elapsed(since: float, now: float) -> float:
    """Return the seconds since then; 0 if the clock was set back."""
    return max(0.0, round(now - since, 1))


def line(entry: dict[str, object], text: str) -> str:
    """Return the line of a job, with its age in a column."""
    return f"  {output.age(seconds(entry['age_seconds'])):>6} ago  {text}"


def seconds(value: object) -> float:
    """Return a number of seconds among the facts."""
    return float(value) if isinstance(value, int | float) else 0.0
