"""`push`: an operator's wish, left in the spool like any trigger."""

import threading

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from support.calling import Called, Caller
from support.waiting import until


@pytest.mark.parametrize("name", ["shop", "../web", "UPPER"])
def test_an_app_that_does_not_exist(caller: Caller, name: str) -> None:
    """A name that is not an app of this host is refused, and no file is written."""
    (caller.home / "UPPER").mkdir()

    with pytest.raises(errors.RegistrydError, match=f"^App {name} does not exist$"):
        caller.call("push", name)
    assert caller.spool.pending() == 0


def test_a_wish_and_its_answer(caller: Caller, lock: spool.SpoolLock) -> None:
    """The daemon gets one trigger, and the operator what it answers."""
    (caller.home / "web").mkdir()
    done: list[Called] = []
    asking = threading.Thread(target=lambda: done.append(caller.call("push", "web")))
    asking.start()

    (found,) = until(lambda: list(caller.spool.scan(set())))
    assert isinstance(found, spool.Found)
    caller.replies.write(found.trigger_id, Line.HEADLINE, "Pushing image to registry")
    caller.replies.write(found.trigger_id, Line.DETAIL, "the registry has it")
    caller.replies.write(found.trigger_id, Line.EXIT, "0")
    asking.join(120)

    assert found.trigger == triggers.Trigger(kind=Kind.PUSH, app="web")
    assert done == [
        Called(
            status=0,
            lines=[
                "-----> Pushing image to registry",
                "       the registry has it",
            ],
        )
    ]
