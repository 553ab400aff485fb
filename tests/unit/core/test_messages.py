"""What a message says, as text and as JSON."""

import json

from dokku_registryd.core.notify.episodes import Due, Episode
from dokku_registryd.core.notify.messages import MOST_LISTED, MOST_SHOWN, Message
from dokku_registryd.core.notify.troubles import Kind

NOW = 1_700_000_000.0
FAILED = Kind.RELEASE_FAILED, "web"
LASTS = Episode(began_at=NOW - 60, text="the registry said: too large")
OVER = Episode(began_at=NOW - 60, ended_at=NOW, text="no answer")


def message(due: Due, *, lasting: int = 1) -> Message:
    """Return a message of the host web-1."""
    return Message(host="web-1", at=NOW, due=due, open=lasting)


def test_a_beginning() -> None:
    """The title says what happened, the text why and what to do."""
    made = message(Due(began={FAILED: LASTS}))

    assert made.title == "dokku-registryd on web-1: a release of web failed"
    assert made.text == (
        "A release of web failed.\n"
        "The registry said: too large.\n"
        "Since 2023-11-14 22:12:20 UTC.\n"
        "Correct the cause, then deploy web again.\n"
    )
    assert made.is_bad


def test_an_end() -> None:
    """The end names what is well again, and how long it was not."""
    made = message(Due(ended={FAILED: OVER}), lasting=0)

    assert made.title == "dokku-registryd on web-1: web has no failed release any more"
    assert made.text == (
        "Web has no failed release any more.\n"
        "It was in trouble since 2023-11-14 22:12:20 UTC.\n\n"
        "No other trouble is known.\n"
    )
    assert not made.is_bad


def test_one_that_came_and_went() -> None:
    """What ended before it could be told says so."""
    made = message(Due(passed={FAILED: OVER}), lasting=2)

    assert made.title.endswith("a release of web failed, and is over")
    assert "That ended at 2023-11-14 22:13:20 UTC." in made.text
    assert made.text.endswith("2 troubles last in total.\n")


def test_many() -> None:
    """A flood is one title with its number, and a text of limited length."""
    began = {(Kind.PUSH_DELAYED, f"app{number}"): LASTS for number in range(500)}

    made = message(Due(began=began), lasting=500)
    mixed = message(Due(began={FAILED: LASTS, **began}), lasting=501)

    assert made.title == "dokku-registryd on web-1: 500 delayed pushes"
    assert mixed.title == "dokku-registryd on web-1: 501 troubles"
    assert made.text.count("The push of") == MOST_SHOWN
    assert f"... and {500 - MOST_SHOWN} more." in made.text
    listed = made.as_json()
    assert len(listed["began"]) == MOST_LISTED
    assert listed["counts"] == {"began": 500, "ended": 0, "passed": 0}


def test_json() -> None:
    """The form for programs has each trouble with kind, subject, reason and times."""
    made = message(Due(began={FAILED: LASTS}, ended={(Kind.LOGIN_REFUSED, "x"): OVER}))

    document = json.loads(json.dumps(made.as_json()))

    assert {name: document[name] for name in ("version", "host", "at", "open")} == {
        "version": 1,
        "host": "web-1",
        "at": "2023-11-14 22:13:20 UTC",
        "open": 1,
    }
    assert document["began"] == [
        {
            "kind": "release_failed",
            "subject": "web",
            "reason": "the registry said: too large",
            "advice": "Correct the cause, then deploy web again.",
            "since": "2023-11-14 22:12:20 UTC",
            "until": None,
        }
    ]
    assert document["ended"][0]["until"] == "2023-11-14 22:13:20 UTC"


def test_foreign_texts_are_cut() -> None:
    """A long reason with control characters is one short line."""
    long = Episode(began_at=NOW, text="bad\x1b[31m\n" + "x" * 9000)

    reason = message(Due(began={FAILED: long})).as_json()["began"][0]["reason"]

    assert len(reason) < 600
    assert reason.isprintable()


def test_a_test() -> None:
    """A message without troubles says that it is a test."""
    made = message(Due(), lasting=0)

    assert made.title == "dokku-registryd on web-1: a test message"
    assert made.text == "Troubles of this host, and their end, will arrive here.\n"
    assert made.as_json()["counts"] == {"began": 0, "ended": 0, "passed": 0}
