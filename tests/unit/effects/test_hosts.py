"""Which registry a job will speak to, found out before it begins."""

import pytest

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import release
from dokku_registryd.effects.registry import job_hosts
from worlds import Host


@pytest.mark.parametrize("kind", [Kind.RELEASE, Kind.HEAL, Kind.PUSH, Kind.RECORDED])
def test_a_job_of_an_app_with_a_server(host: Host, kind: Kind) -> None:
    """What an app's properties say, in the one spelling of that host."""
    host.set("web", "server", "R.Example/")

    assert job_hosts.of(host.add_job(kind), host.context) == "r.example"


def test_docker_hub(host: Host) -> None:
    """An app without a server uses Docker Hub, with any repository name."""
    host.set("web", "server", "")

    assert job_hosts.of(host.add_job(Kind.RELEASE), host.context) == "docker.io"


def test_what_was_reserved(host: Host) -> None:
    """A release with a number uses its own registry, despite later changes."""
    job = host.add_job(Kind.RELEASE)
    host.perform(release.perform, job)
    host.set("web", "server", "s.example")

    assert job_hosts.of(job, host.context) == "r.example"
    assert job_hosts.of(host.add_job(Kind.HEAL, "2.1.1"), host.context) == "r.example"


@pytest.mark.parametrize("kind", [Kind.DESTROYED, Kind.ABANDONED])
def test_an_app_that_is_gone(host: Host, kind: Kind) -> None:
    """Its properties are gone too; the ledger has where it was released last."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    for name in ("server", "image-repo", "push-on-release"):
        host.files.delete("registry", "web", name)

    assert job_hosts.of(host.add_job(kind, "2.1.1"), host.context) == "r.example"
    assert job_hosts.of(host.add_job(kind, "3.1.1", app="other"), host.context) == ""


@pytest.mark.parametrize("kind", [Kind.DEPLOYED, Kind.LOCAL, Kind.RENAMED, Kind.SWEEP])
def test_what_speaks_to_no_registry(host: Host, kind: Kind) -> None:
    """Jobs that need this host alone count for none."""
    assert job_hosts.of(host.add_job(kind), host.context) == ""


def test_a_server_that_is_none(host: Host) -> None:
    """What cannot be told counts for none; the job itself will say why."""
    host.set("web", "image-repo", "NOT A NAME")

    assert job_hosts.of(host.add_job(Kind.RELEASE), host.context) == ""
