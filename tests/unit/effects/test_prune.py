"""A prune, by what the registry and the ledger have afterwards."""

from collections.abc import MutableMapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff, referrers
from dokku_registryd.core.release import prunes
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.effects import prune, prune_plans, publish, release, sweep
from worlds import REPOSITORY, SERVER, Host, build_world

JOBS = count(1)
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def ship(host: Host, content: str = "", app: str = "web") -> str:
    """Release an image of an app, let it run, and return its digest."""
    number = next(JOBS)
    host.engine.add_image(
        f"dokku/{app}:latest", (content or f"build {number}").encode()
    )
    host.clock.seconds += 60
    job = host.add_job(Kind.RELEASE, f"{number}.1.1", app=app)
    host.perform(release.perform, job)
    row = host.release(f"{number}.1.1")
    host.ledger.finish_job(job.job_id, outcomes.done(), at=host.clock.now())
    host.ledger.update_release(row.job_id, live_at=host.clock.now())
    host.files.record_deployed(app, row.deployed)
    return row.digest


def run(
    host: Host, *, tag: str = "", app: str = "web", is_internal: bool = False
) -> outcomes.Outcome:
    """Run a prune once, as a user or as the service."""
    kind = "prune-" if is_internal else ""
    job = host.add_job(Kind.PRUNE, f"{kind}{next(JOBS)}.9.9", app=app, tag=tag)
    outcome = host.perform(prune.perform, job)
    host.ledger.finish_job(job.job_id, outcome or outcomes.done(), at=host.clock.now())
    assert outcome is not None
    return outcome


@pytest.fixture
def many(host: Host) -> Host:
    """Give a host whose app was released four times, of which one is to stay."""
    for _ in range(4):
        ship(host)
    host.set("web", "keep-remote", "1")
    return host


BY_TAG = frozenset({"tag"})
BOTH = frozenset({"tag", "digest"})


@pytest.mark.parametrize("removes", [frozenset({"digest"}), BY_TAG, BOTH])
def test_superseded_numbers_go(
    many: Host, removes: frozenset[str], logged: list[MutableMapping[str, Any]]
) -> None:
    """Those beyond keep-remote go, by tag or by digest, and the ledger knows it."""
    many.registry.removes = removes

    outcome = run(many, tag=prune.AGREED)

    assert outcome == outcomes.done("removed 2 numbers from the registry")
    assert set(many.tags()) == {"3", "4"}
    removals = many.ledger.removals("web").values()
    assert [one.is_over for one in removals] == [True, True]
    ways = [line["way"] for line in logged if line["event"] == "prune.removed"]
    assert ways == (["digest"] * 2 if "tag" not in removes else ["tag"] * 2)
    assert run(many) == outcomes.skipped("no number to remove")


def test_nothing_goes_without_consent(many: Host) -> None:
    """An operator agrees once for each repository; until then nothing is removed."""
    before = many.tags()

    outcome = run(many)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert f"nothing is removed from {REPOSITORY} before you agree" in outcome.detail
    assert "dokku registryd:prune web --yes" in outcome.detail
    assert (many.tags(), many.ledger.removals()) == (before, {})

    run(many, tag=prune.AGREED)
    ship(many)
    assert run(many, is_internal=True) == outcomes.done(
        "removed 1 number from the registry"
    )


def test_consent_is_for_an_app_with_the_property(host: Host) -> None:
    """Without keep-remote there is nothing to agree to."""
    ship(host)

    run(host, tag=prune.AGREED)

    assert host.ledger.consents("") == {}


def test_tags_of_others_stay(many: Host) -> None:
    """A tag that another client gave keeps its image, however old the number is."""
    manifest = many.registry.manifests[REPOSITORY, "1"]
    many.registry.manifests[REPOSITORY, "v1"] = manifest
    many.store(f"{REPOSITORY}:nightly", "of another client")

    run(many, tag=prune.AGREED)

    assert set(many.tags()) == {"1", "v1", "nightly", "3", "4"}


def test_a_number_that_another_client_took(many: Host) -> None:
    """A number that has another image now is not ours any more."""
    foreign = many.store(f"{REPOSITORY}:2", "of another client")

    run(many, tag=prune.AGREED)

    assert many.tags()["2"] == foreign
    assert set(many.tags()) == {"2", "3", "4"}


def test_a_part_of_an_index_stays(many: Host) -> None:
    """What an index of another tag names is needed by its pull."""
    child = many.registry.manifests[REPOSITORY, "1"]
    body = (
        f'{{"manifests": [{{"mediaType": "{child.media_type}",'
        f' "digest": "{child.digest}", "size": 1}}]}}'
    )
    index = Manifest(media_type=INDEX_TYPE, body=body.encode())
    many.registry.store(f"{REPOSITORY}:all", index)

    run(many, tag=prune.AGREED)

    assert set(many.tags()) == {"1", "3", "4", "all"}


def test_the_parts_of_an_index_go_with_it(many: Host) -> None:
    """By digest a removed index takes its manifests along, which nothing else names."""
    row = next(row for row in many.ledger.releases("web") if row.number == 1)
    child = Manifest(
        media_type="application/vnd.oci.image.manifest.v1+json", body=b"{}"
    )
    many.registry.store(f"{REPOSITORY}@{child.digest}", child)
    body = (
        f'{{"manifests": [{{"mediaType": "{child.media_type}",'
        f' "digest": "{child.digest}", "size": 1}}]}}'
    )
    index = Manifest(media_type=INDEX_TYPE, body=body.encode())
    many.registry.store(f"{REPOSITORY}:1", index)
    many.ledger.update_release(row.job_id, digest=index.digest)

    run(many, tag=prune.AGREED)

    digests = {one.digest for one in many.registry.content[REPOSITORY]}
    assert not digests & {child.digest, index.digest}
    assert many.ledger.removals("web")[row.job_id].children == (child.digest,)


CHILD = Manifest(
    media_type="application/vnd.oci.image.manifest.v1+json", body=b'{"layers": []}'
)


def make_index(host: Host, number: int, note: str) -> str:
    """Let a number be an index that names CHILD, and return its digest."""
    row = next(row for row in host.ledger.releases("web") if row.number == number)
    body = (
        f'{{"note": "{note}", "manifests": [{{"mediaType": "{CHILD.media_type}",'
        f' "digest": "{CHILD.digest}", "size": 1}}]}}'
    )
    index = Manifest(media_type=INDEX_TYPE, body=body.encode())
    host.registry.store(f"{REPOSITORY}@{CHILD.digest}", CHILD)
    host.registry.store(f"{REPOSITORY}:{number}", index)
    host.ledger.update_release(row.job_id, digest=index.digest)
    return index.digest


def has_child(host: Host) -> bool:
    """Return whether the registry has CHILD."""
    return CHILD in host.registry.content[REPOSITORY]


@pytest.fixture
def interrupted(many: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Give a host that died when the index of number 1 was gone, but not its part."""
    make_index(many, 1, "of number 1")
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    # The first removal is that of the tag, which this registry refuses.
    _die_once(monkeypatch, many.registry, "remove", is_after=True, at=2)
    with pytest.raises(SystemExit):
        run(many)
    monkeypatch.undo()
    assert "1" not in many.tags()
    assert has_child(many)
    return many


def test_the_parts_go_with_a_later_prune(interrupted: Host) -> None:
    """After a death the next prune removes the parts, and the removal is over."""
    run(interrupted)

    assert not has_child(interrupted)
    removals = interrupted.ledger.removals("web").values()
    assert [one.is_over for one in removals] == [True, True]


def test_a_part_that_was_pushed_again_stays(interrupted: Host) -> None:
    """A build of the same content names the parts of an index that went before."""
    ship(interrupted)
    make_index(interrupted, 5, "of number 5")

    run(interrupted)

    assert set(interrupted.tags()) == {"4", "5"}
    assert has_child(interrupted)


def test_a_part_waits_for_pushes_beside_it(interrupted: Host) -> None:
    """An app with the same repository may be about to name it."""
    interrupted.create_app("shop", image_repo="org/web")
    ship(interrupted, app="shop")
    interrupted.add_job(Kind.RELEASE, "99.1.1", app="shop")

    run(interrupted)
    assert has_child(interrupted)

    job = interrupted.ledger.job("99.1.1")
    assert job is not None
    interrupted.ledger.finish_job("99.1.1", outcomes.done(), at=2.0)
    run(interrupted)
    assert not has_child(interrupted)


def test_a_part_of_a_number_that_was_lost_stays(many: Host) -> None:
    """What runs can be pulled by its digest while its number is gone."""
    make_index(many, 1, "of number 1")
    runs = make_index(many, 4, "of number 4")
    del many.registry.manifests[REPOSITORY, "4"]

    run(many, tag=prune.AGREED)

    assert set(many.tags()) == {"3"}
    assert has_child(many)
    assert runs in {one.digest for one in many.registry.content[REPOSITORY]}


@pytest.mark.parametrize("has_api", [True, False])
@pytest.mark.parametrize(
    ("numbers", "left"),
    [((1,), {"1", "3", "4"}), ((1, 3), {"3", "4"}), ((), {"3", "4"})],
    ids=["runs-it", "went-on", "no-record"],
)
def test_what_another_host_runs(
    many: Host, has_api: bool, numbers: tuple[int, ...], left: set[str]
) -> None:
    """By its latest release record, which costs requests only where they are on."""
    many.registry.lists_referrers = has_api
    other = many.replace(host="standby")
    rows = {row.number: row for row in many.ledger.releases("web")}
    many.set("web", "release-records", "on")
    for number in numbers:
        publish._Publication(rows[number], other).put()

    run(many, tag=prune.AGREED)

    assert {tag for tag in many.tags() if tag.isdigit()} == left


@pytest.mark.parametrize("removes", [frozenset({"digest"}), BY_TAG])
def test_lists_of_records_go_with_their_images(
    many: Host, removes: frozenset[str]
) -> None:
    """A registry without the API for them has each list under a tag of its own."""
    many.registry.lists_referrers, many.registry.removes = False, removes
    many.set("web", "release-records", "on")
    for row in many.ledger.releases("web"):
        publish._Publication(row, many.context).put()
    lists = {referrers.tag_of(row.digest) for row in many.ledger.releases("web")[:2]}

    run(many, tag=prune.AGREED)

    assert set(many.tags()) == {"3", "4", *lists}
    kept = {one.digest for one in many.registry.content[REPOSITORY]}
    assert removes != frozenset({"digest"}) or len(kept) == 2 * (1 + 1 + 1)


def test_a_registry_that_removes_nothing(many: Host) -> None:
    """The user hears what it says and what to do instead; nothing counts as removed."""
    many.registry.removes = frozenset()

    with pytest.raises(errors.PermanentError) as caught:
        run(many, tag=prune.AGREED)

    assert str(caught.value) == (
        "r.example removes nothing (405 UNSUPPORTED (The operation is unsupported.))."
        " Instead allow removal there (plain distribution: storage.delete.enabled), or"
        " remove numbers with the registry's own means"
    )
    assert set(many.tags()) == {"1", "2", "3", "4"}
    assert many.ledger.removals() == {}


def test_the_service_fails_no_job_for_it(
    many: Host, logged: list[MutableMapping[str, Any]]
) -> None:
    """What the service cannot remove on its own is logged, and tried another day."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    many.cut_registry()

    outcome = run(many, is_internal=True)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert "does not answer" in outcome.detail
    (line,) = [line for line in logged if line["event"] == "prune.failed"]
    assert (line["app"], "does not answer" in line["reason"]) == ("web", True)
    assert many.ledger.consents("")[REPOSITORY].pruned_at == many.clock.now()


@pytest.mark.parametrize("method", ["tags", "manifest", "remove"])
def test_a_limit_that_a_prune_meets_delays_no_deploy(many: Host, method: str) -> None:
    """It asks for each tag, so the registry may refuse it what a push needs not."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    many.registry.fail(method, errors.RateLimitedError("429", retry_after=3600.0))

    with pytest.raises(errors.RateLimitedError):
        run(many)

    assert many.ledger.paused_registries() == []
    assert run(many).ending is outcomes.Ending.DONE


def test_a_copy_of_the_data_on_another_machine(many: Host) -> None:
    """It asks again: the first host may run what the copy would remove."""
    run(many, tag=prune.AGREED)
    ship(many)
    copied = many.replace(machine="another")
    before = many.tags()
    job = many.add_job(Kind.PRUNE, "7.9.9")

    outcome = many.perform(prune.perform, job, copied)

    assert outcome is not None
    assert "before you agree" in outcome.detail
    assert not prune_plans.is_due("web", copied)
    assert many.tags() == before
    many.ledger.finish_job(job.job_id, outcome, at=many.clock.now())
    many.perform(prune.perform, many.add_job(Kind.PRUNE, "8.9.9", tag="agreed"), copied)
    assert len(many.tags()) < len(before)


def test_a_clock_that_is_a_year_ahead(many: Host) -> None:
    """Nothing goes by its age until the registry agrees about the time."""
    many.set("web", "keep-remote", "30d")
    year = 365 * 86_400.0
    many.clock.seconds += year
    many.registry.ahead = year

    outcome = run(many, tag=prune.AGREED)

    assert outcome == outcomes.skipped("no number to remove")
    assert set(many.tags()) == {"1", "2", "3", "4"}
    common = prune_plans.common_of(many.context)
    (plan,) = prune_plans.plan_of("web", common, many.context)
    assert prune_plans.settled(plan, many.context).going == 0
    many.registry.ahead = 0.0
    assert run(many).detail == "removed 3 numbers from the registry"


def test_a_prune_keeps_to_pauses(many: Host) -> None:
    """And it neither ends one, nor needs to write where it only plans."""
    key = backoff.key_of(
        domain=SERVER, owner=None, username="", direction=backoff.Direction.PUSH
    )
    pause = backoff.begin(
        None,
        key=key,
        app="web",
        error=errors.RateLimitedError("429"),
        delay=60.0,
        now=many.clock.now(),
    )
    many.ledger.set_pause(pause)
    (plan,) = prune_plans.plan_of(
        "web", prune_plans.common_of(many.context), many.context
    )
    assert "429" in prune_plans.settled(plan, many.context).problem

    many.clock.seconds += 61
    assert prune_plans.settled(plan, many.context).problem == ""
    assert many.ledger.paused_registries() == [pause]


def test_another_job_goes_first(many: Host) -> None:
    """A waiting release of the app ends a prune before its next request."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    busy = many.replace(is_preempted=lambda _app: True)
    job = many.add_job(Kind.PRUNE, "1.9.9", tag="")

    with pytest.raises(errors.PreemptedError):
        many.perform(prune.perform, job, busy)

    assert set(many.tags()) == {"1", "2", "3", "4"}


def test_another_job_goes_first_while_it_waits(many: Host) -> None:
    """So it does while the registry wants fewer requests a second."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    slow = errors.RateLimitedError("slow down")
    many.registry.fail("manifest", slow, slow)
    calls = many.registry.calls
    calls.clear()
    busy = many.replace(
        is_preempted=lambda _app: any(method == "manifest" for method, _ in calls)
    )

    with pytest.raises(errors.PreemptedError):
        many.perform(prune.perform, many.add_job(Kind.PRUNE, "1.9.9", tag=""), busy)

    assert len(many.registry.failures["manifest"]) < 2
    assert set(many.tags()) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("is_internal", [True, False])
def test_jobs_of_other_apps_go_first(many: Host, is_internal: bool) -> None:
    """A job that waits for a worker ends a prune, which goes on later."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    busy = many.replace(has_urgent=lambda: True)
    job = many.add_job(Kind.PRUNE, "prune-1" if is_internal else "1.9.9", tag="")
    assert job.is_internal == is_internal

    with pytest.raises(errors.PreemptedError):
        many.perform(prune.perform, job, busy)

    assert {"2", "3", "4"} <= set(many.tags())
    assert many.perform(prune.perform, job) is not None
    assert set(many.tags()) == {"3", "4"}


def test_a_number_that_is_needed_meanwhile(many: Host) -> None:
    """What needs a number is read again before it is removed."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    first = next(row for row in many.ledger.releases("web") if row.number == 1)

    class Registry:
        """Lets a rollback to number 1 begin while the prune reads the tags."""

        def __getattr__(self, name: str) -> Any:
            return getattr(many.registry, name)

        def tags(self, *args: Any, **options: Any) -> list[str]:
            told = DeployedRelease(
                server=f"{SERVER}/", image_repo="org/web", number=first.number
            )
            many.context.deploying.tell("web", "b1", told)
            return many.registry.tags(*args, **options)

    job = many.add_job(Kind.PRUNE, "1.9.9", tag="")
    many.perform(prune.perform, job, many.replace(registry=Registry()))

    assert set(many.tags()) == {"1", "3", "4"}


@pytest.mark.parametrize("removes", [frozenset({"digest"}), BY_TAG])
def test_a_death_at_each_step(
    many: Host, removes: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a death at any step the next prune ends in the same state."""
    many.registry.removes = removes
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    steps = [
        (many.registry, "remove"),
        (many.registry, "digest"),
        (many.ledger, "begin_removals"),
        (many.ledger, "end_removals"),
    ]
    for owner, name in steps:
        for is_after in (False, True):
            _die_once(monkeypatch, owner, name, is_after=is_after)
            with pytest.raises(SystemExit):
                run(many)
            monkeypatch.undo()
            if owner is many.ledger and name == "end_removals" and is_after:
                continue
            assert {"3", "4"} <= set(many.tags())
            # Another number for the next death.
            ship(many)
            ship(many)

    run(many)

    latest = max(map(int, many.tags()))
    assert set(many.tags()) == {str(latest - 1), str(latest)}
    over = [one.is_over for one in many.ledger.removals("web").values()]
    assert over == [True] * (latest - 2)


def _die_once(
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    *,
    is_after: bool,
    at: int = 1,
) -> None:
    """Let the process die at a call of a port, right before or right after it."""
    real = getattr(owner, name)
    calls = count(1)

    def dying(*args: Any, **options: Any) -> Any:
        is_last = next(calls) == at
        done = real(*args, **options) if is_after or not is_last else None
        if is_last:
            raise SystemExit(name)
        return done

    monkeypatch.setattr(owner, name, dying)


def test_the_service_prunes_after_a_deploy(many: Host) -> None:
    """A deploy requests it where it is agreed and would remove something."""
    context = many.replace(is_service=True)
    wanted = triggers.Trigger(kind=Kind.PRUNE, app="web")

    prune.request("web", context)
    assert wanted not in many.submitted

    many.ledger.agree([REPOSITORY], host="", at=1.0)
    prune.request("web", context)
    assert many.submitted.count(wanted) == 1
    many.set("web", "keep-remote", "9")
    prune.request("web", context)
    assert many.submitted.count(wanted) == 1


def test_the_service_prunes_once_a_day(many: Host) -> None:
    """A sweep requests what is due, and notes what has nothing to remove."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    context = many.replace(is_service=True)
    wanted = triggers.Trigger(kind=Kind.PRUNE, app="web")

    sweep.carry_out(context)
    assert many.submitted.count(wanted) == 1
    run(many)
    sweep.carry_out(context)
    assert many.submitted.count(wanted) == 1

    many.clock.seconds += 86_400
    sweep.carry_out(context)
    assert many.submitted.count(wanted) == 1
    assert many.ledger.consents("")[REPOSITORY].pruned_at == many.clock.now()


def test_a_hook_prunes_nothing(many: Host) -> None:
    """A deploy without the service does not wait for a prune."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    context = many.replace(is_service=False)

    prune.request("web", context)
    sweep.carry_out(context)

    assert Kind.PRUNE not in {trigger.kind for trigger in many.submitted}


def test_a_missing_app_keeps_a_shared_repository(many: Host) -> None:
    """What an app without a folder runs is unknown, so nothing goes beside it."""
    many.create_app("shop", image_repo="org/web")
    ship(many, app="shop")
    many.destroy_app("shop")
    many.ledger.agree([REPOSITORY], host="", at=1.0)

    assert run(many) == outcomes.skipped("no number to remove")


def test_a_missing_app_keeps_its_own_numbers(many: Host) -> None:
    """Its properties may say less than was meant: its disk may not be mounted."""
    many.ledger.agree([REPOSITORY], host="", at=1.0)
    many.destroy_app()

    assert run(many) == outcomes.skipped("no number to remove")


def test_docker_hub_is_not_asked(many: Host) -> None:
    """A registry that is known to remove nothing gets no request."""
    row = next(row for row in many.ledger.releases("web") if row.number == 1)
    plan = prune_plans.RepositoryPlan(
        app="web",
        repository="me/web",
        entries=(prunes.Entry(release=replace(row, server="", image_repo="me/web")),),
    )
    many.registry.calls.clear()

    found = prune_plans.settled(plan, many.context)

    assert found.problem.startswith("docker.io removes nothing")
    assert many.registry.calls == []


DEEDS = strategies.sampled_from(
    ["ship", "same", "back", "tag", "move", "fail", "hold-container", "prune"]
)


@given(
    deeds=strategies.lists(DEEDS, min_size=3, max_size=12),
    keep=strategies.sampled_from(["0", "1", "2", "1m", "1,2m"]),
    removes=strategies.sampled_from([frozenset({"digest"}), BY_TAG, BOTH]),
    takes_all=strategies.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_dry_run_equals_the_run(
    tmp_path_factory: pytest.TempPathFactory,
    deeds: list[str],
    keep: str,
    removes: frozenset[str],
    takes_all: bool,
) -> None:
    """Over random histories exactly the planned numbers go, and none needed."""
    host = build_world(tmp_path_factory.mktemp("host"))
    try:
        host.create_app(keep_remote=keep)
        host.registry.removes, host.registry.removes_all_tags = removes, takes_all
        host.ledger.agree([REPOSITORY], host="", at=1.0)
        ship(host)
        kept: set[str] = set()
        for deed in [*deeds, "prune"]:
            if deed == "prune":
                _prune_as_planned(host, kept)
            else:
                kept |= _do(deed, host)
    finally:
        host.ledger.close()


def _do(deed: str, host: Host) -> set[str]:
    """Change the host, and return the tags of others that must stay."""
    rows = host.ledger.releases("web")
    if deed == "ship":
        ship(host)
    elif deed == "same":
        ship(host, "always the same")
    elif deed == "back":
        host.files.record_deployed("web", rows[len(rows) // 2].deployed)
    elif deed == "fail":
        ship(host)
        latest = host.ledger.releases("web")[0]
        host.ledger.update_release(latest.job_id, failed_at=host.clock.now())
        host.files.record_deployed("web", rows[0].deployed)
    elif deed == "hold-container":
        host.engine.add_container(rows[-1].reference, app="web", is_running=True)
    elif deed == "tag":
        oldest = min(host.tags(), key=_by_number)
        manifest = host.registry.manifests[REPOSITORY, oldest]
        host.registry.manifests[REPOSITORY, f"v{oldest}"] = manifest
        return {f"v{oldest}"}
    else:
        number = str(rows[-1].number)
        host.store(f"{REPOSITORY}:{number}", "of another client")
        return {number}
    return set()


def _by_number(tag: str) -> int:
    return int(tag) if tag.isdigit() else 1 << 30


def _prune_as_planned(host: Host, kept: set[str]) -> None:
    before = host.tags()
    planned = _planned(host.context)
    run(host)
    after = host.tags()
    assert before.keys() - after.keys() == planned & before.keys()
    assert kept <= after.keys()
    deployed = host.deployed()
    assert deployed is not None
    runs = next(row for row in host.ledger.releases("web") if row.deployed == deployed)
    is_ours = before.get(str(runs.number)) == runs.digest
    assert not is_ours or after[str(runs.number)] == runs.digest
    removed = {
        row.digest for row in host.ledger.releases("web") if str(row.number) in planned
    }
    assert removed.isdisjoint(after.values())
    assert _planned(host.context) == set()


def _planned(context: ports.Context) -> set[str]:
    """Return the numbers that a dry run says to remove."""
    plans = prune_plans.plan_of("web", prune_plans.common_of(context), context)
    settled = [prune_plans.settled(plan, context) for plan in plans]
    assert not any(plan.problem for plan in settled)
    return {
        str(entry.release.number)
        for plan in settled
        for entry in plan.entries
        if entry.goes
    }
