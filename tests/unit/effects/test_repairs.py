"""`push` for a release of which the registry lost a part."""

import json
from dataclasses import replace

import pytest
import structlog

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.hook import replies
from dokku_registryd.core.image import images
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Standing
from dokku_registryd.effects import release, repush, sweep
from fakes_relay import layer_of
from worlds import REPOSITORY, Host

DEPLOYED = f"{REPOSITORY}:1"


def run_push(host: Host, job_id: str = "5.1.1") -> outcomes.Outcome:
    """Push the deployed release once."""
    outcome = host.perform(repush.perform, host.add_job(Kind.PUSH, job_id))
    assert outcome is not None
    return outcome


def lose_layer(host: Host) -> str:
    """Let the registry lose the layer of release 1, and return its digest."""
    layer, _ = layer_of(host.release().image_id)
    del host.registry.blobs[REPOSITORY, layer]
    return layer


def standing(host: Host) -> Standing:
    """Return what the ledger knows of release 1."""
    known = host.ledger.check_of("1.1.1")
    return known.standing if known else Standing.UNCHECKED


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1, pushed through the relay."""
    host.use_relay()
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.engine.asked.clear()
    return host


def test_a_lost_layer_is_sent_again(released: Host) -> None:
    """The Engine sends it below the number, which is not put again."""
    before = (released.tags(), released.names())
    layer = lose_layer(released)
    released.registry.calls.clear()

    outcome = run_push(released)

    assert outcome == outcomes.done(
        f"sent again: layer {layer}",
        reference=DEPLOYED,
        digest=released.release().digest,
    )
    assert (released.tags(), released.names()) == before
    assert "put_manifest" not in {method for method, _ in released.registry.calls}
    assert standing(released) is Standing.COMPLETE
    assert (replies.Line.DETAIL, f"The registry lacks layer {layer}") in (
        released.reply("5.1.1")
    )


def test_a_second_push_has_nothing_to_do(released: Host) -> None:
    """What was repaired is not sent again."""
    lose_layer(released)
    run_push(released)
    released.engine.asked.clear()

    outcome = run_push(released, "6.1.1")

    assert (outcome.ending, outcome.detail) == (
        outcomes.Ending.SKIPPED,
        "the registry has it",
    )
    assert released.engine.asked == []
    digest = released.release().digest
    assert released.reply("6.1.1") == [
        (
            replies.Line.DETAIL,
            f"Checking release 1: {DEPLOYED}, digest {digest}",
        )
    ]


def test_the_log_says_when_it_is_complete_again(released: Host) -> None:
    """A push that finds a part missing says so, and says when it is there again."""
    lose_layer(released)

    with structlog.testing.capture_logs() as lines:
        run_push(released)

    events = [line["event"] for line in lines if line["event"].startswith("release.")]
    assert events == ["release.incomplete", "release.completed"]


def test_an_image_that_is_not_here(released: Host) -> None:
    """The message says what is missing, and that only a build brings it back."""
    layer = lose_layer(released)
    for name in released.names():
        released.engine.lose(name)

    with pytest.raises(errors.ImageNotFoundError) as caught:
        run_push(released)

    assert str(caught.value) == (
        f"cannot repair {DEPLOYED}: the registry lacks layer {layer}, and the image is"
        " not on this host. Rebuild the app with dokku ps:rebuild web"
    )
    assert standing(released) is Standing.INCOMPLETE


def test_an_engine_that_makes_other_layers(released: Host) -> None:
    """What is missing after the push too cannot be repaired; the message says so."""
    digest = released.release().digest
    gone = f"sha256:{'9' * 64}"
    body = released.registry.manifests[REPOSITORY, "1"].body
    layer, _ = layer_of(released.release().image_id)
    older = replace(
        released.registry.manifests[REPOSITORY, "1"],
        body=body.replace(layer.encode(), gone.encode()),
    )
    released.registry.store(DEPLOYED, older)
    released.ledger.update_release("1.1.1", digest=older.digest)
    del released.registry.blobs[REPOSITORY, gone]

    with pytest.raises(errors.PermanentError, match=f"still lacks layer {gone}"):
        run_push(released)

    assert digest != older.digest == released.tags()["1"]
    assert standing(released) is Standing.INCOMPLETE


def test_a_lost_manifest_is_put_again(released: Host) -> None:
    """A number whose manifest is gone by its digest gets the same one."""
    manifest = released.registry.manifests[REPOSITORY, "1"]
    released.registry.content[REPOSITORY].discard(manifest)

    outcome = run_push(released)

    assert outcome.detail == f"sent again: manifest {manifest.digest}"
    assert manifest in released.registry.content[REPOSITORY]
    assert released.tags() == {"1": manifest.digest}


def test_a_lost_child_of_an_index(released: Host) -> None:
    """It is put by its digest: the number keeps the released index."""
    child = released.registry.manifests[REPOSITORY, "1"]
    named = [{"mediaType": child.media_type, "digest": child.digest}]
    index = images.Manifest(
        media_type="application/vnd.oci.image.index.v1+json",
        body=json.dumps({"schemaVersion": 2, "manifests": named}).encode(),
    )
    released.registry.store(DEPLOYED, index)
    released.ledger.update_release("1.1.1", digest=index.digest)
    released.registry.content[REPOSITORY].discard(child)

    outcome = run_push(released)

    assert outcome.detail == f"sent again: manifest {child.digest}"
    assert released.tags() == {"1": index.digest}
    assert child in released.registry.content[REPOSITORY]
    assert run_push(released, "6.1.1").detail == "the registry has it"


def test_a_rebuild_of_an_incomplete_release(released: Host) -> None:
    """The Engine sends the same image again; its old manifest is not enough."""
    layer = lose_layer(released)
    released.relay.refusal = "it is switched off"
    with pytest.raises(errors.PermanentError):
        run_push(released)
    released.relay.refusal = ""
    released.engine.asked.clear()

    released.perform(release.perform, released.add_job(Kind.RELEASE, "7.1.1"))

    assert released.tags().keys() == {"1", "2"}
    assert [what for what, _ in released.engine.asked] == ["push"]
    assert (REPOSITORY, layer) in released.registry.blobs


def test_an_engine_that_pushes_directly(released: Host) -> None:
    """It might put another manifest under the number, so it pushes nothing."""
    layer = lose_layer(released)
    released.relay.refusal = "it is switched off"
    name = f"{REPOSITORY}@{released.release().digest}"
    released.engine._repo_digests[released.release().image_id].add(name)
    before = released.tags()

    with pytest.raises(errors.PermanentError, match=f"lacks layer {layer}, and the"):
        run_push(released)

    assert (released.engine.asked, released.tags()) == ([], before)


def test_a_registry_that_does_not_tell(released: Host) -> None:
    """Where parts cannot be read, nothing is sent, and the operator hears why."""
    released.registry.fail("has_blob", errors.AccessDeniedError("no reads", status=403))

    outcome = run_push(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert (
        replies.Line.WARNING,
        f"cannot tell whether the registry has all of {DEPLOYED}: no reads",
    ) in released.reply("5.1.1")
    assert released.engine.asked == []


def test_a_registry_that_lost_everything(released: Host) -> None:
    """A whole push is complete again, without another request."""
    released.registry.content.clear()
    released.registry.manifests.clear()
    released.registry.blobs.clear()
    before = released.ledger.check_of("1.1.1")
    assert before is not None
    gone = (f"manifest {before.digest}",)
    released.ledger.record_check(replace(before, missing=gone, lacking=1))

    assert run_push(released).detail == "pushed again"

    assert standing(released) is Standing.COMPLETE


def test_a_whole_push_by_the_engine_itself(released: Host) -> None:
    """It has shown nothing, so the next sweep asks the registry."""
    released.relay.refusal = "it is switched off"
    released.registry.content.clear()
    released.registry.manifests.clear()

    run_push(released)
    sweep.carry_out(released.context)

    assert standing(released) is Standing.UNCHECKED
    assert released.unchecked == ["web"]


def test_a_release_without_a_row(released: Host) -> None:
    """Without a ledger the release is repaired all the same."""
    layer = lose_layer(released)
    released.ledger.forget_app("web")

    assert run_push(released).detail == f"sent again: layer {layer}"


def test_a_check_during_a_repair(released: Host) -> None:
    """What an older check records meanwhile does not outlive the repair."""
    layer = lose_layer(released)
    digest = released.release().digest

    def interfere() -> None:
        known = completeness.shown("1.1.1", digest, parts=3, now=5.0)
        gone = (f"layer {layer}",)
        released.ledger.record_check(replace(known, missing=gone, lacking=1))

    released.engine.on_push = interfere

    run_push(released)

    assert standing(released) is Standing.COMPLETE


def test_no_secret_is_recorded(released: Host) -> None:
    """A registry that repeats the login in its refusal gets it into no ledger row."""
    login = logins.AuthConfig(
        domain="r.example", username="ci", password=logins.Secret("planted-4711")
    )
    released.credentials.logins["web", "r.example"] = login
    released.registry.fail(
        "has_blob", errors.AccessDeniedError("denied for planted-4711", status=403)
    )

    run_push(released)

    known = released.ledger.check_of("1.1.1")
    assert known is not None
    assert "planted" not in f"{known}"
    assert known.unread == "the registry does not let this login read it"
