"""`status`: whether all is well, and the running, pending and recent jobs."""

import importlib
import time

from dokku_registryd.core.dokku import absence_text
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.install import builds
from dokku_registryd.core.status import (
    service_states,
    status_page,
    unchecked,
    verdicts,
)
from dokku_registryd.verbs import closed_folder, data_folder, identity, output
from dokku_registryd.verbs.service import (
    follow_lines,
    job_facts,
    job_lines,
    service_view,
    status_facts,
)

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    import argparse
    from typing import Any

_FAILED = 1
_NOT_PERMITTED = 77  # as `cli` exits with for a closed folder
_WATCH_SECONDS = 2.0
_HIDDEN = "not visible to this user: jobs and releases"
_REFUSED, _EXPIRES = "login_refused", "login_expires"  # as core.notify.troubles


def perform(arguments: "argparse.Namespace", out: output.Output) -> int:
    """Print the state of the service and of its jobs.

    Returns:
        0; 1 if the ledger cannot be read; 77 if this user may not look.
    """
    data_dir = data_folder.locate(arguments)
    complaint = identity.become_owner(data_dir, arguments.environ)
    if complaint:
        out.error(complaint)
    if not arguments.watch:
        return _show(data_dir, arguments, out)
    # As a switch of Dokku's command it has no number.
    seconds = arguments.watch if arguments.watch is not True else _WATCH_SECONDS
    return _watch(data_dir, arguments, out, seconds)


def _watch(
    data_dir: str, arguments: "argparse.Namespace", out: output.Output, seconds: float
) -> int:
    """Show the state again and again, until Ctrl-C."""
    is_in_place = arguments.format == "text" and bool(output.columns())
    lines: list[str] = []
    page = output.Output(line=lines.append, error=lines.append)
    try:
        while True:
            status = _show(data_dir, arguments, page if is_in_place else out)
            if is_in_place:
                out.screen(lines)
                lines.clear()
            if status == _NOT_PERMITTED:
                return status
            if arguments.format == "text" and not is_in_place:
                out.line("")
            time.sleep(seconds)
    except KeyboardInterrupt:
        return 0


def _show(data_dir: str, arguments: "argparse.Namespace", out: output.Output) -> int:
    view = service_view.look(
        data_dir, arguments.environ, status_page.PATH, root=arguments.root
    )
    if view.is_closed:
        return _show_closed(data_dir, arguments, out, view)
    facts = status_facts.collect(data_dir, view)
    if arguments.format == "json":
        out.json(facts)
    else:
        for line in _as_text(facts, view, output.columns()):
            out.line(line)
    if not facts["ledger_error"]:
        return 0
    out.error(str(facts["ledger_error"]))
    return _FAILED


def _show_closed(
    data_dir: str,
    arguments: "argparse.Namespace",
    out: output.Output,
    view: service_view.View,
) -> int:
    """Show what the service and systemd say: this user may not see the jobs."""
    complaint = closed_folder.why_closed(data_dir)
    facts = status_facts.closed(data_dir, view)
    if arguments.format == "json":
        out.json(facts)
    else:
        out.line(_health_line(facts, {}, hidden=_HIDDEN))
        out.line(_service_line(facts))
    out.error(complaint)
    return _NOT_PERMITTED


def _as_text(
    facts: dict[str, object], view: service_view.View, columns: int
) -> list[str]:
    counts = _counts(facts)
    # While it runs, its only cure is about the next boot.
    counts["boot"] = bool(view.state.is_running and view.state.cure)
    lines = [
        _health_line(facts, counts),
        _service_line(facts),
        *_installed_lines(facts),
        *_images_lines(facts["images"]),
        *_login_lines(_dicts(facts["logins"])),
        _spool_line(facts),
    ]
    for entry in _dicts(facts["silent"]):
        age = output.age(_seconds(entry["age_seconds"]))
        lines.append(
            f"Silent:  {entry['domain']} has not answered for {age}: {entry['reason']}"
        )
    for entry in _dicts(facts["paused"]):
        left = output.age(_seconds(entry["seconds"]))
        lines.append(
            f"Paused:  {entry['domain']} for another {left} ({entry['direction']} with"
            f" {entry['login']}), refused {entry['failures']} times: {entry['reason']}"
        )
    is_stopped = view.state.name in service_states.WITHOUT
    lines += _way_lines(facts["push_way"], is_stopped=is_stopped)
    lines += _missing_lines(facts["missing"])
    for entry in _dicts(facts["incomplete"]):
        lines += _incomplete_lines(entry)
    lines += _mirror_lines(facts["mirror"])
    lines += follow_lines.lines(facts["follow"])
    return lines + job_lines.lines(facts, columns=columns)


def _counts(facts: dict[str, object]) -> dict[str, float]:
    """Return how much of each kind may need the operator."""
    images, missing = facts["images"], facts["missing"]
    counts: dict[str, float] = {
        "failed": len(_dicts(facts["failed"])),
        "refused": len(_of_kind(facts, _REFUSED)),
        "expiring": len(_of_kind(facts, _EXPIRES)),
        "incomplete": len(_dicts(facts["incomplete"])),
        "apps": len(_dicts(missing["apps"])) if isinstance(missing, dict) else 0,
        "retried": sum(bool(job["last_error"]) for job in _dicts(facts["unfinished"])),
        "silent": len(_dicts(facts["silent"])),
        "paused": len({entry["domain"] for entry in _dicts(facts["paused"])}),
        "rejected": _seconds(facts["rejected_files"]),
        "outdated": bool(facts["outdated"]),
    }
    if isinstance(images, dict):
        counts |= {name: _seconds(images[name]) for name in ("lost", "missing")}
    return counts


def _health_line(
    facts: dict[str, object], counts: dict[str, float], *, hidden: str = ""
) -> str:
    """Return the first line; `hidden` says what this user cannot see."""
    health: Any = facts["health"]
    said = verdicts.verdict(
        is_ready=health["is_ready"],
        reasons=health["reasons"],
        worries=verdicts.concerns(counts),
        unseen=hidden or unchecked.tell(_unchecked(facts)),
    )
    return f"Health:  {said}"


def _unchecked(facts: dict[str, object]) -> list[tuple[str, str]]:
    entries = _dicts(facts["unchecked"])
    return [(str(entry["what"]), str(entry["why"])) for entry in entries]


def _installed_lines(facts: dict[str, object]) -> list[str]:
    mode = f", {facts['mode']} mode" if facts["mode"] else ""
    lines = [f"Version: {facts['version']}{mode}"]
    engine = facts["engine"]
    if isinstance(engine, dict):
        lines.append(
            f"Engine:  Docker Engine {engine['version']}, {engine['image_store']} image"
            " store"
        )
    return lines


def _images_lines(images: object) -> list[str]:
    if not isinstance(images, dict):
        return ["Images:  unknown until a running service has looked at them"]
    lost = f", {images['lost']} lost" if images["lost"] else ""
    age = output.age(_seconds(images["swept_age_seconds"]))
    lines = [
        (
            f"Images:  {_many(images['apps'], 'app')},"
            f" {_many(images['wanted'], 'name')} wanted,"
            f" {images['missing']} missing{lost}; last sweep {age} ago"
        )
    ]
    if images["freeable"]:
        lines.append(
            f"         {_many(images['freeable'], 'superseded image')} could be freed"
            " if the disk runs full (disk.high_percent)"
        )
    if images["missing"] or images["lost"]:
        lines.append("         See which: dokku-registryd heal --dry-run")
    return lines


def _login_lines(logins: list[dict[str, object]]) -> list[str]:
    if not logins:
        return []
    module = importlib.import_module("dokku_registryd.verbs.service.login_lines")
    lines: list[str] = module.lines(logins)
    return lines


def _of_kind(facts: dict[str, object], kind: str) -> list[dict[str, object]]:
    return [entry for entry in _dicts(facts["logins"]) if entry["kind"] == kind]


def _many(count: object, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _way_lines(way: object, *, is_stopped: bool) -> list[str]:
    if not isinstance(way, dict) or way["way"] is None:
        return []
    tell = push_ways.describe_last if is_stopped else push_ways.describe
    return [f"Pushes:  {tell(way['reason'])}"]


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
    age = output.age(_seconds(entry["checked_age_seconds"]))
    standing = module.standing_of(entry["lacking"], entry["number"])
    told = module.tell(standing, entry["missing"], entry["lacking"])
    push = "dokku-registryd push"
    cure = module.cure(standing, entry["app"], is_here=entry["is_here"], push=push)
    return [
        f"Lacking: {entry['reference']} {told} (checked {age} ago)",
        f"         {cure}",
    ]


def _mirror_lines(mirror: object) -> list[str]:
    if not isinstance(mirror, dict) or not mirror["releases"]:
        return []
    age = output.age(_seconds(mirror["oldest_age_seconds"]))
    reason = f": {mirror['reason']}" if mirror["reason"] else ""
    return [f"Mirror:  {_many(mirror['apps'], 'app')} behind, oldest {age}{reason}"]


def _service_line(facts: dict[str, object]) -> str:
    state = facts["state"]
    line = f"Service: {state['text'] if isinstance(state, dict) else ''}"
    if facts.get("outdated"):
        line += f"; it {facts['outdated']}: {builds.CURE}"
    return line


def _spool_line(facts: dict[str, object]) -> str:
    line = f"Spool:   {facts['data_dir']}/spool, {facts['trigger_files']} waiting"
    if facts["rejected_files"]:
        line += f", {facts['rejected_files']} rejected (see the .reason files)"
    if facts["free_bytes"] is not None:
        line += f"; {output.size(_seconds(facts['free_bytes']))} of disk are free"
    return line


def _seconds(value: object) -> float:
    return job_facts.seconds(value)


def _dicts(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
