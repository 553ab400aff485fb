"""An image goes to its registry by the relay, or by the Engine itself."""

import pytest
import structlog

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release, repush, sweep
from fakes_relay import HOST
from worlds import REPOSITORY, Host


@pytest.fixture(autouse=True)
def relay(host: Host) -> None:
    """Let the Engine hand over what it pushes."""
    host.use_relay()


def released(host: Host, job_id: str = "1.1.1") -> None:
    """Release the app's latest image."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))


def texts(host: Host, job_id: str = "1.1.1") -> str:
    """Return all that the deployer reads."""
    return "\n".join(text for _, text in host.reply(job_id))


def test_the_engine_gets_no_login_of_an_app(host: Host) -> None:
    """It pushes with a login of the relay's; the app's goes to the registry only."""
    login = logins.AuthConfig(
        domain="r.example", username="ci", password=logins.Secret("planted")
    )
    host.registry.logins["r.example"] = login
    host.credentials.logins["web", "r.example"] = login

    released(host)

    (used,) = host.engine.used_logins
    assert used is not None
    assert used.domain == HOST
    assert host.release().state is ReleaseState.PUSHED


def test_nothing_names_the_relay(host: Host) -> None:
    """What a deployer reads and what is on this host afterwards is what was before."""
    released(host)

    assert HOST not in texts(host)
    assert "1: digest: sha256:" in texts(host)
    assert host.passing() == []
    assert not [name for name in host.names() if name.startswith(HOST)]


def test_a_number_that_is_taken_meanwhile(host: Host) -> None:
    """What came under the number while layers were sent stays; ours gets the next."""
    theirs: list[str] = []
    host.engine.on_push = lambda: theirs.append(
        host.store(f"{REPOSITORY}:1", "foreign")
    )

    released(host)

    assert host.tags() == {"1": theirs[0], "2": host.release().digest}
    assert host.tag_version() == "2"
    assert "Tag 1 is taken by another image, bumping tag to 2" in texts(host)


def test_the_same_image_that_came_meanwhile(host: Host) -> None:
    """An attempt of ours that was thought dead has put it: that is a success."""

    def be_first() -> None:
        host.engine.on_push = lambda: None
        host.relay.refusal = "once"
        host.perform(push_directly, host.add_job(Kind.SWEEP, "0.0.1"))
        host.relay.refusal = ""

    def push_directly(*_arguments: object) -> outcomes.Outcome:
        host.engine.push(f"{REPOSITORY}:1", auth=None, on_progress=lambda _line: None)
        return outcomes.done()

    host.engine.on_push = be_first

    released(host)

    assert host.tags() == {"1": host.release().digest}
    assert host.tag_version() == "1"


def test_a_number_that_may_not_move(host: Host) -> None:
    """If the registry says so when the manifest is put, the number is taken."""
    host.registry.fail("put_manifest", errors.TagImmutableError("it is immutable"))

    released(host)

    assert set(host.tags()) == {"2"}


def test_a_refusal_is_the_registrys_own(host: Host) -> None:
    """What the registry says to us counts, and not what the Engine makes of it."""
    host.registry.fail("put_blob", errors.InvalidRequestError("413: too large"))

    with pytest.raises(errors.InvalidRequestError, match="413: too large"):
        released(host)

    assert host.tags() == {}
    assert host.passing() == []


def test_a_login_that_is_refused_is_renewed_once(host: Host) -> None:
    """A token that ended while layers were sent costs no attempt."""
    host.registry.fail("put_blob", errors.AuthenticationError("expired"))

    released(host)

    assert host.release().state is ReleaseState.PUSHED
    assert host.engine.asked == [("push", f"{REPOSITORY}:1")]


def test_a_registry_that_is_away_is_asked_again(host: Host) -> None:
    """Trouble while layers are sent is what it is for any request of ours."""
    host.registry.fail("put_blob", errors.RegistryUnavailableError("connection reset"))

    with pytest.raises(errors.RegistryUnavailableError, match="connection reset"):
        released(host)
    released_again = host.perform(release.perform, host.ledger.job("1.1.1").job)  # type: ignore[union-attr]

    assert released_again is not None
    assert host.tags() == {"1": host.release().digest}


def test_a_layer_is_sent_once_more(host: Host) -> None:
    """If an upload cannot be continued, the Engine pushes again in the same attempt."""
    broken = errors.RegistryUnavailableError("connection reset")
    host.registry.fail("put_blob", errors.SendAgainError(broken))

    with structlog.testing.capture_logs() as logged:
        released(host)

    assert host.tags() == {"1": host.release().digest}
    assert host.engine.asked == [("push", f"{REPOSITORY}:1")] * 2
    assert host.passing() == []
    repeated = [line for line in logged if line["event"] == "upload.repeated"]
    assert [line["error"] for line in repeated] == ["connection reset"]


def test_a_layer_is_not_sent_for_ever(host: Host) -> None:
    """The second time the reason of the upload's end is that of the attempt."""
    first = errors.SendAgainError(errors.RegistryUnavailableError("first"))
    reason = errors.InvalidRequestError("DIGEST_INVALID", status=400)
    host.registry.fail("put_blob", first, errors.SendAgainError(reason))

    with pytest.raises(errors.InvalidRequestError, match="DIGEST_INVALID"):
        released(host)

    assert host.tags() == {}
    assert host.passing() == []


def test_parts_that_vanish_are_looked_for_again(host: Host) -> None:
    """A registry that lacks parts it reported before is asked again."""
    host.registry.lacks_blobs.add(REPOSITORY)

    with pytest.raises(errors.RegistryUnavailableError, match="are checked again"):
        released(host)

    host.registry.lacks_blobs.clear()
    host.perform(release.perform, host.ledger.job("1.1.1").job)  # type: ignore[union-attr]
    assert host.tags() == {"1": host.release().digest}


def test_an_engine_that_does_not_reach_it_pushes_by_itself(host: Host) -> None:
    """Where it cannot log in at the relay everything is as it was without one."""
    host.engine.relay = None

    released(host)

    assert host.engine.used_logins == [None]
    assert host.tags() == {"1": host.release().digest}
    assert "blob_size" not in [method for method, _ in host.registry.calls]


def test_a_push_that_went_elsewhere(host: Host) -> None:
    """An Engine that stopped reaching us is found out, and pushes by itself."""
    host.relay.is_missed = True

    released(host)

    assert host.relay.losses == 1
    assert [login and login.domain for login in host.engine.used_logins] == [HOST, None]
    assert host.tags() == {"1": host.release().digest}
    assert host.passing() == []


@pytest.mark.parametrize("is_reached", [True, False])
def test_a_relay_that_is_insisted_on(host: Host, is_reached: bool) -> None:
    """A push fails rather than goes another way, and says why."""
    host.relay.must_be_used = True
    if is_reached:
        host.relay.is_missed = True
    else:
        host.engine.relay = None

    with pytest.raises(errors.TransientError, match=r"engine\.push_path is"):
        released(host)

    assert host.tags() == {}


def test_an_engine_that_is_away_says_nothing_of_the_way(host: Host) -> None:
    """The attempt ends, and the next one asks again."""
    host.engine.fail("log_in", errors.EngineUnavailableError("the Engine is away"))

    with pytest.raises(errors.EngineUnavailableError, match="away"):
        released(host)

    assert host.engine.asked == []


def test_a_name_that_cannot_be_taken_away_goes_later(host: Host) -> None:
    """An Engine that is away for a moment leaves the name to a sweep."""
    host.engine.fail("untag", errors.EngineUnavailableError("away for a moment"))

    released(host)
    (left,) = host.passing()
    sweep.carry_out(host.context)

    assert left.startswith(HOST)
    assert host.passing() == []
    assert f"{REPOSITORY}:1" in host.names()


def test_a_sweep_leaves_a_push_that_goes_on(host: Host) -> None:
    """A name of a running push stays, even during a sweep."""
    seen: list[str] = []

    def look() -> None:
        sweep.carry_out(host.context)
        seen.extend(host.passing())

    host.engine.on_push = look

    released(host)

    assert len(seen) == 1
    assert host.release().state is ReleaseState.PUSHED
    assert host.passing() == []


def test_a_push_by_hand_goes_the_same_way(host: Host) -> None:
    """What the registry lost comes back by the relay, under the number it had."""
    released(host)
    host.registry.manifests.clear()
    host.registry.content.clear()

    outcome = host.perform(repush.perform, host.add_job(Kind.PUSH, "2.1.1"))

    assert outcome is not None
    assert outcome.detail == "pushed again"
    assert host.tags() == {"1": host.release().digest}
    assert {login and login.domain for login in host.engine.used_logins} == {HOST}
    assert HOST not in texts(host, "2.1.1")


def test_a_push_by_hand_never_overwrites(host: Host) -> None:
    """An image put there while layers were sent is not touched."""
    released(host)
    host.registry.manifests.clear()
    theirs: list[str] = []
    host.engine.on_push = lambda: theirs.append(
        host.store(f"{REPOSITORY}:1", "foreign")
    )

    with pytest.raises(errors.DigestMismatchError, match="another client pushed there"):
        host.perform(repush.perform, host.add_job(Kind.PUSH, "2.1.1"))

    assert host.tags() == {"1": theirs[0]}
