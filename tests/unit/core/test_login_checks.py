"""When a login is checked, and what follows from the answer."""

from dataclasses import replace

import pytest

from dokku_registryd.core.auth.expiry import Validity
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.notify import login_checks
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.notify.troubles import Kind

NOW = 1_700_000_000.0
HOUR = 3600.0
LOGIN = AuthConfig(
    domain="r.example", username="ci", password=Secret("one"), owner="web"
)
CHANGED = replace(LOGIN, password=Secret("two"))
CHECK = Check(
    domain="r.example",
    owner="web",
    username="ci",
    mark=login_checks.mark_of(LOGIN, "5a17"),
    standing=Standing.ACCEPTED,
    asked_at=NOW - HOUR,
)
REFUSED = replace(CHECK, standing=Standing.REFUSED, reason="wrong password")


@pytest.mark.parametrize(
    ("known", "auth", "is_due"),
    [
        pytest.param(None, LOGIN, True, id="never-asked"),
        pytest.param(CHECK, LOGIN, True, id="an-hour-ago"),
        pytest.param(replace(CHECK, asked_at=NOW - 60), LOGIN, False, id="recently"),
        pytest.param(replace(CHECK, asked_at=NOW - 60), CHANGED, True, id="changed"),
        pytest.param(REFUSED, LOGIN, False, id="refused"),
        pytest.param(REFUSED, CHANGED, True, id="refused-and-changed"),
        pytest.param(
            replace(REFUSED, asked_at=NOW - 25 * HOUR), LOGIN, True, id="a-day-later"
        ),
        pytest.param(replace(CHECK, asked_at=NOW + 9), LOGIN, True, id="clock-back"),
    ],
)
def test_when(known: Check | None, auth: AuthConfig, is_due: bool) -> None:
    """About once an hour; a refused login waits until it changes, or for a day."""
    assert login_checks.is_due(known, auth, now=NOW, interval=HOUR) is is_due


def after(
    answer: Standing,
    *,
    known: Check | None = CHECK,
    auth: AuthConfig = LOGIN,
    validity: Validity | None = None,
) -> Check:
    """Return the check after an answer."""
    return login_checks.after(
        known,
        auth,
        domain="r.example",
        salt="5a18",
        answer=(answer, "it said so"),
        validity=validity,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("made", "standing"),
    [
        pytest.param(after(Standing.REFUSED), Standing.REFUSED, id="refused"),
        pytest.param(after(Standing.UNKNOWN), Standing.ACCEPTED, id="no-answer"),
        pytest.param(
            after(Standing.UNKNOWN, known=REFUSED), Standing.REFUSED, id="still-refused"
        ),
        pytest.param(
            after(Standing.UNKNOWN, known=REFUSED, auth=CHANGED),
            Standing.UNKNOWN,
            id="changed-and-no-answer",
        ),
        pytest.param(
            after(Standing.ACCEPTED, known=REFUSED), Standing.ACCEPTED, id="accepted"
        ),
        pytest.param(
            after(Standing.ACCEPTED, validity=Validity(NOW + 60)),
            Standing.EXPIRING,
            id="expires-soon",
        ),
        pytest.param(
            after(Standing.ACCEPTED, validity=Validity(NOW + 30 * 24 * HOUR)),
            Standing.ACCEPTED,
            id="expires-later",
        ),
        pytest.param(
            after(Standing.REFUSED, validity=Validity(NOW - 60)),
            Standing.REFUSED,
            id="has-expired",
        ),
    ],
)
def test_standing(made: Check, standing: Standing) -> None:
    """What a registry does not answer changes nothing, unless the login is another."""
    assert made.standing is standing
    assert made.asked_at == NOW


def test_the_mark_follows_the_login() -> None:
    """After a question the mark is that of the login that was asked for."""
    made = after(Standing.ACCEPTED, auth=CHANGED)

    assert login_checks.has_mark(CHANGED, made.mark)
    assert not login_checks.has_mark(LOGIN, made.mark)


def test_troubles() -> None:
    """A refused login and one that expires are named with app and user."""
    expiring = replace(
        CHECK, owner="", standing=Standing.EXPIRING, expires_at=NOW + 3 * HOUR
    )

    found = login_checks.find_troubles([CHECK, REFUSED, expiring], now=NOW)

    assert found == {
        (Kind.LOGIN_REFUSED, "r.example (web's login ci)"): "wrong password",
        (Kind.LOGIN_EXPIRES, "r.example (the global login ci)"): (
            "its token is valid for 3 more hours, and no credential helper renews it"
        ),
    }


def test_a_mark_says_little() -> None:
    """A mark has two bytes of a hash: very many secrets have the same."""
    marks = {
        login_checks.mark_of(replace(LOGIN, password=Secret(str(number))), "5a17")
        for number in range(500)
    }

    assert {len(mark) for mark in marks} == {len("5a17:") + 4}
    assert len(marks) > 450
