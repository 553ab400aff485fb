"""The jobs of `status` as lines: failed releases, what is pending, what was recent."""

from dokku_registryd.core.job import ways_out
from dokku_registryd.core.text import terminal_text
from dokku_registryd.verbs import output
from dokku_registryd.verbs.service import job_facts

_MOST_FAILED = 20
_HISTORY = "dokku-registryd history"


def lines(facts: dict[str, object], *, columns: int) -> list[str]:
    """Return the end of the page.

    Args:
        facts: As in the JSON of `status`.
        columns: The width of the terminal, to which reasons are cut; 0 for none.
    """
    return [
        *_failed(_dicts(facts["failed"]), columns),
        *_pending(_dicts(facts["unfinished"])),
        *_recent(_dicts(facts["recent"]), columns),
    ]


def _failed(failed: list[dict[str, object]], columns: int) -> list[str]:
    if not failed:
        return []
    found, cut = ["", "Failed:"], []
    for entry in failed[:_MOST_FAILED]:
        what = entry["reference"] or entry["app"]
        line = job_facts.line(entry, f"{what}: {entry['reason']}")
        shown = terminal_text.cut(line, columns)
        cut += [entry["app"]] if shown != line else []
        found += [shown, f"      When that is corrected, {_cure(entry)}"]
    if failed[_MOST_FAILED:]:
        left = len(failed) - _MOST_FAILED
        found.append(f"      {left} more: {_HISTORY} --failed")
    return found + _in_full(cut, " --failed")


def _pending(unfinished: list[dict[str, object]]) -> list[str]:
    found = ["", "Pending:" if unfinished else "No pending jobs."]
    for entry in unfinished:
        found.append(job_facts.line(entry, f"{entry['intent']} {entry['app']}"))
        if entry["last_error"]:
            retry = output.age(job_facts.seconds(entry["retry_in_seconds"]))
            found.append(
                f"      attempt {entry['attempts']}: {entry['last_error']}"
                f" (retry in {retry}{_now(entry)})"
            )
    return found


def _recent(recent: list[dict[str, object]], columns: int) -> list[str]:
    if not recent:
        return []
    found, cut = ["", "Recent:"], []
    for entry in recent:
        what = entry["reference"] or entry["app"]
        detail = f" ({entry['detail']})" if entry["detail"] else ""
        text = f"{entry['intent']} {what}: {entry['outcome']}{detail}"
        line = job_facts.line(entry, text)
        shown = terminal_text.cut(line, columns)
        cut += [entry["app"]] if shown != line else []
        found.append(shown)
    return found + _in_full(cut)


def _in_full(apps: list[object], option: str = "") -> list[str]:
    """Return how to see the lines of some apps that were cut."""
    if not apps:
        return []
    (first, *others) = dict.fromkeys(apps)
    app = f" {first}" if first and not others else ""
    return [f"      In full: {_HISTORY}{app}{option}"]


def _now(entry: dict[str, object]) -> str:
    """Return how to try a waiting job at once; empty if nothing hastens it."""
    verb = {"release": "push", "push": "push", "heal": "heal"}.get(str(entry["intent"]))
    return f"; to try now: dokku-registryd {verb} {entry['app']}" if verb else ""


def _cure(entry: dict[str, object]) -> str:
    """Return what brings a failed release back, without a full stop."""
    app = str(entry["app"])
    if entry["is_deployed"]:
        return ways_out.push_again(app)
    return ways_out.release_again(app, str(entry["source"]))


def _dicts(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
