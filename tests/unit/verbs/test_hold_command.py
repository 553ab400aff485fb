"""`hold`: it adds one hold, or ends one, and says which."""

import fcntl
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_edits
from dokku_registryd.adapters.files import folder_lock
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.releases import Release
from support import json_schemas
from support.calling import Caller
from support.waiting import until


@pytest.fixture(autouse=True)
def web(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Give an app with one release, which has the number 38."""
    (caller.home / "web").mkdir()
    book.reserve(
        Release(
            job_id="1.1.1",
            app="web",
            number=38,
            image_id="sha256:1",
            server="",
            image_repo="org/web",
            scheduler="docker-local",
        )
    )


def stored(caller: Caller) -> str | None:
    """Return the property."""
    path = caller.config_root / "registryd" / "web" / "hold"
    return path.read_text() if path.exists() else None


def test_an_app(caller: Caller) -> None:
    """An app is held with a reason, until that ends."""
    held = caller.call("hold", "web", "--reason", "freeze until Monday")

    assert held.lines == [
        "web is held (freeze until Monday): only a deploy replaces what it runs."
    ]
    assert stored(caller) == "all: freeze until Monday"
    freed = caller.call("hold", "web", "--off")
    assert freed.lines == ["web is not held: it may be rolled back and promoted to."]
    assert stored(caller) is None


def test_an_app_again(caller: Caller) -> None:
    """Who holds it again, to see why it is held, keeps the reason."""
    caller.call("hold", "web", "--reason", "freeze")

    again = caller.call("hold", "web")

    assert again.lines == ["web is held (freeze): only a deploy replaces what it runs."]
    assert stored(caller) == "all: freeze"


def test_releases_stay_held(caller: Caller) -> None:
    """The end of an app's hold ends none of a release, and says so."""
    caller.call("hold", "web", "38")

    freed = caller.call("hold", "web", "--off")

    assert freed.lines == [
        "web is not held: it may be rolled back and promoted to. Release 38 stays held."
    ]
    assert stored(caller) == "38"


def test_a_release(caller: Caller) -> None:
    """A release is held beside the app and other releases."""
    caller.call("hold", "web")
    held = caller.call("hold", "web", "38", "--reason", "good")

    assert held.lines == ["Release 38 of web is held (good): nothing removes it."]
    assert stored(caller) == "all; 38: good"
    assert caller.call("hold", "web", "38", "--off").lines == [
        "Release 38 of web is not held."
    ]
    assert stored(caller) == "all"
    assert caller.complaints == []


def test_two_at_once(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command waits for the edit of another one, and changes what that has left."""
    root = caller.config_root / "registryd"
    waits = threading.Event()
    lock = fcntl.flock

    def noted(descriptor: int, operation: int) -> None:
        try:
            lock(descriptor, operation)
        except BlockingIOError:
            waits.set()
            raise

    monkeypatch.setattr(fcntl, "flock", noted)

    with (
        ThreadPoolExecutor(1) as pool,
        property_edits.locked(root, "web") as folder,
    ):
        held = pool.submit(caller.call, "hold", "web", "38")
        until(lambda: held.done() or waits.is_set(), what="a command")
        folder.put("hold", "all: freeze")

    assert held.result().status == 0
    assert stored(caller) == "all: freeze; 38"


@pytest.mark.parametrize("verb", ["hold", "set", "unset"])
def test_a_command_that_was_stopped(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A lock that is never released ends in an error that names it."""
    root = caller.config_root / "registryd"
    monkeypatch.setattr(folder_lock, "MOST_SECONDS", 0.0)
    edits: dict[str, partial[Any]] = {
        "hold": partial(caller.call, "hold", "web", "38"),
        "set": partial(property_edits.put, root, "web", "heal", "true"),
        "unset": partial(property_edits.remove, root, "web", "heal"),
    }

    with (
        property_edits.locked(root, "web"),
        pytest.raises(errors.TransientError, match=r"fuser -v \S*/registryd/web"),
    ):
        edits[verb]()

    assert stored(caller) is None


def test_a_slip(caller: Caller) -> None:
    """A number that no release has is held, with a warning."""
    assert caller.call("hold", "web", "83").status == 0

    assert caller.complaints == [
        "No release 83 of web is recorded; it is held all the same"
    ]
    assert stored(caller) == "83"


def test_for_scripts(caller: Caller) -> None:
    """A script gets all holds of the app."""
    caller.call("hold", "web", "38", "--reason", "good")
    shown = caller.call("hold", "web", "--format", "json")

    document = json.loads("\n".join(shown.lines))
    json_schemas.check("hold", document)
    assert document == {
        "app": "web",
        "is_held": True,
        "reason": "",
        "releases": [{"number": 38, "reason": "good"}],
    }


def test_an_app_that_does_not_exist(caller: Caller) -> None:
    """It is refused, and nothing is written."""
    with pytest.raises(errors.RegistrydError, match="App shop does not exist"):
        caller.call("hold", "shop")

    assert not (caller.config_root / "registryd" / "shop").exists()
