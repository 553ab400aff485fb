"""contrib/: what it ships for other programs is read by these programs."""

import csv
import io
import json
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from dokku_registryd.core.status import exposition, log_events, metric_families

ROOT: Final = Path(__file__).parents[2]
CONTRIB: Final = ROOT / "contrib"
PROMETHEUS: Final = CONTRIB / "prometheus"
RULES: Final = PROMETHEUS / "dokku-registryd.rules.yml"
RULE_TESTS: Final = PROMETHEUS / "dokku-registryd.rules.test.yml"
DASHBOARD: Final = json.loads(
    (CONTRIB / "grafana" / "dokku-registryd.json").read_text()
)
UNITS: Final = CONTRIB / "node_exporter"
LNAV: Final = CONTRIB / "lnav" / "dokku-registryd.json"
PANELS: Final = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES: Final = [target["expr"] for panel in PANELS for target in panel["targets"]]
ALERTS: Final = RULES.read_text().split("- alert: ")[1:]
_OURS: Final = re.compile(r"\b(dokku_registryd_[a-z_]+)(?:\{([^}]*)\})?")
_BY: Final = re.compile(r"\b(?:by|without) \(([a-z_, ]+)\)")
_SUFFIXES: Final = re.compile(r"_(?:bucket|sum|count)$")
# What Prometheus adds, and the label of a bucket.
_FOREIGN: Final = frozenset({"instance", "job", "le"})


def run(*argv: str, cwd: Path | None = None) -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def labels_of(name: str) -> set[str]:
    """Return the labels of a metric; fail if there is none of this name."""
    families = {family.name: family for family in metric_families.FAMILIES.values()}
    family = families.get(name) or families[_SUFFIXES.sub("", name)]
    return {*family.labels, *_FOREIGN}


@pytest.mark.parametrize("query", [*QUERIES, RULES.read_text()])
def test_metrics_and_labels_exist(query: str) -> None:
    """Each metric is exposed, with the labels that select and group it."""
    used = [
        (name, set(re.findall(r"([a-z_]+)[=!]", selectors)))
        for name, selectors in _OURS.findall(query)
    ]
    known = {label for name, _ in used for label in labels_of(name)}

    assert used or "process_" in query
    for name, selected in used:
        assert selected <= labels_of(name), name
    if used:
        for labels in _BY.findall(query):
            assert set(labels.split(", ")) <= known


def test_alerts_say_what_to_do() -> None:
    """Each alert has a severity, and a sentence for the operator."""
    for alert in ALERTS:
        assert re.search(r"labels: \{ severity: (critical|warning) \}", alert), alert
        assert re.search(r'summary: "[A-Z{].*"', alert), alert


def test_each_alert_is_tested() -> None:
    """Each alert has a test in which it fires, and is quiet on a healthy host."""
    quiet, *others = RULE_TESTS.read_text().split("  - name: ")[1:]

    for name in (alert.split()[0] for alert in ALERTS):
        assert f"alertname: {name}," in quiet
        assert any(
            re.search(rf"- alertname: {name}\n +eval_time: .*\n +exp_alerts", text)
            for text in others
        ), name


def test_rules() -> None:
    """Prometheus accepts the rules, and they fire when they should."""
    run("promtool", "check", "rules", str(RULES))
    run("promtool", "test", "rules", RULE_TESTS.name, cwd=PROMETHEUS)


def _series() -> list[dict[str, str]]:
    """Return an exposition with every metric, as series of a host for an hour."""
    facts = runpy.run_path(str(Path(__file__).parent / "core" / "test_exposition.py"))
    found = []
    for line in exposition.expose(facts["FULL"]).splitlines():
        if line.startswith("#"):
            continue
        name, _, value = line.rpartition(" ")
        bare, _, labels = name.rstrip("}").partition("{")
        told = ",".join(filter(None, ('instance="a",job="dokku-registryd"', labels)))
        is_level = not re.search(r"_(total|bucket|sum|count)$", bare)
        step = "0" if is_level else "1"
        found.append({"series": f"{bare}{{{told}}}", "values": f"{value}+{step}x60"})
    return found


def test_queries_of_the_dashboard(tmp_path: Path) -> None:
    """Prometheus answers each query with series, for an exposition of ours."""
    filled = [
        query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        for query in QUERIES
    ]
    checks = [
        {
            "expr": f"count({query}) > bool 0",
            "eval_time": "30m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for query in filled
    ]
    test = {"interval": "1m", "input_series": _series(), "promql_expr_test": checks}
    file = tmp_path / "queries.yml"
    # YAML is a superset of JSON.
    file.write_text(json.dumps({"rule_files": [], "tests": [test]}))

    run("promtool", "test", "rules", str(file))


def test_dashboard_shows_every_metric() -> None:
    """A new metric has a place in the dashboard, except facts of a process."""
    shown = {
        _SUFFIXES.sub("", name) for query in QUERIES for name, _ in _OURS.findall(query)
    }
    ours = {
        family.name
        for family in metric_families.FAMILIES.values()
        if not family.name.startswith("process_")
    }

    # Other metrics say the same, for each check and app.
    lacking = (
        ours
        - shown
        - {
            "dokku_registryd_engine_connected",
            "dokku_registryd_oldest_unpushed_release_age_seconds",
        }
    )
    assert lacking == set(), "no panel of contrib/grafana shows these metrics"


def test_panels_do_not_overlap() -> None:
    """Each cell of the dashboard has one panel, and each panel an ID of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells

    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(
        DASHBOARD["panels"]
    )


def test_textfile_units(tmp_path: Path) -> None:
    """Systemd reads the service and the timer without a remark."""
    for unit in UNITS.iterdir():
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("man:dokku-registryd(8)", "man:sh(1)"))
    words = ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no")
    done = subprocess.run(
        [*words, *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)


def test_textfile_command(tmp_path: Path) -> None:
    """The service replaces the file as a whole, and only if there are metrics."""
    text = (UNITS / "dokku-registryd-metrics.service").read_text()
    command = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", text, re.MULTILINE)[0]
    program = tmp_path / "bin" / "dokku-registryd"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1 $STATE"\nexit "$STATE"\n')
    program.chmod(0o755)
    path = f"{program.parent}:/usr/bin:/bin"

    def write(state: int) -> int:
        environ = {"PATH": path, "STATE": str(state)}
        argv = ["/bin/sh", "-c", command]
        return subprocess.run(argv, cwd=tmp_path, env=environ, check=False).returncode

    assert write(0) == 0
    assert write(1) == 1
    assert (tmp_path / "registryd.prom").read_text() == "metrics 0\n"


LINES: Final[list[dict[str, Any]]] = [
    {
        "event": "job.finished",
        "level": "info",
        "timestamp": "2026-11-29T10:00:00.123456Z",
        "job_id": "1764155554250000.17.1",
        "intent": "release",
        "app": "web",
        "reference": "ghcr.io/org/web:41",
        "outcome": "done",
        "attempts": 1,
        "took_seconds": 2.5,
    },
    {
        "event": "job.finished",
        "level": "error",
        "timestamp": "2026-11-29T10:00:01.000001Z",
        "job_id": "1764155554250000.17.2",
        "intent": "release",
        "app": "shop",
        "outcome": "failed",
        "error": "the registry refuses the login",
    },
    {
        "event": "daemon.failed",
        "level": "critical",
        "timestamp": "2026-11-29T10:00:02.000001Z",
        "error": "gone",
    },
]


def look(tmp_path: Path, *commands: str) -> str:
    """Return what lnav prints of a log, with our format."""
    formats = tmp_path / "config" / "formats" / "registryd"
    formats.mkdir(parents=True)
    (formats / LNAV.name).write_text(LNAV.read_text())
    log = tmp_path / "registryd.log"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    argv = ["lnav", "-n", "-I", str(formats.parents[1])]
    for command in commands:
        argv += ["-c", command]
    return run(*argv, str(log))


def test_lnav_reads_fields(tmp_path: Path) -> None:
    """Lnav has level, event, app and outcome of each line as columns."""
    shown = look(
        tmp_path,
        ";SELECT log_level, event, ifnull(app, '-') AS app, ifnull(outcome, '-')"
        " AS outcome, ifnull(took_seconds, '-') AS seconds FROM dokku_registryd",
        ":write-csv-to -",
    )

    rows = [*csv.reader(io.StringIO(shown))]
    assert rows[:4] == [
        ["log_level", "event", "app", "outcome", "seconds"],
        ["info", "job.finished", "web", "done", "2.5"],
        ["error", "job.finished", "shop", "failed", "-"],
        ["critical", "daemon.failed", "-", "-", "-"],
    ]


def test_lnav_shows_lines(tmp_path: Path) -> None:
    """Lnav shows time, level and event first, then what happened to which app."""
    shown = look(tmp_path)

    assert re.search(
        r"10:00:00 INFO +job\.finished +web ghcr\.io/org/web:41 done", shown
    )
    assert re.search(r"10:00:01 ERROR +job\.finished +shop +failed the regis", shown)


def test_lnav_knows_fields() -> None:
    """Each field of the format is one that a log line may have."""
    fields = set(json.loads(LNAV.read_text())["dokku_registryd"]["value"])
    promised = {name for event in log_events.EVENTS.values() for name in event.fields}

    assert fields - {"event", "level", "timestamp", "exception"} <= (
        promised | set(log_events.CONTEXT)
    )
