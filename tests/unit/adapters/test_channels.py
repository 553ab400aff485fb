"""Messages that leave this host: by a program, to a webhook, as a mail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.notify.channels import (
    CommandChannel,
    Heartbeat,
    UrlChannel,
)
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.notify.episodes import Due, Episode
from dokku_registryd.core.notify.messages import Message
from dokku_registryd.core.notify.troubles import Kind
from support import authority, receivers
from support.waiting import until

MESSAGE = Message(
    host="web-1",
    at=1_700_000_000.0,
    due=Due(began={(Kind.RELEASE_FAILED, "web"): Episode(began_at=1.6e9, text="no")}),
    open=1,
)
SECRET = "hunter2secret"


@pytest.fixture
def webhook() -> Iterator[receivers.WebReceiver]:
    """Give a web server."""
    with receivers.web() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[receivers.MailReceiver]:
    """Give a mail server."""
    with receivers.mail() as running:
        yield running


def script(tmp_path: Path, text: str) -> CommandChannel:
    """Return a channel to a script with a short time limit."""
    path = tmp_path / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return CommandChannel([str(path)], os.environ, seconds=2)


def url(text: str) -> UrlChannel:
    """Return a channel to a URL."""
    return UrlChannel(1, Secret(text), os.environ)


def test_a_program_gets_json(tmp_path: Path) -> None:
    """The message is the standard input, and no other thing is needed to read it."""
    receiver = receivers.ScriptReceiver(tmp_path / "received")

    assert CommandChannel([str(receiver.path)], os.environ).send(MESSAGE) == ""

    assert receiver.messages() == [MESSAGE.as_json()]


def test_a_program_gets_few_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment has no more than paths and proxies."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    seen = tmp_path / "seen"

    assert script(tmp_path, f"env >{seen}").send(MESSAGE) == ""

    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert {"PATH", "HOME", "LANG", "https_proxy"} <= names
    assert "AWS_SECRET_ACCESS_KEY" not in names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "exited with status 3"),
        ("sleep 60", "did not end within 2 s"),
        ("head -c 100000 /dev/zero; exec cat", ""),
    ],
)
def test_how_a_program_ends(tmp_path: Path, text: str, reason: str) -> None:
    """A failure is named, a program that hangs is killed, and output is dropped."""
    assert script(tmp_path, text).send(MESSAGE).endswith(reason)


def test_what_a_program_started_is_killed_with_it(tmp_path: Path) -> None:
    """After the time limit nothing of it runs any more."""
    child = tmp_path / "child"

    script(tmp_path, f"sleep 600 & echo $! >{child}; wait").send(MESSAGE)

    pid = int(child.read_text())
    until(lambda: not Path(f"/proc/{pid}/cwd").exists(), what="its end")


def test_a_program_that_is_missing() -> None:
    """What cannot be started is named with the reason."""
    channel = CommandChannel(["/absent/program"], {})

    assert channel.send(MESSAGE) == (
        "/absent/program cannot be started (No such file or directory)"
    )
    assert "cannot be started" not in channel.check()
    assert channel.check().startswith("/absent/program is not a program")


def test_a_webhook(webhook: receivers.WebReceiver) -> None:
    """Apprise posts title and text."""
    assert url(f"json://{webhook.address}/hook").send(MESSAGE) == ""

    (got,) = webhook.messages()
    assert (got["title"], got["type"]) == (MESSAGE.title, "failure")
    assert got["message"].strip() == MESSAGE.text.strip()


def test_a_mail(mailbox: receivers.MailReceiver) -> None:
    """Apprise sends a mail with the title as its subject."""
    channel = url(f"mailto://{mailbox.address}/?from=a@b.example&to=c@d.example")

    assert channel.send(MESSAGE) == ""

    (mail,) = mailbox.mails
    assert mail["Subject"] == MESSAGE.title
    assert mail["To"] == "c@d.example"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (
            f"json://u:{SECRET}@{{here}}/{SECRET}",
            "it was not delivered (HTTP status 403)",
        ),
        (f"json://u:{SECRET}@127.0.0.1:1/{SECRET}", "it was not delivered"),
        (f"unknown://{SECRET}", "Apprise does not understand it"),
    ],
)
def test_what_goes_wrong(
    webhook: receivers.WebReceiver,
    address: str,
    reason: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The reason has the HTTP status at most, and nothing of the address."""
    webhook.status = 403
    channel = url(address.format(here=webhook.address))

    assert channel.send(MESSAGE) == reason
    assert SECRET not in channel.name
    assert SECRET not in repr(vars(channel))
    assert SECRET not in "".join(capfd.readouterr())


def test_an_endpoint_that_hangs(webhook: receivers.WebReceiver) -> None:
    """It costs no more than the time limit."""
    webhook.gate.clear()
    channel = UrlChannel(1, Secret(f"json://{webhook.address}/?rto=90"), {}, seconds=3)

    assert channel.send(MESSAGE) == "it was not delivered within 3 s"


def test_a_check_sends_nothing(webhook: receivers.WebReceiver) -> None:
    """Whether a URL is understood is known without a message."""
    assert url(f"json://{webhook.address}/").check() == ""
    assert url("unknown://x").check() == "Apprise does not understand it"

    assert webhook.paths == []


def test_a_heartbeat(webhook: receivers.WebReceiver) -> None:
    """The address is asked once, and no answer shows more than a status."""
    heartbeat = Heartbeat(Secret(f"http://{webhook.address}/{SECRET}"), os.environ)

    assert heartbeat.beat() == ""
    assert webhook.paths == [f"/{SECRET}"]
    webhook.status = 404
    assert heartbeat.beat() == "there was no good answer (HTTP status 404)"
    away = Heartbeat(Secret("http://127.0.0.1:1/"), os.environ)
    assert away.beat() == "there was no good answer"


def test_a_heartbeat_of_a_private_authority(tmp_path: Path) -> None:
    """Such CAs often name no key usage; what curl asks is asked on each Python."""
    known = authority.Authority(tmp_path / "ca")
    trusting = {**os.environ, "SSL_CERT_FILE": str(known.certificate)}
    with receivers.web(known.context("localhost")) as monitor:
        url = Secret(f"https://localhost:{monitor.port}/")

        assert Heartbeat(url, trusting).beat() == ""
        assert Heartbeat(url, os.environ).beat() == "there was no good answer"

    assert monitor.paths == ["/"]
