"""`make torture` for a minute, and the proof that its verdict sees what it should."""

import contextlib
import itertools
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import seeding
from support.dokku_host import Result
from support.engines import EngineServer
from support.registries import RegistryServer
from torture import faults, life, settling, verdict
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.program import implementers

TESTS = Path(__file__).parents[1]
TRIALS = 8  # a round of deaths and a life on each Engine


@pytest.mark.timeout(660)
def test_a_short_torture() -> None:
    """Deaths at steps that are drawn and lives full of faults cost nothing."""
    command = [sys.executable, "-m", "torture", "--seed", "suite8"]

    done = subprocess.run(
        [*command, "--trials", str(TRIALS), "--deaths", "2", "--steps", "5"],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| death at")]
    assert rows
    assert all(row.endswith("| 0 | 0 | 0 | 0 |") for row in rows)


def test_every_port_is_watched() -> None:
    """Each protocol of the ports has a class whose calls count as steps."""
    names = {protocol.__name__ for protocol, _ in implementers()}

    assert {"Engine", "Registry", "Ledger", "Properties", "Replies"} <= names


@pytest.fixture
def peaceful(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[tuple[TortureHost, Deeds]]:
    """Give a host on which one app was released in peace."""
    with TortureHost(tmp_path / "life", one_engine, own_registry) as host:
        deeds = Deeds(host, random.Random(1), lambda _step: None)  # noqa: S311 - repeatable
        deeds.create()
        deeds.deploy()
        settling.settle(host, deeds)
        yield host, deeds


def kinds(peaceful: tuple[TortureHost, Deeds]) -> set[str]:
    """Return the kinds of violations that are found."""
    return {kind for kind, _ in verdict.violations(*peaceful)}


def test_peace(peaceful: tuple[TortureHost, Deeds]) -> None:
    """Where nothing happened nothing is found."""
    assert verdict.violations(*peaceful) == []


def test_an_overwritten_number(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A number that got another image is found, and so is the image that it had."""
    host, deeds = peaceful
    path = f"dokku/{deeds.apps[0].name}"
    tag = next(put.tag for put in host.proxy.puts if put.tag.isdigit())

    behind, host.registry._port = host.registry._port, int(host.proxy.host[10:])
    seeding.push(host.registry, path, tag, "another image")
    host.registry._port = behind

    assert {"overwritten", "lost"} <= kinds(peaceful)


def test_a_job_that_ended_twice(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A job with two ends in the log is found."""
    host, _ = peaceful
    line = next(line for line in host.log_lines() if '"job.finished"' in line)

    with host.site.service.log_file.open("a") as log:
        log.write(f"{line}\n")

    assert kinds(peaceful) == {"duplicated"}


def test_a_trigger_without_an_end(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A trigger file that became no job is found."""
    _, deeds = peaceful
    deeds.triggers.append("1.1.1")

    assert kinds(peaceful) == {"lost"}


def test_a_counter_of_nothing(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A counter that no registry has is found."""
    host, deeds = peaceful
    host.site.host.set_property(deeds.apps[0].name, "tag-version", "77")

    assert kinds(peaceful) == {"other"}


def test_a_deployed_release_that_failed(peaceful: tuple[TortureHost, Deeds]) -> None:
    """An app that is at a release that failed is found, as are its moving tags."""
    host, _ = peaceful
    host.site.service.stop()
    path = host.site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE releases SET state = 'failed'")

    found = [text for _, text in verdict.violations(*peaceful)]

    assert any(text.endswith("is at 1, which failed") for text in found)
    assert any(":latest is at 1" in text for text in found)


def test_a_failure_in_peace(peaceful: tuple[TortureHost, Deeds]) -> None:
    """Whoever failed releases again in peace, and must not fail then."""
    host, deeds = peaceful
    deeds.deploys[-1].result = Result("", "refused", 1)
    assert deeds.try_again()
    settling.settle(host, deeds)
    assert kinds(peaceful) == set()

    deeds.deploys[-1].result = Result("", "refused", 1)

    assert kinds(peaceful) == {"other"}


def test_every_fault_is_listed() -> None:
    """The page on reliability has a row for each kind of fault."""
    page = (TESTS.parent / "docs" / "reliability.md").read_text().lower()

    words = {word for name in faults.FAULTS for word in name.lower().split()}

    assert {word for word in words if word.strip(",()") not in page} == set()


def test_a_secret_in_a_file(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A password in any file of the host is found."""
    host, _ = peaceful
    (host.site.host.data_dir / "replies" / "1.1.1").write_text(host.secret)

    assert kinds(peaceful) == {"other"}


def test_a_secret_in_an_argument(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A password in the arguments of a process is found while it runs."""
    host, _ = peaceful
    argument = f"{host.root} {host.secret}"

    script = ["sh", "-c", "read -r line", argument]
    with subprocess.Popen(script, stdin=subprocess.PIPE) as process:
        host.wait(1)
        process.communicate(b"\n")

    assert kinds(peaceful) == {"other"}


def test_few_lives_meet_every_fault() -> None:
    """Lives that follow each other meet each fault about as often as any other."""
    names = sorted(set(faults.FAULTS) - set(faults.ENCRYPTED))

    met = Counter(
        name
        for number in range(1, len(names) + 1)
        for name in itertools.islice(life.dealt(f"9/{number}", "any", names), 6)
    )

    assert set(met.values()) == {6}


def test_a_life_meets_the_same_faults_again() -> None:
    """A seed and a number name the same faults, other Engines get others."""
    names = sorted(faults.FAULTS)

    def deal(engine: str) -> list[str]:
        return list(itertools.islice(life.dealt("9/4", engine, names), 12))

    assert deal("one") == deal("one") != deal("other")
    assert set(faults.ENCRYPTED) <= set(deal("one"))
