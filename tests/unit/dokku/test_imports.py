"""People and scripts wait for a report, so it loads little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd import cli
from support.dokku_host import DokkuHost

# What a report does without, since each takes a large part of Python's own start.
SPARED = {"argparse", "dataclasses", "enum", "inspect", "pathlib", "re", "typing"}
HEAVY = {
    "asyncio",
    "docker",
    "json",
    "logging",
    "pydantic",
    "pydantic_settings",
    "requests",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "tempfile",
    "tenacity",
    "threading",
    "urllib3",
    "watchdog",
}
TEMPLATES = "dokku_registryd.core.gotemplate"


def modules(host: DokkuHost, *argv: str) -> set[str]:
    """Return what is loaded when a command has been answered."""
    # As installed; this host may have other settings.
    file = host.root / "config.toml"
    file.write_text("# [paths]\n")
    data_dir = host.root / "data"
    data_dir.mkdir(exist_ok=True)
    code = (
        "import sys; from dokku_registryd import cli\n"
        "assert cli.main(sys.argv[1:]) == 0\nprint(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *argv],
        env={
            **os.environ,
            **host.environ,
            "DOKKU_REGISTRYD_CONFIG": str(file),
            "DOKKU_REGISTRYD_PATHS__DATA_DIR": str(data_dir),
            "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["text", "json"])
def test_a_report_imports_nothing_heavy(host: DokkuHost, options: list[str]) -> None:
    """Neither libraries nor the template language are loaded without need."""
    loaded = modules(host, "registry:report", "foo", *options)

    assert "dokku_registryd.verbs.dokku.registry_report" in loaded
    assert loaded & (HEAVY | SPARED) == set()
    assert TEMPLATES not in loaded
    assert len(loaded) < 72


def test_a_report_of_all_apps_imports_no_more(host: DokkuHost) -> None:
    """What one app needs is enough for all, with a plugin that sees all triggers."""
    events = host.plugins / "enabled" / "20_events"
    events.mkdir(parents=True)
    (events / "user-auth-app").touch()

    assert modules(host, "registry:report") == modules(host, "registry:report", "foo")


def test_templates_are_loaded_where_one_is_set(host: DokkuHost) -> None:
    """The template language comes with the first template, and still nothing heavy."""
    host.set_property("foo", "image-repo-template", "x/{{ .AppName }}")

    loaded = modules(host, "registry:report", "foo")

    assert TEMPLATES in loaded
    assert HEAVY.isdisjoint(loaded)


@pytest.mark.parametrize("name", ["registry", "registryd"])
def test_setting_a_property_imports_nothing_heavy(host: DokkuHost, name: str) -> None:
    """To set a property takes no library either."""
    value = {"registry": "push-on-release true", "registryd": "heal off"}[name]

    loaded = modules(host, f"{name}:set", "foo", *value.split())

    assert HEAVY.isdisjoint(loaded)
    assert TEMPLATES not in loaded
    assert len(loaded) <= 125  # Python 3.13 needs a few more


def test_the_status_imports_nothing_heavy(host: DokkuHost) -> None:
    """People and monitors ask for the status by Dokku's command too."""
    loaded = modules(host, "registryd:status")

    assert "dokku_registryd.verbs.service.status" in loaded
    assert loaded & ((HEAVY | SPARED) - {"json", "sqlite3"}) == set()


def test_the_history_imports_nothing_heavy(host: DokkuHost) -> None:
    """The same holds for what was done."""
    loaded = modules(host, "registryd:history")

    assert "dokku_registryd.verbs.service.history" in loaded
    assert loaded & ((HEAVY | SPARED) - {"json", "sqlite3"}) == set()
