"""`registryd:report`: our properties in Dokku's form, and what an app runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release import releases
from support.dokku_host import GLOBAL, DokkuHost, Result

Dokku = Callable[[str], Result]

FOO = """\
=====> foo registryd information
       Registryd computed heal:            on
       Registryd computed hold:            {0}
       Registryd computed keep releases:   0
       Registryd computed keep remote:     all
       Registryd computed mirror:          off
       Registryd computed push deadline:   15m
       Registryd computed push policy:     wait
       Registryd computed release records: off
       Registryd deployed digest:          {0}
       Registryd deployed pushed at:       {0}
       Registryd deployed reference:       {0}
       Registryd global heal:              {0}
       Registryd global keep releases:     {0}
       Registryd global keep remote:       {0}
       Registryd global mirror:            {0}
       Registryd global push deadline:     {0}
       Registryd global push policy:       {0}
       Registryd global release records:   {0}
       Registryd heal:                     {0}
       Registryd hold:                     {0}
       Registryd keep releases:            {0}
       Registryd keep remote:              {0}
       Registryd mirror:                   {0}
       Registryd push deadline:            {0}
       Registryd push lag seconds:         {0}
       Registryd push policy:              {0}
       Registryd release records:          {0}
""".format("")
EVERYWHERE_JSON = (
    '{"computed-follow":"off","computed-heal":"on","computed-keep-releases":"0",'
    '"computed-keep-remote":"all","computed-mirror":"off",'
    '"computed-push-deadline":"15m","computed-push-policy":"wait",'
    '"computed-release-records":"off",'
    '"global-follow":"","global-heal":"","global-keep-releases":"","global-keep-remote":"","global-mirror":"",'
    '"global-push-deadline":"","global-push-policy":"",'
    '"global-release-records":""}\n'
)
VALID_FLAGS = (
    " !     Invalid flag passed, valid flags: --registryd-computed-heal,"
    " --registryd-computed-hold, --registryd-computed-keep-releases,"
    " --registryd-computed-keep-remote, --registryd-computed-mirror,"
    " --registryd-computed-push-deadline,"
    " --registryd-computed-push-policy, --registryd-computed-release-records,"
    " --registryd-deployed-digest,"
    " --registryd-deployed-pushed-at, --registryd-deployed-reference,"
    " --registryd-global-heal, --registryd-global-keep-releases,"
    " --registryd-global-keep-remote, --registryd-global-mirror,"
    " --registryd-global-push-deadline, --registryd-global-push-policy,"
    " --registryd-global-release-records,"
    " --registryd-heal, --registryd-hold, --registryd-keep-releases,"
    " --registryd-keep-remote, --registryd-mirror,"
    " --registryd-push-deadline,"
    " --registryd-push-lag-seconds, --registryd-push-policy,"
    " --registryd-release-records\n"
)
DIGEST = f"sha256:{'a' * 64}"


def release(number: int, **changes: float | str) -> releases.Release:
    """Build a release of foo that the registry has."""
    facts: dict[str, object] = {
        "job_id": f"job-{number}",
        "app": "foo",
        "number": number,
        "image_id": "sha256:1",
        "server": "ghcr.io/",
        "image_repo": "org/foo",
        "scheduler": "docker-local",
        "state": releases.ReleaseState.PUSHED,
        "digest": DIGEST,
        "pushed_at": 1_700_000_000.0,
        **changes,
    }
    return releases.Release(**facts)  # type: ignore[arg-type]


@pytest.fixture
def book(host: DokkuHost) -> Callable[..., None]:
    """Give a way to put releases into the ledger."""

    def add(*added: releases.Release) -> None:
        open_ledger = ledger.SqliteLedger(host.data_dir / "ledger.sqlite3")
        for row in added:
            open_ledger.adopt(row)
        open_ledger.close()

    return add


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("foo", Result(FOO, "", 0)),
        ("", Result(FOO, "", 0)),
        ("--global --format json", Result(EVERYWHERE_JSON, "", 0)),
        ("foo --registryd-computed-push-deadline", Result("15m\n", "", 0)),
        ("foo --registry-server", Result("", VALID_FLAGS, 1)),
        ("nope", Result("", " !     App nope does not exist\n", 20)),
        (
            "foo --registryd-heal --registryd-push-policy",
            Result(
                "", " !     registryd:report command allows only a single flag\n", 1
            ),
        ),
    ],
)
def test_reports(dokku: Dokku, line: str, expected: Result) -> None:
    """Form, flags and refusals are those of `registry:report`."""
    assert dokku(f"registryd:report {line}") == expected


@pytest.mark.parametrize(
    ("name", "app", "everywhere", "computed"),
    [
        ("push-policy", None, "background", "background"),
        ("push-policy", "wait", "background", "wait"),
        ("push-policy", "never", None, "wait"),
        ("push-deadline", "7200", None, "2h"),
        ("push-deadline", "90s", "1d", "90s"),
        ("push-deadline", None, "24h", "1d"),
        ("heal", " off\n", "on", "off"),
        ("keep-releases", None, "3", "3"),
    ],
)
def test_computed_values(
    host: DokkuHost, name: str, app: str | None, everywhere: str | None, computed: str
) -> None:
    """The app's value wins, and what cannot be right does not count."""
    if app is not None:
        host.set_property("foo", name, app, plugin="registryd")
    if everywhere is not None:
        host.set_property(GLOBAL, name, everywhere, plugin="registryd")

    result = host.command("registryd:report", "foo", "--format", "json")

    report = json.loads(result.stdout)
    assert report[name] == (app or "")
    assert report[f"global-{name}"] == (everywhere or "")
    assert report[f"computed-{name}"] == computed


def test_settings(dokku: Dokku, tmp_path: Path) -> None:
    """Where no property is set, the settings hold."""
    (tmp_path / "config.toml").write_text(
        '[release]\npush_policy = "background"\npush_deadline_seconds = 2.5\n'
        "keep_releases = 4\n[heal]\nenabled = false\n"
    )

    report = json.loads(dokku("registryd:report --global --format json").stdout)

    assert (report["computed-push-policy"], report["computed-push-deadline"]) == (
        "background",
        "2.5s",
    )
    assert (report["computed-keep-releases"], report["computed-heal"]) == ("4", "off")


def test_names_that_are_kept(host: DokkuHost) -> None:
    """An app whose images Dokku keeps shows that, by property or by variable."""
    variable = {"DOKKU_SKIP_CLEANUP": "true"}
    line = ("registryd:report", "foo", "--registryd-computed-keep-releases")
    before = host.command(*line)
    by_variable = host.command(*line, environ=variable)
    host.set_property("foo", "skip-cleanup", "true", plugin="builder")
    by_property = host.command(*line)
    host.set_property("foo", "keep-releases", "0", plugin="registryd")

    assert (before.stdout, by_variable.stdout, by_property.stdout) == (
        "0\n",
        "all\n",
        "all\n",
    )
    assert host.command(*line, environ=variable).stdout == "0\n"


def test_settings_with_a_mistake(dokku: Dokku, tmp_path: Path) -> None:
    """Wrong settings are said; what needs none is still answered."""
    (tmp_path / "config.toml").write_text("[heal]\nenabled = 7\n")

    assert dokku("registryd:report foo").code == 1
    assert dokku("registryd:report foo --registryd-heal") == Result("\n", "", 0)


def test_a_pushed_release(
    host: DokkuHost, dokku: Dokku, book: Callable[..., None]
) -> None:
    """What the app runs is shown with its digest and the time of its arrival."""
    book(release(3, digest="sha256:old"), release(4))
    host.record_release("foo", server="ghcr.io/", image_repo="org/foo", number=4)

    report = json.loads(dokku("registryd:report foo --format json").stdout)

    assert report["deployed-reference"] == "ghcr.io/org/foo:4"
    assert report["deployed-digest"] == DIGEST
    assert report["deployed-pushed-at"] == "2023-11-14T22:13:20Z"
    assert report["push-lag-seconds"] == ""


def test_a_push_on_its_way(
    host: DokkuHost, dokku: Dokku, book: Callable[..., None]
) -> None:
    """A deploy that went on before its push shows for how long that has lagged."""
    waiting = releases.ReleaseState.RESERVED
    begun: dict[str, float | str] = {"state": waiting, "digest": "", "pushed_at": 0.0}
    book(
        release(4),
        release(5, created_at=time.time() - 100, **begun),
        release(6, created_at=time.time() - 10, **begun),
    )
    host.record_release("foo", server="ghcr.io/", image_repo="org/foo", number=6)

    report = json.loads(dokku("registryd:report foo --format json").stdout)

    assert report["deployed-reference"] == "ghcr.io/org/foo:6"
    assert (report["deployed-digest"], report["deployed-pushed-at"]) == ("", "")
    assert 100 <= int(report["push-lag-seconds"]) < 160


@pytest.mark.fresh_programs
def test_a_damaged_ledger(host: DokkuHost, dokku: Dokku) -> None:
    """A ledger that cannot be read is said, and the rest is reported."""
    (host.data_dir / "ledger.sqlite3").write_text("no database" * 1000)

    result = dokku("registryd:report foo")

    assert (result.stdout, result.code) == (FOO, 0)
    assert result.stderr.startswith(" !     the ledger ")
    assert result.stderr.count("\n") == 1
