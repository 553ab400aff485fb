"""Troubles reach a webhook, a mailbox and a program: each once, and so does its end."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import receivers
from support.site import Site
from support.waiting import until


@dataclass(frozen=True)
class Ways:
    """All ways to the operator of one site."""

    web: receivers.WebReceiver
    mail: receivers.MailReceiver
    script: receivers.ScriptReceiver

    def titles(self) -> list[list[str]]:
        """Return what each way got, without the host.

        On a slow machine the first sweep may take so long that it is told.
        """
        return [
            [
                told
                for told in (title.partition(": ")[2] for title in titles)
                if not told.startswith("the service is")
            ]
            for titles in (
                [message["title"] for message in self.web.messages()],
                [mail["Subject"] for mail in self.mail.mails],
                [message["title"] for message in self.script.messages()],
            )
        ]

    def wait_for(self, *expected: str) -> None:
        """Wait until each way got these messages, and check that it got no others."""

        def have_come() -> bool:
            return all(len(titles) >= len(expected) for titles in self.titles())

        until(have_come, what=f"{expected} in place of {self.titles()}")
        assert self.titles() == [list(expected)] * 3


@pytest.fixture
def ways(idle_one: Site, tmp_path: Path) -> Iterator[Ways]:
    """Give the ways that the site's settings name; its daemon is not started."""
    script = receivers.ScriptReceiver(tmp_path / "received")
    with receivers.web() as web, receivers.mail() as mail:
        idle_one.service.configure(
            notify__urls=[
                f"json://{web.address}/",
                f"mailto://{mail.address}/?from=host@a.example&to=you@a.example",
            ],
            notify__command=[str(script.path)],
            notify__grace_seconds=2,
            daemon__sweep_interval_seconds=5,
            # A slow machine would tell of a registry that is away for longer.
            registry__reach_check_seconds=0,
        )
        yield Ways(web, mail, script)
        idle_one.service.stop()


def test_a_release_that_fails(idle_one: Site, ways: Ways) -> None:
    """The app and the reason are named; after the next release the end is told."""
    idle_one.service.start()
    idle_one.make_app()
    idle_one.log_in(password="wrong-one")
    idle_one.build()
    assert idle_one.release().code == 1

    ways.wait_for("a release of web failed")
    (message,) = ways.script.messages()
    (trouble,) = message["began"]
    assert (trouble["kind"], trouble["subject"]) == ("release_failed", "web")
    assert "registry:login" in trouble["reason"]
    idle_one.log_in()
    idle_one.ship()

    ways.wait_for("a release of web failed", "web has no failed release any more")
    assert idle_one.spread("wrong-one") == []


def test_an_outage(idle_one: Site, ways: Ways) -> None:
    """While the registry is away its apps are in one message, and once it is back."""
    idle_one.service.start()
    for app in ("web", "api"):
        idle_one.make_app(app)
        idle_one.host.set_property(app, "push-policy", "background", plugin="registryd")
    idle_one.registry.stop()
    for app in ("web", "api"):
        idle_one.build(app)
        assert idle_one.release(app).code == 0

    def named(part: str) -> set[str]:
        return {
            trouble["subject"]
            for message in ways.script.messages()
            for trouble in message[part]
        }

    until(lambda: named("began") == {"web", "api"}, what="both apps")
    idle_one.registry.start()
    until(lambda: named("ended") == {"web", "api"}, what="the end for both")

    for titles in ways.titles():
        assert len(titles) <= 4


def test_a_lost_image(idle_one: Site, ways: Ways) -> None:
    """An image that is neither here nor in the registry is told, until a rebuild."""
    idle_one.service.start()
    idle_one.make_app()
    idle_one.ship()
    idle_one.registry.stop()
    idle_one.untag(*idle_one.names())
    ways.wait_for("an image of web is missing")
    idle_one.registry.start()

    ways.wait_for("an image of web is missing", "no image of web is missing any more")


def test_a_registry_that_is_away(idle_one: Site, ways: Ways) -> None:
    """It is told between two releases, shown, and over when it answers."""
    idle_one.service.configure(registry__reach_check_seconds=0.5)
    idle_one.service.start()
    idle_one.make_app()
    idle_one.ship()
    domain = idle_one.server
    idle_one.registry.stop()
    began = f"the registry {domain} does not answer"
    ways.wait_for(began)
    shown = idle_one.service.run("status").stdout
    idle_one.registry.start()

    ways.wait_for(began, f"the registry {domain} answers again")
    assert "1 registry does not answer" in shown.splitlines()[0]
    assert f"Silent:  {domain} has not answered for " in shown


def test_an_expired_login(idle_one: Site, ways: Ways) -> None:
    """A login that a registry refuses is told before a deploy needs it."""
    idle_one.service.configure(registry__login_check_seconds=1)
    idle_one.service.start()
    idle_one.make_app()
    idle_one.service.wait_for("daemon.ready")
    idle_one.log_in(password="wrong-one")
    login = f"{idle_one.server} (web's login {idle_one.registry.username})"
    began = f"the login for {login} is refused"
    ways.wait_for(began)
    refused = idle_one.service.lines("login.refused")
    idle_one.log_in()

    ways.wait_for(began, f"the login for {login} is not refused any more")
    assert len(refused) == 1
    assert idle_one.spread("wrong-one") == []


def test_a_restart_tells_nothing_again(idle_one: Site, ways: Ways) -> None:
    """A trouble that was told is not told by the next process, but its end is."""
    idle_one.service.start()
    idle_one.make_app()
    idle_one.log_in(password="wrong-one")
    idle_one.build()
    idle_one.release()
    ways.wait_for("a release of web failed")
    idle_one.service.stop()
    idle_one.service.start()
    idle_one.log_in()
    idle_one.ship()

    ways.wait_for("a release of web failed", "web has no failed release any more")


def test_other_plugins(one: Site) -> None:
    """A plugin hears of a push and of a failure, with number, name and reason."""
    file = one.host.root / "told"
    hook = f'#!/bin/sh\nprintf "%s|" "$(basename "$0")" "$@" >>{file}\necho >>{file}\n'
    names = ("post-registry-push", "registry-push-failed")
    one.host.add_plugin("listener", dict.fromkeys(names, hook))
    one.make_app()
    one.ship()
    one.log_in(password="wrong-one")
    one.build()
    assert one.release().code == 1

    def told() -> list[list[str]]:
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split("|")[:-1] for line in lines if line.endswith("|")]

    until(lambda: len(told()) >= 2, what="two calls")
    first, (name, app, number, reason) = told()
    digest = one.remote().digest(1)
    assert first == [*("post-registry-push", "web", "1"), one.reference(1), digest]
    assert (name, app, number) == ("registry-push-failed", "web", "2")
    assert "registry:login" in reason


def test_a_test_message(idle_one: Site, ways: Ways) -> None:
    """`notify` sends a message by each way, and says which did not work."""
    assert idle_one.service.run("notify").returncode == 0
    ways.wait_for("a test message")
    ways.web.status = 503

    found = idle_one.service.run("notify", "--format", "json")

    assert found.returncode == 1
    assert [
        (one["check"], one["level"], one["text"]) for one in json.loads(found.stdout)
    ] == [
        ("notify.command", "ok", "delivered"),
        ("notify.urls 1 (json)", "fail", "it was not delivered (HTTP status 503)"),
        ("notify.urls 2 (mailto)", "ok", "delivered"),
    ]
    idle_one.service.configure(notify__urls=[], notify__command=[])
    assert "no channel is set" in idle_one.service.run("notify").stderr


def test_a_check(idle_one: Site, ways: Ways) -> None:
    """`check` shows no URL, and names those that Apprise does not understand."""
    secret = "hunter2secret"
    idle_one.service.configure(notify__urls=[f"what://{secret}"])
    idle_one.service.config.chmod(0o644)

    done = idle_one.service.run("check")

    assert secret not in done.stdout + done.stderr
    assert "notify.urls 1 (what): Apprise does not understand it." in done.stderr
    assert "contains secrets" in done.stderr
    refused = idle_one.service.run("check", "--set", f"notify.urls=json://{secret}")
    assert refused.returncode == 78
    assert secret not in refused.stdout + refused.stderr
    assert "notify.urls (--set): is a secret, so set it in" in refused.stderr
