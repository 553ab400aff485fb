"""Releases of apps whose scheduler runs nothing on this host."""

import pytest

from dokku_registryd.core.dokku import policy
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import heal, release, sweep
from worlds import REPOSITORY, Host


def deploy(host: Host, number: int, scheduler: str) -> outcomes.Outcome | None:
    """Build and release a new image."""
    host.engine.add_image("dokku/web:latest", str(number).encode())
    job = host.add_job(Kind.RELEASE, f"{number}.1.1", scheduler=scheduler)
    return host.perform(release.perform, job)


@pytest.mark.parametrize("scheduler", ["k3s", "nomad", "null", "own-scheduler"])
def test_the_push_is_confirmed_before_the_hook_returns(
    host: Host, scheduler: str
) -> None:
    """No policy lets a cluster hear of a release that the registry does not have."""
    host.set("web", "push-policy", "background")

    outcome = deploy(host, 1, scheduler)

    assert outcome is not None
    assert outcome.digest == host.tags()["1"]
    assert not host.release("1.1.1").is_deploy_continued


def test_old_names_are_cleaned_up(host: Host) -> None:
    """The release and the one before stay on this host, as in Dokku's own plugin."""
    for number in (1, 2, 3, 4):
        deploy(host, number, "k3s")

    sweep.carry_out(host.context)

    kept = {name for name in host.names() if name.startswith(REPOSITORY)}
    assert kept == {f"{REPOSITORY}:3", f"{REPOSITORY}:4"}
    assert {"org/web:1", "org/web:2"}.isdisjoint(host.names())


@pytest.mark.parametrize("owner", ["web", policy.GLOBAL])
def test_nothing_is_brought_here(host: Host, owner: str) -> None:
    """An app on a cluster is not healed here, not even if the ledger lacks it."""
    deploy(host, 1, "k3s")
    host.set(owner, "selected", "k3s")
    host.ledger.remove_releases(["1.1.1"])
    for name in list(host.names()):
        host.engine.lose(name)

    found = sweep.carry_out(host.context)
    outcome = host.perform(heal.perform, host.add_job(Kind.HEAL, "2.1.1"))

    assert (found.references, found.gaps) == (0, ())
    assert outcome == outcomes.skipped(
        "its scheduler does not keep images on this host"
    )
    assert host.names() == {}


def test_what_still_runs_here_is_healed(host: Host) -> None:
    """Until the first deploy on a cluster the app runs here."""
    deploy(host, 1, "docker-local")
    host.set("web", "selected", "k3s")
    host.engine.lose("org/web:1")

    (gap,) = sweep.plan(host.context).gaps

    assert gap.wanted.reference == "org/web:1"


def test_it_says_so_and_asks_for_it(host: Host) -> None:
    """The reply has the line of Dokku's own plugin, and a sweep does what it says."""
    deploy(host, 1, "k3s")

    details = [text for kind, text in host.reply() if kind is Line.DETAIL]
    assert details[-2:] == ["Cleaning up", f"Image {REPOSITORY}:1 pushed"]
    assert Trigger(kind=Kind.SWEEP) in host.submitted


def test_here_nothing_is_said_of_it(host: Host) -> None:
    """With docker-local the deploy itself tells when names are spare."""
    deploy(host, 1, "docker-local")

    details = [text for kind, text in host.reply() if kind is Line.DETAIL]
    assert "Cleaning up" not in details
    assert host.submitted == []
