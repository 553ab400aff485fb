"""The thread that checks logins before a deploy needs them."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.notify.login_checks import MOST_ASKED, Standing
from dokku_registryd.core.notify.troubles import Kind
from dokku_registryd.core.status import unchecked
from dokku_registryd.runtime.login_watch import Found, LoginWatch
from worlds import SERVER, Host

Lines = list[MutableMapping[str, Any]]
HOUR = 3600.0


class Scene:
    """A host whose registry takes one password."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.is_renewed = False
        self.trouble: Exception | None = None
        self.interval = HOUR
        host.registry.logins[SERVER] = self.login("right")
        self.watch = self.build()

    def build(self) -> LoginWatch:
        """Return what a new process would start."""
        return LoginWatch(
            store=self.host.ledger,
            context=lambda: self.host.context,
            locate=self._locate,
            interval_seconds=self.interval,
        )

    @staticmethod
    def login(password: str, *, username: str = "ci") -> AuthConfig:
        """Return a login."""
        return AuthConfig(domain=SERVER, username=username, password=Secret(password))

    def log_in(self, password: str, app: str = "web", *, username: str = "ci") -> None:
        """Store an app's login; the empty app is the global one."""
        login = self.login(password, username=username)
        self.host.credentials.logins[app, SERVER] = login

    def wait(self, seconds: float, *, turns: int = 1) -> int:
        """Return how often the registry was asked in some turns, after some seconds."""
        before = self.asked
        for _ in range(turns):
            self.host.clock.seconds += seconds / turns
            self.watch.take_turn()
        return self.asked - before

    @property
    def asked(self) -> int:
        """How often the registry was asked."""
        return sum(method == "ping" for method, _ in self.host.registry.calls)

    def kinds(self) -> list[Kind]:
        """Return the kinds of troubles."""
        return [kind for kind, _ in self.watch.troubles or {}]

    def _locate(self, app: str, domain: str) -> Found | None:
        if self.trouble is not None:
            raise self.trouble
        auth = self.host.credentials.resolve(app, domain)
        return Found(auth, self.is_renewed) if auth else None


@pytest.fixture
def scene(host: Host) -> Scene:
    """Give a host with one app that pushes, with the right login."""
    made = Scene(host)
    made.log_in("right")
    return made


def test_once_an_hour(scene: Scene) -> None:
    """A login is asked for about once an hour; a good one makes no trouble."""
    assert scene.watch.troubles is None
    assert scene.watch.unchecked == unchecked.PENDING
    assert scene.wait(60) == 1
    assert scene.watch.unchecked == ""
    assert scene.wait(1800, turns=30) == 0
    assert scene.wait(1800, turns=30) == 1
    assert 22 <= scene.wait(24 * HOUR, turns=24 * 60) <= 32

    assert scene.watch.troubles == {}


def test_a_refused_login(scene: Scene, logged: Lines) -> None:
    """It is a trouble, and is not tried again until it changes, even after a start."""
    scene.log_in("wrong")
    assert scene.wait(60) == 1
    assert scene.kinds() == [Kind.LOGIN_REFUSED]
    assert scene.wait(10 * HOUR, turns=600) == 0
    scene.watch = scene.build()
    assert scene.wait(60) == 0
    assert scene.kinds() == [Kind.LOGIN_REFUSED]
    scene.log_in("right")
    assert scene.wait(60) == 1

    assert scene.watch.troubles == {}
    assert [line["event"] for line in logged] == ["login.refused", "login.restored"]


def test_shared_logins(scene: Scene) -> None:
    """Apps with the same login cost one question; an app's own login is another."""
    for number in range(20):
        scene.host.create_app(f"app{number}")
    del scene.host.credentials.logins["web", SERVER]
    scene.log_in("right", "")
    assert scene.wait(60) == 1
    scene.log_in("wrong", "app3")
    scene.wait(HOUR, turns=60)

    assert [subject for _, subject in scene.watch.troubles or {}] == [
        f"{SERVER} (app3's login ci)"
    ]


def test_a_budget(scene: Scene) -> None:
    """One registry is asked for few logins in a minute, and for all in time."""
    for number in range(60):
        scene.host.create_app(f"app{number}")
        scene.log_in("right", f"app{number}")

    assert scene.wait(60) == MOST_ASKED
    assert scene.watch.unchecked == unchecked.PENDING
    assert scene.wait(600, turns=10) == 61 - MOST_ASKED
    assert scene.watch.unchecked == ""


def test_an_outage(scene: Scene) -> None:
    """A registry that does not answer is asked once in a turn, and refuses nothing."""
    for number in range(5):
        scene.host.create_app(f"app{number}")
        scene.log_in("right", f"app{number}")
    scene.host.cut_registry()

    assert scene.wait(60) == 1
    assert scene.watch.unchecked == unchecked.UNANSWERED
    assert scene.watch.troubles == {}


def test_an_accepted_login_without_an_answer(scene: Scene) -> None:
    """What it has said before proves nothing now: a web page may stand there now."""
    scene.wait(60)
    assert scene.watch.unchecked == ""
    scene.host.registry.fail("ping", errors.PermanentError("a web page answers"))

    assert scene.wait(HOUR, turns=60) == 1
    assert scene.watch.unchecked == unchecked.UNANSWERED
    assert scene.watch.troubles == {}
    assert scene.wait(HOUR, turns=60) == 1
    assert scene.watch.unchecked == ""


def test_a_paused_registry(scene: Scene) -> None:
    """While a registry asks for fewer requests it is not asked about logins either."""
    scene.host.registry.fail("ping", errors.RateLimitedError("slow down"))
    scene.wait(60)

    assert scene.watch.troubles == {}


def test_a_helper_that_fails(scene: Scene) -> None:
    """A login that cannot be read is a trouble without a question."""
    scene.trouble = errors.AuthenticationError("the helper is not installed")
    assert scene.wait(60) == 0
    assert list((scene.watch.troubles or {}).values()) == [
        "the helper is not installed"
    ]
    scene.trouble = None
    assert scene.wait(60) == 1

    assert scene.watch.troubles == {}


def test_a_bug_in_one_question(scene: Scene, logged: Lines) -> None:
    """It is logged with app and registry, and the other logins are checked."""
    scene.host.create_app("api")
    scene.log_in("wrong", "api")
    scene.host.create_app("site")
    scene.log_in("wrong", "site")
    scene.host.registry.fail("ping", KeyError("a bug"))

    scene.watch.take_turn()

    (crash,) = [line for line in logged if line["event"] == "login.crashed"]
    assert (crash["app"], crash["domain"]) == ("api", SERVER)
    assert crash["error"] == "KeyError"
    assert scene.kinds() == [Kind.LOGIN_REFUSED]
    scene.wait(2 * HOUR, turns=120)
    assert len(scene.kinds()) == 2


def test_a_bug_in_each_question(scene: Scene, logged: Lines) -> None:
    """What is known of a login stays, and each is asked for once an hour only."""
    scene.log_in("wrong")
    scene.wait(60)
    scene.watch = scene.build()
    scene.trouble = KeyError("a bug")

    scene.wait(1800, turns=30)

    assert [line["event"] for line in logged] == ["login.refused", "login.crashed"]
    assert scene.kinds() == [Kind.LOGIN_REFUSED]


def test_an_app_that_is_gone(scene: Scene) -> None:
    """With its app a login is forgotten, and so is its trouble."""
    scene.log_in("wrong")
    scene.wait(60)
    assert scene.kinds() == [Kind.LOGIN_REFUSED]
    scene.host.destroy_app()
    scene.wait(600, turns=10)

    assert scene.watch.troubles == {}
    assert scene.host.ledger.login_checks() == []


def test_another_user(scene: Scene) -> None:
    """The check of a user whose login was replaced is forgotten."""
    scene.log_in("wrong", username="old")
    scene.wait(60)
    scene.log_in("right")
    scene.wait(60)

    checks = scene.host.ledger.login_checks()
    assert [(one.username, one.standing) for one in checks] == [
        ("ci", Standing.ACCEPTED)
    ]
    assert scene.watch.troubles == {}


def test_no_secret_is_kept(scene: Scene, logged: Lines) -> None:
    """Neither the ledger nor the log has the password or a whole hash of it."""
    scene.log_in("hunter2secret")
    scene.wait(60)
    content = (scene.host.folder / "data" / "ledger.sqlite3-wal").read_bytes()

    assert b"hunter2secret" not in content
    assert "hunter2secret" not in str(logged)


def test_switched_off(scene: Scene) -> None:
    """An interval of 0 asks nothing."""
    scene.interval = 0
    scene.watch = scene.build()

    assert scene.wait(10 * HOUR) == 0
    assert scene.watch.troubles == {}
    assert scene.watch.unchecked == unchecked.OFF


def test_switched_off_after_a_refusal(scene: Scene) -> None:
    """Nothing would show that the login works again, so it is not told any more."""
    scene.log_in("wrong")
    scene.wait(60)
    assert scene.host.ledger.login_checks()

    scene.watch.reload(locate=scene._locate, interval_seconds=0)
    scene.wait(60)

    assert scene.host.ledger.login_checks() == []
    assert scene.watch.troubles == {}
