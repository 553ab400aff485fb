"""The page `/status`: what the service writes is what the verb reads."""

import pytest

from dokku_registryd.core.status import status_page


def test_which_check_fails() -> None:
    """Each reason has the check below it; that of an older service has none."""
    text = "reason one\nreason two\ncheck engine\nsilent r.example 1 check\n"
    page = status_page.Page(text)

    assert page.failing == [("", "one"), ("engine", "two")]
    assert page.reasons == ["one", "two"]


def test_what_is_written_is_read() -> None:
    """Texts and numbers come back; what is not known has no line."""
    text = status_page.render(
        [
            ("ready", "no"),
            ("reason", "the Engine\nis away"),
            ("reason", "the disk is full"),
            ("engine", None),
            ("wanted", 24),
            ("swept_at", 1.5),
        ]
    )
    page = status_page.Page(text)

    assert text == (
        "ready no\nreason the Engine is away\nreason the disk is full\nwanted 24\n"
        "swept_at 1.5\n"
    )
    assert page.is_ready is False
    assert page.reasons == ["the Engine is away", "the disk is full"]
    assert (page.text("engine"), page.number("engine")) == (None, None)
    assert (page.number("wanted"), page.number("swept_at")) == (24, 1.5)


def test_troubles_of_logins() -> None:
    """Several come back, also with a blank in a name, or with what stands for it."""
    told = [
        ("login_refused", "r.example (web's login a%20 b)", "it says no"),
        ("login_expires", "r.example (the global login)", ""),
    ]
    text = status_page.render(
        (status_page.LOGIN, status_page.login(*trouble)) for trouble in told
    )

    assert status_page.Page(text).logins == told


@pytest.mark.parametrize(
    ("text", "is_ready"),
    [("", None), ("ready yes\n", True), ("ready no\n", False), ("later 1\n", None)],
)
def test_a_service_that_may_not_say(text: str, is_ready: bool | None) -> None:
    """A page of another version, or none, leaves it unknown."""
    assert status_page.Page(text).is_ready is is_ready


def test_silent_registries() -> None:
    """Each comes back with its time and reason; what cannot be read is left out."""
    said = status_page.silence("r.example:5000", 12.34, "no\nroute to host")
    text = status_page.render([("silent", said), ("silent", "r.example soon no")])

    assert status_page.Page(text).silent == [
        ("r.example:5000", 12.3, "no route to host")
    ]


@pytest.mark.parametrize("value", ["many", "nan", "inf", ""])
def test_no_number(value: str) -> None:
    """What is not a number is not known."""
    assert status_page.Page(f"wanted {value}\n").number("wanted") is None
