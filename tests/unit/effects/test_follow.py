"""Following another host: what is kept, what is superseded, and deaths in between."""

import dataclasses
import shutil
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.engine import messages
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import protocol, referrers
from dokku_registryd.core.release import (
    check_turns,
    follow_turns,
    followed_names,
    following,
    release_records,
)
from dokku_registryd.core.release.follow_turns import Known
from dokku_registryd.core.status.follow_state import FollowState
from dokku_registryd.effects import (
    follow,
    follow_look,
    follow_preview,
    publish,
    release,
    sweep,
)
from dokku_registryd.runtime import followed_repositories, follower
from dokku_registryd.verbs.service import doctor_follow
from support.waiting import until
from worlds import REPOSITORY, Host, build_world

Lines = list[MutableMapping[str, Any]]
PROBLEMS = {"follow.interrupted", "follow.resumed"}


@dataclasses.dataclass
class Pair:
    """A host that releases, and one that follows it."""

    one: Host
    two: Host
    follower: follower.Follower
    _counter: int = 0

    def ship(self, content: bytes = b"") -> str:
        """Release the next image on the first host, and return its digest."""
        self._counter += 1
        number = self._counter
        self.one.clock.seconds += 60
        self.two.clock.seconds += 60
        self.one.engine.add_image("dokku/web:latest", content or b"%d" % number)
        job = self.one.add_job(Kind.RELEASE, f"{number}.1.1")
        self.one.perform(release.perform, job)
        self.one.perform(
            publish.perform, self.one.add_job(Kind.PUBLISH, f"publish-{number}")
        )
        return self.one.release(f"{number}.1.1").digest

    def turn(self) -> list[triggers.Trigger]:
        """Let the second host look once; return the images that it asks for."""
        self.two.submitted.clear()
        self.follower.turn()
        return [one for one in self.two.submitted if one.kind is Kind.FOLLOW]

    def run(self, trigger: triggers.Trigger) -> outcomes.Outcome:
        """Do one job of the second host."""
        self._counter += 1
        job = self.two.add_job(
            Kind.FOLLOW,
            f"follow-{self._counter}",
            app=trigger.app,
            image=trigger.image,
            tag=trigger.tag,
        )
        self._counter -= 1
        outcome = self.two.perform(follow.perform, job)
        assert outcome is not None
        return outcome

    def settle(self) -> None:
        """Let the second host look and pull until nothing is asked for."""
        while asked := self.turn():
            for trigger in asked:
                self.run(trigger)

    def kept(self) -> list[str]:
        """Return the digests that are kept, by the images that have the names."""
        found = followed_names.kept_of(self.two.engine.images())
        return [one.digests[0].partition("@")[2] for one in found]

    def break_number(self, number: int) -> None:
        """Have the registry answer something else for one number."""
        registry = self.two.registry
        digest = registry.digest

        def broken(image: reference.ImageReference, **how: Any) -> str | None:
            if image.tag == str(number):
                raise errors.UnusableAnswerError("it answers with something else")
            return digest(image, **how)

        registry.digest = broken  # type: ignore[method-assign]

    @property
    def state(self) -> FollowState:
        """What `status` is told."""
        return self.follower.state


@pytest.fixture(params=["classic", "containerd"])
def pair(host: Host, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Give a host with records, and a host without apps that follows it."""
    host.set("web", "release-records", "on")
    two = build_world(tmp_path / "two", image_store=request.param)
    two.registry = host.registry
    two.engine.remote = host.engine.remote
    two.context = dataclasses.replace(
        two.context, registry=host.registry, host="two.example"
    )
    two.set(policy.GLOBAL, "follow", REPOSITORY)
    watch = follower.Follower(context=lambda: two.context, interval_seconds=60)
    yield Pair(host, two, watch)
    two.ledger.close()


def test_a_release_is_kept(pair: Pair, logged: Lines) -> None:
    """It is pulled by digest from the followed repository, and named; once."""
    digest = pair.ship()

    (asked,) = pair.turn()
    outcome = pair.run(asked)

    assert (asked.app, asked.image) == ("web", f"{REPOSITORY}@{digest}")
    assert (outcome.ending, outcome.detail) == (outcomes.Ending.DONE, "pulled")
    assert pair.two.engine.asked == [("pull", f"{REPOSITORY}@{digest}")]
    assert pair.kept() == [digest]
    assert pair.turn() == []
    assert not pair.state.lacking
    assert pair.state.kept == 1
    assert [line["event"] for line in logged if "follow" in line["event"]] == [
        "follow.kept"
    ]


def test_a_superseded_release(pair: Pair, logged: Lines) -> None:
    """It goes with its image when the newer one is here, and not before."""
    first = pair.ship()
    pair.settle()
    second = pair.ship()

    (asked,) = pair.turn()
    assert pair.kept() == [first]
    (place,) = pair.state.lacking
    assert (place.number, place.kept_number, place.host) == (2, 1, "one.example")
    pair.run(asked)
    assert sorted(pair.kept()) == sorted([first, second])
    pair.turn()

    assert pair.kept() == [second]
    assert pair.two.engine.image(f"{REPOSITORY}@{first}") is None
    assert [one["event"] for one in logged].count("follow.removed") == 1


def test_more_are_kept(pair: Pair) -> None:
    """With keep_releases the latest ones stay."""
    pair.two.context = dataclasses.replace(pair.two.context, most_followed=2)
    digests = []
    for _ in range(3):
        digests.append(pair.ship())
        pair.settle()

    assert sorted(pair.kept()) == sorted(digests[1:])


def test_a_heal_needs_no_byte(pair: Pair) -> None:
    """What an app of this host wants is found by its digest, without its names."""
    digest = pair.ship()
    pair.settle()
    observed = wanted.Observed.of(pair.two.engine.images())
    entry = wanted.Wanted(
        app="web", reference=f"{REPOSITORY}:1", source=f"{REPOSITORY}:1", digest=digest
    )

    (gap,) = wanted.gaps([entry], observed)

    assert isinstance(gap, wanted.Retag)


def test_what_is_here_already(pair: Pair) -> None:
    """An image that this host has under another name is named, not pulled."""
    digest = pair.ship()
    pair.two.engine.pull(f"{REPOSITORY}:1", auth=None)
    pair.two.engine.asked.clear()

    (asked,) = pair.turn()

    assert pair.run(asked).detail == "it was here"
    assert pair.two.engine.asked == []
    assert pair.kept() == [digest]


def test_an_image_that_an_app_uses(pair: Pair) -> None:
    """Only our name goes; names and digest of others stay."""
    pair.ship()
    pair.settle()
    digest = pair.kept()[0]
    found = pair.two.engine.image(f"{REPOSITORY}@{digest}")
    assert found is not None
    pair.two.engine.tag(found.image_id, f"{REPOSITORY}:1")
    pair.two.set(policy.GLOBAL, "follow", "off")

    pair.turn()

    assert pair.kept() == []
    left = pair.two.engine.image(f"{REPOSITORY}:1")
    assert left is not None
    assert messages.holds(left, digest)


def test_no_sweep_takes_it(pair: Pair) -> None:
    """To sweeps, heals and a full disk it is an image of another owner."""
    pair.two.create_app()
    digest = pair.ship()
    pair.settle()
    pair.two.context = dataclasses.replace(
        pair.two.context, disk_percents=(80, 70), used_percent=lambda _folder: 99.0
    )

    found = sweep.carry_out(pair.two.context)

    assert (found.gaps, found.removable_names, found.freeable) == ((), (), ())
    assert pair.kept() == [digest]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("pull", errors.RegistryUnavailableError("it is away")),
        ("pull", errors.ImageNotFoundError("no such manifest")),
        ("facts", errors.TransientError("the Engine is busy")),
    ],
)
def test_a_pull_that_fails(
    pair: Pair, logged: Lines, method: str, error: Exception
) -> None:
    """The reason is shown, and the next attempt waits; then it comes."""
    digest = pair.ship()
    (asked,) = pair.turn()
    pair.two.engine.fail(method, error)

    outcome = pair.run(asked)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert str(error) in outcome.detail
    assert pair.turn() == []
    assert pair.state.lacking[0].reason == str(error)
    assert [line["event"] for line in logged].count("follow.failed") == 1
    pair.two.clock.seconds += 3600
    pair.settle()
    assert pair.kept() == [digest]


def test_two_requests_for_one_image(pair: Pair) -> None:
    """A look during a long pull asks again; that does not repeat its failure."""
    pair.ship()
    (asked,) = pair.turn()
    (again,) = pair.turn()
    pair.two.engine.fail("pull", errors.PermanentError("denied"))
    pair.run(asked)
    before = list(pair.two.engine.asked)

    outcome = pair.run(again)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert "denied" in outcome.detail
    assert pair.two.engine.asked == before
    assert pair.state.lacking


def test_a_registry_that_invents_hosts(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look remembers a limited number of them."""
    monkeypatch.setattr(follow_turns, "MOST_KNOWN", 1)
    image = reference.parse(f"{REPOSITORY}:1")
    found = Known()
    for host in ("a.example", "b.example"):
        pair.one.context = dataclasses.replace(pair.one.context, host=host)
        pair.ship()
        found = follow_look.look(
            image.repository,
            "",
            found,
            pair.two.context,
            is_full=not found.recorded,
            check=int,
        )

    assert [one.host for one in found.records] == ["b.example"]


def test_a_death_at_each_step(pair: Pair) -> None:
    """What was not done is done by the next process, and nothing is left."""
    first = pair.ship()
    (asked,) = pair.turn()
    # It dies after the pull: the job is repeated, and needs no network.
    pair.two.engine.fail("tag", errors.EngineUnavailableError("it dies"))
    with pytest.raises(errors.EngineUnavailableError):
        pair.run(asked)
    pair.two.engine.asked.clear()
    assert pair.run(asked).detail == "it was here"
    assert pair.two.engine.asked == []
    # It dies between the removal of the digest and that of the name.
    second = pair.ship()
    (asked,) = pair.turn()
    pair.run(asked)
    taken = pair.two.engine.untag(f"{REPOSITORY}@{first}")
    assert taken
    pair.follower = follower.Follower(
        context=lambda: pair.two.context, interval_seconds=60
    )
    pair.settle()

    assert pair.kept() == [second]
    assert len(pair.two.engine.images()) == 1


def test_a_job_that_is_superseded(pair: Pair) -> None:
    """A job that waited does not bring an older release, and leaves no bare image."""
    pair.ship()
    (older,) = pair.turn()
    pair.two.engine.pull(older.image, auth=None)  # by a process that died
    pair.ship()
    pair.turn()

    outcome = pair.run(older)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert pair.two.engine.image(older.image) is None


def test_it_is_no_longer_followed(pair: Pair) -> None:
    """A job that waited does nothing, and all names go."""
    pair.ship()
    pair.settle()
    pair.ship()
    (asked,) = pair.turn()
    pair.two.set(policy.GLOBAL, "follow", "off")

    assert pair.run(asked).detail == "it is no longer followed"
    pair.turn()

    assert pair.two.engine.images() == []
    assert pair.state == FollowState()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r.example/org/other\nr.example/org/web", "not SERVER/REPOSITORY"),
        ("Off", "not SERVER/REPOSITORY"),
        (None, "Is its disk mounted?"),
    ],
    ids=["broken", "slip", "lost"],
)
def test_a_property_that_is_not_understood(
    pair: Pair, text: str | None, said: str
) -> None:
    """Nothing goes for it; `status` says why, and `off` ends it."""
    digest = pair.ship()
    pair.settle()
    if text is None:
        shutil.rmtree(pair.two.folder / "config" / policy.OURS / policy.GLOBAL)
    else:
        pair.two.set(policy.GLOBAL, "follow", text)

    assert pair.turn() == []

    assert pair.kept() == [digest]
    preview = follow_preview.look(pair.two.context)
    assert preview.plan.removable == ()
    assert said in preview.doubt
    assert said in pair.state.problem
    findings = doctor_follow.examine(pair.two.context, is_served=True)
    assert said in next(findings).text
    pair.two.set(policy.GLOBAL, "follow", "off")
    pair.turn()
    assert pair.kept() == []
    assert pair.state == FollowState()


def test_a_property_that_was_unset(pair: Pair) -> None:
    """Unset is `off`: its folder is still there."""
    pair.ship()
    pair.settle()
    pair.two.files.delete(policy.OURS, policy.GLOBAL, "follow")

    pair.turn()

    assert pair.kept() == []


def test_a_registry_that_is_away(pair: Pair, logged: Lines) -> None:
    """What is here stays, also for a new process, and the reason is shown once."""
    first = pair.ship()
    pair.settle()
    pair.follower = follower.Follower(
        context=lambda: pair.two.context, interval_seconds=60
    )
    pair.one.cut_registry()

    assert pair.turn() == []
    pair.turn()

    assert pair.kept() == [first]
    assert "does not answer" in pair.state.repositories[0].problem
    events = [line["event"] for line in logged]
    assert events.count("follow.interrupted") == 1
    pair.one.cut_registry(is_down=False)
    second = pair.ship()
    pair.two.clock.seconds += 600
    pair.settle()
    assert pair.kept() == [second]
    assert "follow.resumed" in [line["event"] for line in logged]


def test_records_that_are_gone(pair: Pair) -> None:
    """A registry that lost its records does not take what is here."""
    digest = pair.ship()
    pair.settle()
    pair.one.registry.manifests.clear()
    pair.two.clock.seconds += 3600

    assert pair.turn() == []
    assert pair.kept() == [digest]
    assert "release-records on" in pair.state.repositories[0].problem


def test_a_full_disk(pair: Pair) -> None:
    """Nothing is pulled above the marks, before or during a pull."""
    pair.ship()
    (asked,) = pair.turn()
    pair.two.context = dataclasses.replace(
        pair.two.context, disk_percents=(90, 80), used_percent=lambda _folder: 85.0
    )

    outcome = pair.run(asked)

    assert "85 % of the disk" in outcome.detail
    assert pair.two.engine.asked == []
    assert pair.kept() == []

    pair.two.clock.seconds += 3600
    used = iter([10.0, 10.0, 95.0])
    pair.two.context = dataclasses.replace(
        pair.two.context, used_percent=lambda _folder: next(used)
    )
    assert "95 % of the disk" in pair.run(asked).detail
    assert pair.kept() == []


def test_too_few_bytes(pair: Pair) -> None:
    """The setting of heals counts here too."""
    pair.ship()
    (asked,) = pair.turn()
    pair.two.context = dataclasses.replace(
        pair.two.context, free_bytes=lambda _folder: 1 << 20
    )

    assert "heal.min_free_disk_mb" in pair.run(asked).detail
    assert pair.two.engine.asked == []


def test_deploys_go_first(pair: Pair) -> None:
    """While a job of this host uses a registry, no pull begins."""
    pair.ship()
    (asked,) = pair.turn()
    pair.two.context = dataclasses.replace(pair.two.context, is_busy=lambda: True)

    with pytest.raises(errors.PreemptedError):
        pair.run(asked)

    assert pair.two.engine.asked == []


def test_something_removes_it(pair: Pair) -> None:
    """An image that is pruned after each pull comes back, but less and less often."""
    pair.ship()
    pair.settle()
    (name,) = pair.two.names()
    digest = pair.kept()[0]
    pair.two.engine.untag(f"{REPOSITORY}@{digest}")
    pair.two.engine.lose(name)

    assert pair.turn() == []
    assert pair.state.lacking[0].reason == following.REMOVED
    pair.two.clock.seconds += 600
    pair.settle()
    assert pair.kept() == [digest]


def test_the_login_of_an_app(pair: Pair) -> None:
    """The app of this host that pushes there gives its login; else it is global."""
    pair.ship()
    asked_for: list[tuple[str, str]] = []
    known = pair.two.credentials.resolve
    pair.two.credentials.resolve = lambda app, domain: (  # type: ignore[method-assign]
        asked_for.append((app, domain)) or known(app, domain)  # type: ignore[func-returns-value]
    )
    pair.settle()
    assert {app for app, _ in asked_for} == {""}

    asked_for.clear()
    pair.two.create_app()
    pair.ship()
    pair.settle()

    assert {app for app, _ in asked_for} == {"web"}


def test_a_host_of_the_same_name(pair: Pair) -> None:
    """A host cannot follow itself, and says so."""
    pair.two.context = dataclasses.replace(pair.two.context, host="one.example")
    pair.ship()

    assert pair.turn() == []
    assert "this host's name too" in pair.state.repositories[0].problem


def test_the_budget(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry gets no more questions in an hour than checks may ask."""
    monkeypatch.setattr(check_turns, "REQUESTS_PER_HOUR", 50)
    pair.ship()
    pair.settle()
    pair.two.registry.calls.clear()
    for _ in range(60):
        pair.two.clock.seconds += 1
        pair.turn()

    assert len(pair.two.registry.calls) <= 50


def test_a_budget_that_others_use_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that has not looked for an hour does not say that it is up to date."""
    pair.ship()
    pair.settle()
    looked_at = pair.state.repositories[0].looked_at
    pair.ship()
    known = check_turns.REQUESTS_PER_HOUR
    monkeypatch.setattr(check_turns, "REQUESTS_PER_HOUR", 0)

    pair.turn()
    assert pair.state.behind_since is None
    pair.two.clock.seconds += 3600
    pair.turn()

    assert "asked enough" in pair.state.repositories[0].problem
    assert pair.state.behind_since == looked_at
    monkeypatch.setattr(check_turns, "REQUESTS_PER_HOUR", known)
    pair.settle()
    assert pair.state.behind_since is None
    assert pair.state.repositories[0].problem == ""


def test_it_ends_while_an_image_is_pulled(pair: Pair) -> None:
    """A name that a job gave after the last look is found all the same."""
    pair.ship()
    (asked,) = pair.turn()
    pair.run(asked)
    pair.two.set(policy.GLOBAL, "follow", "off")

    pair.turn()

    assert pair.two.engine.images() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"com.dokku.registryd.host": "../../x; rm -rf /"},
        {"org.opencontainers.image.version": "9223372036854775806"},
        {"com.dokku.registryd.host": "r.example/evil:1@sha256:" + "f" * 64},
        {"com.dokku.app-name": "a" * 63},
        {"org.opencontainers.image.revision": "\x1b[31m" + "x" * 10_000},
    ],
)
def test_a_hostile_record(pair: Pair, changed: dict[str, str]) -> None:
    """Its image is that of a number in the followed repository, in any case."""
    digest = pair.ship()
    put_record(pair, f"{REPOSITORY}@{digest}", changed)
    pair.settle()

    assert set(pair.kept()) == {digest}
    assert {name for _, name in pair.two.engine.asked} == {f"{REPOSITORY}@{digest}"}
    for name in pair.two.names():
        assert name.startswith(f"{followed_names.HOST}/")


def test_a_record_that_says_nothing(pair: Pair) -> None:
    """Without host, app, number or time it is none."""
    digest = pair.ship()
    pair.settle()
    for lacking in ("com.dokku.registryd.host", "com.dokku.app-name"):
        put_record(pair, f"{REPOSITORY}@{digest}", {lacking: ""})

    pair.two.clock.seconds += 3600

    assert pair.turn() == []
    assert pair.state.kept == 1


def put_record(pair: Pair, subject: str, changed: dict[str, str]) -> None:
    """Put a record beside a release, as any client may."""
    image = reference.parse(subject)
    manifest = pair.one.registry.manifest(image, auth=None)
    assert manifest is not None
    notes = {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.version": "1",
        "com.dokku.app-name": "web",
        "com.dokku.registryd.host": "evil.example",
        **changed,
    }
    record = release_records.artifact_of(manifest, notes)
    pair.one.registry.put_referrer(image, record, auth=None)


def test_a_preview(pair: Pair) -> None:
    """It says what the next turn does, and changes nothing."""
    pair.ship()
    pair.settle()
    pair.ship()
    pair.two.engine.asked.clear()

    found = follow_preview.look(pair.two.context)

    assert [item.is_here for item in found.plan.items] == [False]
    assert (found.problems, found.plan.removable) == ({}, ())
    assert pair.two.engine.asked == []
    asked = pair.turn()
    assert [one.tag for one in asked] == [found.plan.items[0].name]
    pair.run(asked[0])
    (gone,) = follow_preview.look(pair.two.context).plan.removable
    pair.turn()
    assert gone.name not in pair.two.names()


def test_a_preview_of_a_registry_that_is_away(pair: Pair) -> None:
    """What cannot be read is named, and nothing of it would go."""
    pair.ship()
    pair.settle()
    pair.one.cut_registry()

    found = follow_preview.look(pair.two.context)

    assert found.unread == {REPOSITORY}
    assert "does not answer" in found.problems[REPOSITORY]
    assert found.plan == following.Plan()


@pytest.mark.parametrize("method", ["digest", "referrers"])
def test_a_number_of_something_else(pair: Pair, method: str) -> None:
    """An artifact that no Engine runs takes nothing from the others."""
    first = pair.ship()
    pair.settle()
    second = pair.ship()
    refusal = errors.ForeignManifestError("it is a chart")
    pair.two.registry.fail(method, refusal)

    assert pair.turn() == []
    assert (pair.kept(), pair.state.repositories[0].problem) == ([first], "")
    pair.settle()

    assert pair.kept() == [second]


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"manifests": 7}'])
def test_a_list_that_is_none(pair: Pair, body: bytes) -> None:
    """A broken list of one release takes nothing from the others."""
    first = pair.ship()
    pair.settle()
    second = pair.ship()
    pair.one.registry.lists_referrers = False
    tag = referrers.tag_of(second)
    pair.one.registry.store(
        f"{REPOSITORY}:{tag}", Manifest(media_type=referrers.INDEX_TYPE, body=body)
    )

    assert pair.turn() == []
    assert (pair.kept(), pair.state.repositories[0].problem) == ([first], "")


BROKEN = [
    errors.UnusableAnswerError("it answers without a list"),
    errors.DigestMismatchError("its content has another digest"),
    errors.PermanentError("its answer is longer than 4 MiB"),
    errors.RegistryUnavailableError("the registry answers 500"),
]


@pytest.mark.parametrize("error", BROKEN, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("method", ["digest", "referrers"])
def test_a_record_that_is_broken(
    pair: Pair, method: str, error: errors.RegistrydError, logged: Lines
) -> None:
    """It hides itself only, is named, and supersedes nothing by an older one."""
    pair.ship()
    second = pair.ship()
    pair.settle()
    third = pair.ship()
    fourth = pair.ship()
    pair.two.clock.seconds += 3600
    pair.two.registry.fail(method, error)

    (asked,) = pair.turn()
    assert asked.image.endswith(third)
    (shown,) = pair.state.repositories
    assert shown.problem == f"the records of number 4 cannot be read: {error}"
    pair.run(asked)
    pair.settle()

    assert pair.kept() == [fourth]
    assert pair.state.repositories[0].problem == ""
    events = [line["event"] for line in logged if line["event"] in PROBLEMS]
    assert events == ["follow.interrupted", "follow.resumed"]
    assert second not in pair.kept()


def test_the_only_new_record_is_broken(pair: Pair) -> None:
    """What is known stays, also beyond the next full look."""
    first = pair.ship()
    pair.settle()
    pair.ship()
    for _ in range(3):
        pair.two.clock.seconds += 3600
        pair.break_number(2)

        assert pair.turn() == []
        (shown,) = pair.state.repositories
        assert "the records of number 2 cannot be read" in shown.problem
        assert pair.kept() == [first]
    assert pair.state.behind_since is not None


@pytest.mark.parametrize(
    "error",
    [
        errors.RegistryUnavailableError("the registry answers 500"),
        errors.RegistryBusyError("the registry answers 503"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_registry_that_fails_in_the_middle(
    pair: Pair, error: errors.RegistrydError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for all other numbers too."""
    for _ in range(6):
        pair.ship()
    asked = []

    def fail(image: reference.ImageReference, **_how: Any) -> str:
        asked.append(image.tag)
        raise error

    monkeypatch.setattr(pair.two.registry, "digest", fail)

    assert pair.turn() == []
    assert len(set(asked)) <= 2
    assert pair.state.repositories[0].problem == str(error)


def test_an_older_release_than_the_kept_one(pair: Pair) -> None:
    """A service that has just started pulls none while the newest is broken."""
    pair.ship()
    second = pair.ship()
    pair.settle()
    started = follower.Follower(context=lambda: pair.two.context, interval_seconds=60)
    pair.follower = started
    pair.two.registry.fail("referrers", *BROKEN[:1])

    assert pair.turn() == []
    assert pair.kept() == [second]


def test_a_look_that_fails_counts(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that breaks off each look gets no more questions for that."""
    monkeypatch.setattr(check_turns, "REQUESTS_PER_HOUR", 50)
    pair.ship()
    pair.two.registry.calls.clear()
    for _ in range(50):
        pair.two.clock.seconds += 60
        pair.two.registry.failures.clear()
        pair.two.registry.fail("referrers", errors.RegistryUnavailableError("reset"))
        pair.turn()

    assert 3 < len(pair.two.registry.calls) <= 50


@pytest.mark.parametrize("is_broken", [False, True], ids=["no record", "broken"])
def test_a_number_in_vain_leaves_reads_for_a_release(
    pair: Pair, is_broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that counts pulls is not asked for its records in each look."""
    domain = reference.parse(REPOSITORY).domain
    monkeypatch.setattr(check_turns, "READS", {domain: 30})
    pair.ship()
    pair.settle()
    vain = Manifest(media_type=protocol.MANIFEST_TYPES[0], body=b'{"layers": []}')
    pair.one.registry.store(f"{REPOSITORY}:2", vain)
    listed = pair.one.registry.referrers

    def refuse(image: reference.ImageReference, kind: str, **how: Any) -> Any:
        if image.digest == vain.digest:
            raise errors.UnusableAnswerError("it answers without a list")
        return listed(image, kind, **how)

    if is_broken:
        monkeypatch.setattr(pair.one.registry, "referrers", refuse)
    for _ in range(50):
        pair.two.clock.seconds += 60
        pair.turn()
    digest = pair.ship()

    (asked,) = pair.turn()
    assert asked.image.endswith(digest)


def test_full_looks_leave_reads_for_a_release(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that counts pulls is asked for new releases all day."""
    domain = reference.parse(REPOSITORY).domain
    monkeypatch.setattr(check_turns, "READS", {domain: 30})
    for _ in range(12):
        pair.ship()
    for _ in range(6):
        pair.settle()
        pair.two.clock.seconds += 3600
    found = []
    for _ in range(3):
        digest = pair.ship()
        found.append([one.image.endswith(digest) for one in pair.turn()])

    assert found == [[True]] * 3


def test_an_engine_that_is_away(pair: Pair, logged: Lines) -> None:
    """The turn is left to the next, and the reason is shown until then."""
    pair.ship()
    pair.settle()
    pair.two.engine.is_down = True

    pair.follower.take_turn()

    assert pair.state.kept == 1
    assert "does not answer" in pair.state.problem
    assert logged[-1]["event"] == "follow.postponed"
    pair.two.engine.is_down = False
    pair.follower.take_turn()
    assert pair.state.problem == ""


def test_a_bug_in_a_turn(
    pair: Pair, logged: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the thread goes on; at the end of the service it is not."""

    def break_down(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(following, "plan", break_down)

    pair.follower.take_turn()
    assert [line["event"] for line in logged if "follow" in line["event"]] == [
        "follow.crashed"
    ]
    pair.follower.stop()
    pair.follower.take_turn()

    assert [line["event"] for line in logged].count("follow.crashed") == 1


def test_the_service_stops_while_it_waits(pair: Pair) -> None:
    """A look that waits for a registry with a limit ends, and keeps what it knows."""
    pair.ship()
    slow = errors.RateLimitedError("slow down")
    pair.two.registry.fail("digest", slow, slow, slow)
    found = followed_repositories.FollowedRepositories()
    found.follow((REPOSITORY,), pair.two.clock.now())

    def is_over() -> bool:
        return any(method == "digest" for method, _ in pair.two.registry.calls)

    pair.two.registry.calls.clear()
    with pytest.raises(errors.PreemptedError, match="the service stops"):
        found.look(pair.two.context, is_over)

    assert [method for method, _ in pair.two.registry.calls] == ["tags", "digest"]
    assert found.read("two.example")[REPOSITORY].problem == ""


def test_a_bug_in_one_repository(pair: Pair, logged: Lines) -> None:
    """It is logged with the repository; others are read, and it is read later."""
    digest = pair.ship()
    pair.two.set(policy.GLOBAL, "follow", f"{REPOSITORY},a.example/org/api")
    pair.two.registry.fail("tags", KeyError("a bug"))

    pair.follower.take_turn()

    crash = next(line for line in logged if line["event"] == "follow.crashed")
    hit = crash["target"]
    assert hit in {REPOSITORY, "a.example/org/api"}
    assert crash["error"] == "KeyError"
    problems = {one.name: one.problem for one in pair.state.repositories}
    assert "a bug in dokku-registryd (KeyError)" in problems.pop(hit)
    (other,) = problems.values()
    assert "no other host has a record there" in other or not other
    pair.two.clock.seconds += 3600
    pair.settle()
    assert pair.kept() == [digest]


def test_another_interval(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload does not wait for the end of the interval before."""
    turned = threading.Event()
    monkeypatch.setattr(follower.Follower, "take_turn", lambda _self: turned.set())
    watch = follower.Follower(context=lambda: pair.two.context, interval_seconds=86_400)
    watch.start()
    try:
        watch.reload(interval_seconds=86_400)
        assert not turned.is_set()
        watch.reload(interval_seconds=0.1)
        until(turned.is_set, what="a turn")
    finally:
        watch.stop()
    assert not watch.is_alive()


def test_a_bug_ends_the_thread(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it saw last does not count as new."""

    class Broken(follower.Follower):
        def _seconds(self) -> float:
            raise RuntimeError

    monkeypatch.setattr(threading, "excepthook", lambda _end: None)
    watch = Broken(context=lambda: pair.two.context, interval_seconds=60)
    assert watch.state.problem == ""

    watch.start()
    watch.join(120)

    assert watch.state.problem.startswith("nothing is followed any more, since a bug ")
