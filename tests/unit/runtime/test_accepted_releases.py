"""Deploys that go on before their push is done, where something dies or refuses."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects.deploy import reply_writer
from watching import CrashError
from workshops import Workshop, open_workshop
from worlds import Host


@pytest.fixture
def shop(host: Host) -> Workshop:
    """Give a workshop that has released number 1; the registry is away since."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work_all()
    host.cut_registry()
    return shop


def test_a_record_that_cannot_be_written(host: Host, shop: Workshop) -> None:
    """A release whose record the disk refuses is tried again, and ends no thread."""
    refused = errors.TransientError("cannot write deployed/web: the disk is full")

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(host.files, name)

        def record_deployed(self, *_arguments: object) -> None:
            raise refused

    full = open_workshop(host, deployed=Full())
    host.leave(Kind.RELEASE, "2.1.1")
    full.intake.scan()

    assert full.work() == "2.1.1"

    assert full.waiting == ["2.1.1"]
    assert not host.release("2.1.1").is_deploy_continued
    assert (Line.WARNING, str(refused)) in host.reply("2.1.1")


@pytest.mark.parametrize("how", [errors.LedgerError("the disk is full"), CrashError()])
def test_a_release_that_fails_after_all(
    host: Host, shop: Workshop, how: BaseException
) -> None:
    """Dokku was to be answered with a release that then failed: it goes by the last."""
    update = host.ledger.update_release

    def refuse(job_id: str, **changes: object) -> object:
        if changes.get("is_deploy_continued"):
            raise how
        return update(job_id, **changes)  # type: ignore[arg-type]  # passed on

    host.ledger.update_release = refuse  # type: ignore[assignment,method-assign]
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()
    with pytest.raises(type(how)):
        shop.work()
    host.ledger.update_release = update  # type: ignore[method-assign]
    host.cut_registry(is_down=False)
    host.registry.fail("manifest", *[errors.AccessDeniedError("denied")] * 3)

    again = open_workshop(host)
    again.intake.resume()
    again.work_all()

    assert host.release("2.1.1").state is ReleaseState.FAILED
    assert host.deployed() == host.release().deployed


def test_an_answer_that_was_never_given(
    host: Host, shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook hears that its deploy goes on, though who was to say so has died."""

    def die(_voice: reply_writer.ReplyWriter, *, status: int) -> None:
        raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr(reply_writer.ReplyWriter, "finish", die)
        host.leave(Kind.RELEASE, "2.1.1")
        shop.intake.scan()
        with pytest.raises(CrashError):
            shop.work()
    assert host.release("2.1.1").is_deploy_continued

    open_workshop(host).intake.resume()

    assert host.reply("2.1.1")[-1] == (Line.EXIT, "0")


def test_another_registry_has_nothing_yet(host: Host, shop: Workshop) -> None:
    """An image is not late where its new registry never had it."""
    host.set("web", "server", "r2.example")
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()

    shop.work()

    assert not host.release("2.1.1").is_deploy_continued
    assert host.deployed() == host.release().deployed


def test_an_image_that_is_gone_but_had_arrived(host: Host) -> None:
    """A push that arrived before its process died is done, wherever its image is."""
    host.set("web", "push-policy", "background")
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    update = host.ledger.update_release

    def die(job_id: str, **changes: object) -> object:
        if changes.get("state") is ReleaseState.CONFIRMED:
            raise CrashError
        return update(job_id, **changes)  # type: ignore[arg-type]  # passed on

    host.ledger.update_release = die  # type: ignore[assignment,method-assign]
    with pytest.raises(CrashError):
        shop.work()
    host.ledger.update_release = update  # type: ignore[method-assign]
    for name in host.names():
        host.engine.lose(name)

    again = open_workshop(host)
    again.intake.resume()
    again.work_all()

    assert again.ending() == "done"
    assert host.release().state is ReleaseState.PUSHED
