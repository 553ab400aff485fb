"""`make torture` for a minute, and the proof that its verdict sees what it should."""

import base64
import collections
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import examples, seeding
from support.dokku_host import Result
from support.engines import KINDS, NEWEST_CLASSIC
from torture import deaths, faults, life, settling, side_by_side, verdict
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.program import implementers
from torture.tokens import TokenService

TESTS = Path(__file__).parents[1]
COLUMNS = 1 + len(KINDS) + 4  # of the published table
# A round of deaths and a life on each Engine, or on the newest one with each store.
TRIALS, ENGINES = 4, NEWEST_CLASSIC.name.partition("-")[0]
if examples.are_all_wanted():
    TRIALS, ENGINES = 2 * len(KINDS), ""


@pytest.mark.timeout(660)
@pytest.mark.long
def test_a_short_torture() -> None:
    """Deaths at steps that are drawn and lives full of faults cost nothing."""
    command = [sys.executable, "-m", "torture", "--seed", "suite8"]

    done = subprocess.run(
        [
            *command,
            *("--trials", str(TRIALS), "--deaths", "2", "--steps", "5"),
            *("--engine", ENGINES),
        ],
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
        # A tag that did not exist before cannot be restored, and is not a finding.
        ledger.execute("UPDATE tag_moves SET previous = 'sha256:before'")

    found = [text for _, text in verdict.violations(*peaceful)]

    assert any(text.endswith("is at 1, which failed") for text in found)
    assert any(":latest is at 1" in text for text in found)


def test_a_failure_in_peace(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A failed app releases again without faults, and must not fail then."""
    host, deeds = peaceful
    deeds.deploys[-1].result = Result("", "refused", 1)
    assert deeds.try_again()
    settling.settle(host, deeds)
    assert kinds(peaceful) == set()

    deeds.deploys[-1].result = Result("", "refused", 1)

    assert kinds(peaceful) == {"other"}


def test_every_fault_met_every_engine() -> None:
    """The published figures have trials of each fault and death on each Engine."""
    page = (TESTS.parent / "docs" / "reliability.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()]
    figures = collections.defaultdict[str, list[list[str]]](list)  # Of each table.
    for name, *row in rows:
        if len(row) == COLUMNS - 1:
            figures[name].append(row)

    names = {deaths.name_of(*role) for role in deaths.ROLES} | set(faults.FAULTS)

    assert names <= figures.keys()
    for name in names:
        columns = list(zip(*figures[name], strict=True))
        trials, costs = columns[: len(KINDS)], columns[len(KINDS) :]
        assert all(sum(map(int, times)) > 0 for times in trials), name
        assert {cost for column in costs for cost in column} == {"0"}, name


def test_tokens_are_good_for_what_was_asked() -> None:
    """A token reads or writes one repository, until it ends."""
    service = TokenService("ci", "secret")
    basic = f"Basic {base64.b64encode(b'ci:secret').decode()}"
    target = "/token?scope=repository:a/b:pull"
    token = f"Bearer {service.give(target, basic, '')['token']}"

    assert service.exchange(token, "GET", "/v2/a/b/manifests/1") == basic
    assert service.exchange(token, "PUT", "/v2/a/b/manifests/1") is None
    assert service.exchange(token, "GET", "/v2/a/c/manifests/1") is None
    assert service.exchange("Bearer other", "GET", "/v2/") is None
    service.forget()
    assert service.exchange(token, "GET", "/v2/a/b/manifests/1") is None


def test_tokens_need_a_login() -> None:
    """A wrong password gets nothing, in either form."""
    service = TokenService("ci", "secret")

    assert service.give("/token", "Basic eDp5", "") == {}
    assert service.give("/token", "", "username=ci&password=other") == {}
    assert "access_token" in service.give("/token", "", "username=ci&password=secret")


def test_an_engine_that_is_given_up() -> None:
    """A process that dies is reported; that is not a good end."""
    with (
        pytest.raises(side_by_side.DeadWorkerError, match="ended with 3"),
        side_by_side.working(_work, [0, 3]) as results,
    ):
        assert sorted(results) == [0, 3]


def _work(status: int) -> Iterator[int]:
    yield status
    if status:
        os._exit(status)


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
    """Lives that follow each other meet each fault as often as any other."""
    names = sorted(set(faults.FAULTS) - set(faults.ENCRYPTED) - set(faults.WITH_TOKENS))

    met = collections.Counter(
        name
        for number in range(1, len(names) + 1)
        for name in life.dealt(f"9/{number}", "any", names)
    )

    assert met.keys() == set(names)
    assert len(set(met.values())) == 1


def test_a_life_meets_the_same_faults_again() -> None:
    """A seed and a number name the same faults, other Engines get others."""
    names = sorted(faults.FAULTS)

    dealt = life.dealt("9/4", "one", names)

    assert dealt == life.dealt("9/4", "one", names)
    assert set(dealt) != set(life.dealt("9/4", "other", names))
    assert {*faults.ENCRYPTED, *faults.WITH_TOKENS} <= set(dealt)


def test_hosts_die_in_all_ways() -> None:
    """The process of each verb is killed at it, one after the other."""
    numbers = range(1, len(deaths.ROLES) + 1)
    died = {deaths.dealt(f"9/{number}", "any") for number in numbers}

    assert died == set(deaths.ROLES)
