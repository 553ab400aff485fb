"""Records of live releases, and the hosts that they tell of."""

import dataclasses
import json

import pytest

from dokku_registryd import errors
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import pacing, referrers
from dokku_registryd.core.release import release_records
from dokku_registryd.core.release.release_records import ReleaseRecord
from dokku_registryd.effects import fleet, publish, release, sweep
from worlds import REPOSITORY, Host

DEPLOYED = f"{REPOSITORY}:1"


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1 and tells others of it."""
    host.set("web", "release-records", "on")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    return host


def run(host: Host, job_id: str = "publish-1") -> outcomes.Outcome:
    """Put the record once."""
    outcome = host.perform(publish.perform, host.add_job(Kind.PUBLISH, job_id))
    assert outcome is not None
    return outcome


def wanted(host: Host) -> list[str]:
    """Sweep once, and return the apps whose record is to be put."""
    host.submitted.clear()
    sweep.carry_out(host.context)
    return [one.app for one in host.submitted if one.kind is Kind.PUBLISH]


def records(host: Host) -> list[ReleaseRecord]:
    """Return what the fleet shows of the only app."""
    (listing,) = fleet.look(host.context)
    assert listing.problem == ""
    return list(listing.records)


def record_of(host: Host, number: int = 1, name: str = "one.example") -> ReleaseRecord:
    """Return what the record of a release says."""
    row = next(row for row in host.ledger.releases("web") if row.number == number)
    return ReleaseRecord(
        host=name,
        app="web",
        number=number,
        created_at=row.live_at or row.pushed_at,
        digest=row.digest,
    )


@pytest.mark.parametrize("lists_referrers", [True, False], ids=["api", "tag"])
def test_a_record(released: Host, lists_referrers: bool) -> None:
    """It is put once, and the fleet shows it, with the API and without."""
    released.registry.lists_referrers = lists_referrers
    assert wanted(released) == ["web"]

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.DONE
    assert records(released) == [record_of(released)]
    assert wanted(released) == []
    tag = referrers.tag_of(released.release().digest)
    assert (tag in released.tags()) is not lists_referrers


def test_it_is_off_by_default(host: Host) -> None:
    """Without the property nothing is written."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert wanted(host) == []
    assert run(host).ending is outcomes.Ending.SKIPPED
    assert records(host) == []


def test_a_hook_puts_none(released: Host) -> None:
    """A hook ends with its own job, so the service does it later."""
    released.context = dataclasses.replace(released.context, is_service=False)

    assert wanted(released) == []


def test_the_revision(host: Host) -> None:
    """The Git revision of the release is part of its record."""
    host.set("web", "release-records", "on")
    told = {"source": "git-hook", "revision": "3f1c9a0d"}
    host.perform(release.perform, host.add_job(Kind.RELEASE, **told))

    run(host)

    assert records(host)[0].revision == "3f1c9a0d"


@pytest.mark.parametrize(
    "method", ["manifest", "has_blob", "put_blob", "put_referrer", "put_manifest"]
)
def test_a_registry_that_fails_at_each_step(released: Host, method: str) -> None:
    """No step that fails does harm, and the next attempt puts one record."""
    released.registry.lists_referrers = False
    released.registry.fail(method, errors.RegistryUnavailableError("it is away"))

    first = run(released)
    second = run(released, "publish-2")

    assert first.ending is outcomes.Ending.SKIPPED
    assert "it is away" in first.detail
    assert second.ending is outcomes.Ending.DONE
    assert records(released) == [record_of(released)]


def test_a_process_that_dies_before_it_is_noted(released: Host) -> None:
    """The second record has the same bytes, so there is one."""
    run(released)
    with released.ledger._transaction() as connection:
        connection.execute("DELETE FROM release_records")

    run(released, "publish-2")

    image = reference.parse(DEPLOYED).with_digest(released.release().digest)
    kind = release_records.ARTIFACT_TYPE
    found = released.registry.referrers(image, kind, auth=None)
    assert found is not None
    assert len(found) == 1


def test_a_registry_that_takes_no_artifacts(released: Host) -> None:
    """It is asked again a day later; the release is not affected."""
    released.registry.fail(
        "put_referrer", errors.PermanentError("manifest invalid", status=400)
    )

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert wanted(released) == []
    released.clock.seconds += release_records.AGAIN_SECONDS
    assert wanted(released) == ["web"]


def test_a_registry_that_is_busy_for_artifacts_only(released: Host) -> None:
    """No deploy waits because a record was refused; a later sweep tries again."""
    refusals = [errors.RegistryBusyError("503")] * (len(pacing.WAITS) + 1)
    released.registry.fail("put_referrer", *refusals)

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert released.ledger.paused_registries() == []
    assert wanted(released) == ["web"]


def test_other_jobs_go_first(released: Host) -> None:
    """While a job waits for a worker nothing is asked."""
    released.context = dataclasses.replace(released.context, has_urgent=lambda: True)
    released.registry.calls.clear()

    assert run(released).ending is outcomes.Ending.SKIPPED
    assert released.registry.calls == []


def test_other_jobs_go_first_while_it_waits(released: Host) -> None:
    """A registry with a limit does not keep a record in a worker that others need."""
    calls = released.registry.calls
    calls.clear()
    released.context = dataclasses.replace(
        released.context,
        has_urgent=lambda: any(method == "has_blob" for method, _ in calls),
    )
    slow = errors.RateLimitedError("slow down")
    released.registry.fail("has_blob", slow, slow)

    outcome = run(released)

    assert (outcome.ending, outcome.detail) == (
        outcomes.Ending.SKIPPED,
        "not put: other jobs go first",
    )
    assert [method for method, _ in calls] == ["manifest", "has_blob"]


@pytest.mark.parametrize("lists_referrers", [True, False], ids=["api", "tag"])
def test_two_hosts(released: Host, lists_referrers: bool) -> None:
    """Each has its own record beside the same digest."""
    released.registry.lists_referrers = lists_referrers
    run(released)
    with released.ledger._transaction() as connection:
        connection.execute("DELETE FROM release_records")
    released.context = dataclasses.replace(released.context, host="two.example")
    run(released, "publish-2")

    assert records(released) == [
        record_of(released),
        record_of(released, name="two.example"),
    ]


def test_the_next_release(released: Host) -> None:
    """Of each host the latest is shown; the older records stay where they are."""
    run(released)
    released.clock.seconds += 60
    released.engine.add_image("dokku/web:latest", b"two")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    run(released, "publish-2")

    assert records(released) == [record_of(released, 2)]


def test_another_host_replaces_the_list(released: Host) -> None:
    """An entry that another client has just dropped from the list is added again."""
    released.registry.lists_referrers = False
    put = released.registry.put_manifest
    dropped: list[object] = []

    def put_and_lose(*arguments: object, **named: object) -> str:
        digest = put(*arguments, **named)  # type: ignore[arg-type]
        if not dropped:
            tag = referrers.tag_of(released.release().digest)
            dropped.append(released.registry.manifests.pop((REPOSITORY, tag)))
        return digest

    released.registry.put_manifest = put_and_lose  # type: ignore[method-assign]
    run(released)

    assert dropped
    assert records(released) == [record_of(released)]


def test_a_registry_that_is_away(released: Host) -> None:
    """The fleet says which repository could not be read."""
    released.cut_registry()

    (listing,) = fleet.look(released.context)

    assert (listing.records, "does not answer" in listing.problem) == ((), True)


def test_a_foreign_artifact(released: Host) -> None:
    """What other programs put beside a release is not a record."""
    digest = released.release().digest
    subject = released.registry.manifest(
        reference.parse(DEPLOYED).with_digest(digest), auth=None
    )
    assert subject is not None
    foreign = referrers.artifact(subject, "application/vnd.example.sbom", {"a": "b"})
    released.registry.put_referrer(reference.parse(DEPLOYED), foreign, auth=None)
    wrong = referrers.artifact(subject, release_records.ARTIFACT_TYPE, {"a": "b"})
    released.registry.put_referrer(reference.parse(DEPLOYED), wrong, auth=None)

    assert records(released) == []
    assert "subject" in json.loads(foreign.body)
