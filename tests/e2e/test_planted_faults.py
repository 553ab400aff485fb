"""`doctor` and `health` on a host with one fault at a time, each with its way out."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import __version__
from planted import host, planting, plugin, properties, registry, service
from support import engines
from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

pytestmark = pytest.mark.together
_ROWS_OF_THE_TABLE = set(range(1, 51))

ROWS = planting.rows(host, plugin, properties, registry, service)


@pytest.fixture(scope="module")
def site(classic_engine: EngineServer) -> Iterator[Site]:
    """Give a host on which all is well: an app, its release, the service."""
    classic_engine.ensure()
    classic_engine.wipe()
    # Others may not look into the folders of tests, and some rows ask as another user.
    with tempfile.TemporaryDirectory(prefix="registryd-") as name:
        Path(name).chmod(0o755)
        server = RegistryServer(
            engines.find_program("native", "docker-registry"),
            Path(name) / "registry",
            auth="htpasswd",
            environment=engines.environment_for("native"),
        )
        with server, Site(Path(name) / "host", classic_engine, server) as made:
            _prepare(made)
            yield made


def _prepare(site: Site) -> None:
    site.service.configure(daemon__sweep_interval_seconds=1)
    site.service.start()
    site.make_app()
    site.ship()
    # Hooks call this one from here on; `test_doctor` has the real one.
    script = f"#!/bin/sh\necho dokku-registryd {__version__}\n"
    program = site.host.root / "program"
    program.write_text(script)
    program.chmod(0o755)
    text = site.host.defaults_file.read_text()
    lines = [line for line in text.splitlines() if "_BIN=" not in line]
    site.host.defaults_file.write_text(
        "\n".join([*lines, f"DOKKU_REGISTRYD_BIN={program}", ""])
    )
    site.host.defaults_file.chmod(0o644)
    site.service.config.chmod(0o644)


def diagnose(site: Site) -> list[dict[str, Any]]:
    """Return what `doctor` finds, apart from what is well."""
    done = site.service.run("doctor", "--format", "json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    failures = [finding for finding in found if finding["level"] == "fail"]
    assert done.returncode == bool(failures)
    return [finding for finding in found if finding["level"] != "ok"]


def is_ready(site: Site) -> bool:
    """Return whether the service is ready."""
    return site.service.run("health").returncode == 0


def test_the_table() -> None:
    """Every row of the table is planted here, and ten more."""
    numbers = {row.number for row in ROWS}

    assert numbers >= _ROWS_OF_THE_TABLE
    assert len(numbers - _ROWS_OF_THE_TABLE) >= 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.name}")
def test_a_planted_fault(site: Site, row: planting.Row) -> None:
    """The fault is named with its way out, and a service that cannot work says so."""
    until(lambda: is_ready(site), what="a host on which all is well")

    def says_it() -> bool:
        """Return whether `health` tells the same; its own look has a time limit."""
        health = site.service.run("health")
        is_told = (row.health or "") in f"{health.stdout}{health.stderr}"
        return is_told and bool(health.returncode) == bool(row.health)

    with row.plant(site):
        found = diagnose(site)
        if row.health is not None:
            until(says_it, what=f"the same in health: {row.health or 'ready'}")

    named = [
        finding
        for finding in found
        if (finding["level"], finding["check"]) == (row.level, row.check)
        and row.text in finding["text"]
        and row.cure in finding["text"]
    ]
    assert bool(named) == bool(row.level), found
    assert row.level or not found


def test_all_is_well_again(site: Site) -> None:
    """Nothing of all this is left, so that each row has met a healthy host."""
    until(lambda: is_ready(site), what="a service that is ready")

    assert diagnose(site) == []
