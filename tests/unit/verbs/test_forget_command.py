"""`forget`: by hand, what no sweep does."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from support.calling import Caller

ASKED = (
    "this permanently removes properties, logins (also in credential helpers) and"
    " releases of web. If web was destroyed, run: dokku-registryd forget web --yes"
)


def leave_properties(caller: Caller) -> None:
    """Leave what an app has that was destroyed without a hook."""
    for plugin in ("registry", "registryd"):
        folder = caller.config_root / plugin / "web"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    (caller.data_dir / "deployed").mkdir()
    (caller.data_dir / "deployed" / "web").write_text("\nweb\n1\n")
    (caller.home / "api").mkdir()


def left(caller: Caller) -> tuple[int, int, int, list[Kind]]:
    """Return how many folders, records and moved folders there are, and triggers."""
    caller.spool.prepare()
    spool = caller.spool.new
    return (
        len([*caller.config_root.glob("*/web")]),
        len([*caller.data_dir.glob("deployed/*")]),
        len([*caller.data_dir.glob("forgotten/web.*/*")]),
        [triggers.parse(file.read_bytes()).kind for file in spool.iterdir()],
    )


def test_it_asks(caller: Caller) -> None:
    """Without `--yes` it says what it would do, and does nothing."""
    leave_properties(caller)

    done = caller.call("forget", "web")

    assert (done.status, done.text) == (1, "")
    assert ASKED in caller.complaints
    assert left(caller) == (2, 1, 0, [])


def test_it_does_what_the_hook_does(caller: Caller) -> None:
    """Everything is moved out of the way, and the trigger is that of the hook."""
    leave_properties(caller)

    done = caller.call("forget", "web", "--yes")

    assert done.status == 0
    assert left(caller) == (0, 0, 2, [Kind.DESTROYED])


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_an_app_that_is_there(caller: Caller, kind: str) -> None:
    """While anything of the app's name is in Dokku's root it is not forgotten."""
    leave_properties(caller)
    place = caller.home / "web"
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(caller.home / "nowhere")
    else:
        place.write_text("")

    with pytest.raises(errors.RegistrydError, match="dokku apps:destroy web"):
        caller.call("forget", "web", "--yes")

    assert left(caller) == (2, 1, 0, [])


def test_a_root_that_cannot_be_read(caller: Caller) -> None:
    """Where it cannot be seen whether the app is there, nothing is done."""
    leave_properties(caller)
    (caller.home / "api").rmdir()
    caller.home.rmdir()

    with pytest.raises(errors.RegistrydError, match="cannot read"):
        caller.call("forget", "web", "--yes")

    assert left(caller) == (2, 1, 0, [])


def test_a_doubt_is_said(caller: Caller) -> None:
    """Where no app is seen at all, the question says so."""
    leave_properties(caller)
    (caller.home / "api").rmdir()
    (caller.home / ".ssh").mkdir()

    caller.call("forget", "web")

    assert "Is its disk mounted?" in caller.complaints[0]


def test_nothing_is_left(caller: Caller) -> None:
    """A name that has nothing, such as a mistyped one, needs nothing."""
    (caller.home / "api").mkdir()

    assert caller.call("forget", "wbe", "--yes").text == "There is no data of wbe."


def test_odd_names(caller: Caller) -> None:
    """What cannot be an app becomes no part of a path."""
    with pytest.raises(errors.RegistrydError, match="not an app name"):
        caller.call("forget", "../web", "--yes")
