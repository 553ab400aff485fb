"""A registry in back-off is left alone by those that it counts together, and no others.

The deploys that wait are the exception: each may ask now and then.
"""

import threading
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.registry.backoff import Direction
from dokku_registryd.effects import heal, release
from dokku_registryd.effects.registry import registry_session
from support.waiting import until
from worlds import SERVER, Host

Lines = list[MutableMapping[str, Any]]

LIMITED = errors.RateLimitedError("r.example/org/secret: slow down", retry_after=30.0)


def refuse(_auth: logins.AuthConfig | None) -> None:
    """Answer as a registry that has enough."""
    raise LIMITED


def answer(_auth: logins.AuthConfig | None) -> str:
    """Answer as a registry that serves this repository."""
    return "answer"


def must_not_ask(_auth: logins.AuthConfig | None) -> str:
    """Fail a test in which the registry is asked all the same."""
    return pytest.fail("it was asked")


def way_of(
    host: Host,
    app: str = "web",
    domain: str = SERVER,
    direction: Direction = Direction.PUSH,
    **more: Any,
) -> registry_session.RegistrySession:
    """Return an app's way into a registry."""
    more.setdefault("check", registry_session.to_the_end)
    return registry_session.RegistrySession(
        host.context, app=app, domain=domain, direction=direction, **more
    )


def waiter(waited: float, deadline: float = 900.0) -> backoff.Waiter:
    """Return a deploy that has waited for so long."""
    return backoff.Waiter(waited_seconds=waited, deadline_seconds=deadline)


def log_in(host: Host, app: str, username: str) -> None:
    """Give an app, or all that have none of their own, a login."""
    login = logins.AuthConfig(
        domain=SERVER, username=username, password=logins.Secret("a secret")
    )
    host.credentials.logins[app, SERVER] = login


def pause(host: Host, **more: Any) -> None:
    """Let the registry refuse one request."""
    with pytest.raises(errors.RateLimitedError):
        way_of(host, **more).call(refuse)


def test_a_wait_is_broken_off(host: Host) -> None:
    """An attempt that should end does so while it waits for its turn, too."""
    is_needed = True

    def check() -> None:
        if not is_needed:
            raise errors.PreemptedError("other jobs go first")

    def refuse_once(_auth: logins.AuthConfig | None) -> str:
        nonlocal is_needed
        is_needed = False
        raise errors.RateLimitedError("slow down")

    way = way_of(host, check=check)
    assert way.call(answer) == "answer"

    with pytest.raises(errors.PreemptedError):
        way.call(refuse_once)


def test_an_app_with_the_same_login_does_not_ask(host: Host) -> None:
    """What one app was refused, another one with its login does not ask meanwhile."""
    log_in(host, "", "ci")
    pause(host)

    with pytest.raises(errors.HeldBackError, match="for another 30 s") as caught:
        way_of(host, "api").call(must_not_ask)

    assert caught.value.retry_after == 32.0  # what is left, and a wait of its own
    assert "secret" not in str(caught.value)


def test_its_own_app_reads_the_refusal(host: Host) -> None:
    """Whose request it was reads what the registry said of it."""
    pause(host)

    with pytest.raises(errors.HeldBackError, match="org/secret: slow down"):
        way_of(host).call(must_not_ask)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param(("web", "ci"), ("api", "ci"), id="files-of-their-own"),
        pytest.param(("web", "ci"), ("", "ci"), id="own-and-global"),
        pytest.param(("web", "ci"), None, id="one-has-none"),
    ],
)
def test_another_login_is_served(
    host: Host, mine: tuple[str, str], theirs: tuple[str, str] | None
) -> None:
    """What an app was refused with its own login holds back no other login."""
    log_in(host, *mine)
    if theirs is not None:
        log_in(host, *theirs)
    pause(host)

    assert way_of(host, "api").call(answer) == "answer"


def test_a_login_that_was_changed(host: Host) -> None:
    """An account with higher limits does not wait for the pause of the one before."""
    log_in(host, "web", "free")
    pause(host)
    log_in(host, "web", "paid")

    assert way_of(host).call(answer) == "answer"


def test_anonymous_apps_share_a_pause(host: Host) -> None:
    """A registry knows those without a login by their address, which they share."""
    pause(host)

    with pytest.raises(errors.HeldBackError):
        way_of(host, "api").call(must_not_ask)


def test_a_pull_limit_stops_no_push(host: Host) -> None:
    """Registries limit pulls apart, so a push goes on; and the other way round."""
    pause(host, direction=Direction.PULL)

    assert way_of(host, direction=Direction.PUSH).call(answer) == "answer"
    with pytest.raises(errors.HeldBackError):
        way_of(host, direction=Direction.PULL).call(must_not_ask)


def test_a_limit_on_what_a_release_reads(host: Host) -> None:
    """A read that is refused while something is pushed tells of a limit on pulls."""

    def refuse_read(_auth: logins.AuthConfig | None) -> None:
        raise errors.RateLimitedError("no", retry_after=30.0, is_of_reading=True)

    with pytest.raises(errors.RateLimitedError):
        way_of(host, direction=Direction.PUSH).call(refuse_read)

    assert way_of(host, direction=Direction.PUSH).call(answer) == "answer"
    with pytest.raises(errors.HeldBackError):
        way_of(host, direction=Direction.PULL).call(must_not_ask)


def test_a_limit_on_reads_answers_no_other_question(host: Host) -> None:
    """Other requests of a push are sent, even if a pause for pushes is just over."""
    pause(host)
    session = way_of(host, waiter=waiter(60.0))

    def refuse_read(_auth: logins.AuthConfig | None) -> None:
        raise errors.RateLimitedError("no", retry_after=30.0, is_of_reading=True)

    with pytest.raises(errors.RateLimitedError):
        session.call(refuse_read)

    assert session.call(answer) == "answer"


def test_another_registry_is_asked(host: Host) -> None:
    """A pause concerns one host."""
    pause(host)

    assert way_of(host, domain="other.example").call(answer) == "answer"


def test_another_spelling_is_the_same_registry(host: Host) -> None:
    """A pause holds for each way to write the host's name."""
    pause(host)

    with pytest.raises(errors.HeldBackError):
        way_of(host, domain=SERVER.upper()).call(must_not_ask)


def test_the_ledger_has_no_secret(host: Host) -> None:
    """What tells logins apart in the ledger is neither a password nor its hash."""
    log_in(host, "web", "ci")
    pause(host)

    (known,) = host.ledger.paused_registries()
    assert (known.owner, known.username) == ("web", "ci")
    assert "a secret" not in repr(known)


def test_a_deploy_that_has_waited_a_minute_asks(host: Host) -> None:
    """Its repository may be served all the same; an answer ends the pause."""
    pause(host)

    assert way_of(host, "api", waiter=waiter(60.0)).call(answer) == "answer"
    assert host.ledger.paused_registries() == []


def test_a_deploy_that_has_just_come_waits(host: Host) -> None:
    """It comes back when it may ask, not when the pause is over."""
    log_in(host, "", "ci")
    with pytest.raises(errors.RateLimitedError):
        way_of(host).call(_refuse_for_an_hour)

    with pytest.raises(errors.HeldBackError) as caught:
        way_of(host, "api", waiter=waiter(10.0)).call(must_not_ask)

    assert caught.value.retry_after == 50.0


def test_a_deploy_asks_before_it_gives_up(host: Host) -> None:
    """No deploy fails at its deadline because of a request that was never sent."""
    pause(host)

    assert way_of(host, waiter=waiter(20.0, deadline=20.0)).call(answer) == "answer"


def test_a_deploy_sends_one_request_only(host: Host) -> None:
    """While the one that it may send is under way, its others wait for the answer."""
    pause(host)
    session = way_of(host, waiter=waiter(60.0))
    began, go_on = threading.Event(), threading.Event()

    def refuse_slowly(_auth: logins.AuthConfig | None) -> None:
        began.set()
        assert go_on.wait(120)
        raise LIMITED

    with ThreadPoolExecutor() as pool:
        first = pool.submit(session.call, refuse_slowly)
        assert began.wait(120)
        second = pool.submit(session.call, must_not_ask)
        until(second.running)
        go_on.set()

        assert first.exception() is LIMITED
        assert isinstance(second.exception(), errors.RateLimitedError)


def test_what_is_under_way_goes_on(host: Host) -> None:
    """A pause that begins after this attempt was answered does not hold it back."""
    session = way_of(host, "api")
    session.call(answer)
    pause(host)

    assert session.call(answer) == "answer"


def test_what_is_past_its_push_is_not_held_back(host: Host) -> None:
    """A release that the registry has confirmed gets its extra tags in a pause."""
    pause(host)

    assert way_of(host, is_under_way=True).call(answer) == "answer"


def test_a_clock_that_is_set_back(host: Host) -> None:
    """A pause that starts in the future blocks no request."""
    pause(host)
    host.clock.wrong_by = -86_400.0

    assert way_of(host).call(answer) == "answer"


def test_the_end_of_a_pause(host: Host) -> None:
    """After its pause the host is asked, and an answer ends its back-off."""
    pause(host)
    host.clock.seconds += 30

    assert way_of(host).call(answer) == "answer"
    assert host.ledger.paused_registries() == []


def test_refused_again(host: Host, logged: Lines) -> None:
    """A host that refuses after its pause gets a longer one, and that is said."""
    with pytest.raises(errors.RegistryBusyError):
        way_of(host).call(_be_busy)
    host.clock.seconds += 2

    with pytest.raises(errors.RegistryBusyError):
        way_of(host).call(_be_busy)

    said = [line for line in logged if line["event"] == "registry.paused"]
    assert [(line["failures"], line["delay_seconds"]) for line in said] == [
        (1, 2.0),
        (2, 4.0),
    ]
    assert (said[0]["app"], said[0]["login"], said[0]["direction"]) == (
        "web",
        "no login",
        "push",
    )


def test_a_restart_keeps_it(host: Host) -> None:
    """A pause is in the ledger, so the next process keeps to it."""
    pause(host)

    (known,) = host.ledger.paused_registries()
    assert (known.domain, known.remaining(host.clock.now())) == (SERVER, 30.0)


def test_a_retag_needs_no_registry(host: Host) -> None:
    """An image that is here gets its names back in spite of a pause."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    pause(host, direction=Direction.PULL)
    host.engine.untag(f"{SERVER}/org/web:1")

    outcome = host.perform(heal.perform, host.add_job(Kind.HEAL, "2.1.1"))

    assert outcome is not None
    assert f"{SERVER}/org/web:1" in host.names()


def _be_busy(_auth: logins.AuthConfig | None) -> None:
    raise errors.RegistryBusyError("no room")


def _refuse_for_an_hour(_auth: logins.AuthConfig | None) -> None:
    raise errors.RateLimitedError("later", retry_after=3600.0)


class Unreadable:
    """Finds no login, because a file or a helper cannot be used."""

    def resolve(self, app: str, domain: str) -> logins.AuthConfig | None:
        """Fail."""
        raise errors.AuthenticationError(f"cannot read the login of {app} for {domain}")


def test_an_unreadable_login_blocks_no_anonymous_access(host: Host) -> None:
    """A registry that takes any client is used; of any other the reason is said."""
    host.context = host.replace(credentials=Unreadable())

    assert way_of(host).call(answer) == "answer"

    def deny(auth: logins.AuthConfig | None) -> None:
        assert auth is None
        raise errors.AccessDeniedError("the registry requires")

    with pytest.raises(
        errors.AuthenticationError, match="cannot read the login of web"
    ):
        way_of(host).call(deny)


def test_a_burst_is_refused(host: Host, logged: Lines) -> None:
    """A registry that serves an attempt, and refuses some of it, is not paused."""
    refusals = iter([errors.RegistryBusyError("503")])

    def refuse_once(_auth: logins.AuthConfig | None) -> str:
        for error in refusals:
            raise error
        return "answer"

    session = way_of(host)
    session.call(answer)

    assert session.call(refuse_once) == "answer"
    assert host.ledger.paused_registries() == []
    (line,) = [line for line in logged if line["event"] == "registry.slowed"]
    assert (line["domain"], line["app"], line["error"]) == (SERVER, "web", "503")


def test_a_registry_that_serves_nobody(host: Host) -> None:
    """What it served in another attempt keeps none waiting for it."""
    session = way_of(host, is_under_way=True)
    began = host.clock.monotonic()

    with pytest.raises(errors.RegistryBusyError):
        session.call(
            lambda _auth: (_ for _ in ()).throw(errors.RegistryBusyError("503"))
        )

    assert host.clock.monotonic() == began


def test_the_engine_waits_as_it_likes(host: Host) -> None:
    """Its own pushes and pulls are not repeated: it does that by itself."""
    session = way_of(host)
    session.call(answer)

    with pytest.raises(errors.RateLimitedError):
        session.call(refuse, is_paced=False)


@pytest.mark.parametrize(("owner", "whose"), [("web", "web"), ("", "--global")])
def test_a_refused_login_has_its_command(host: Host, owner: str, whose: str) -> None:
    """Who asks the registry does not know whose login it is; here that is known."""
    login = logins.AuthConfig(
        domain=SERVER, username="ci", password=logins.Secret("no")
    )
    host.credentials.logins[owner, SERVER] = login
    said = "it refuses the login. Log in again with dokku registry:login"

    def refuse_login(_auth: logins.AuthConfig | None) -> None:
        raise errors.AuthenticationError(said, status=401)

    with pytest.raises(errors.AuthenticationError) as caught:
        way_of(host).call(refuse_login)

    assert str(caught.value) == f"{said} {whose} {SERVER} ci"
    assert caught.value.status == 401
