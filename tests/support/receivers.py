"""Where notifications arrive: a web server, a mail server and a script."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from support.ports import find_port

if TYPE_CHECKING:
    from email.message import EmailMessage

SCRIPT: Final = """\
#!/bin/sh
set -e
cat >"{folder}/$$.new"
mv "{folder}/$$.new" "{folder}/$(date +%s%N).json"
"""


class WebReceiver:
    """A web server that keeps what it is sent.

    Args:
        tls: Its settings for TLS; None for plain HTTP.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.status = 200
        """What it answers with."""
        self.gate = threading.Event()
        """While it is not set no request is answered."""
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                receiver.gate.wait()
                if receiver.status < 400:
                    receiver.bodies.append(body)
                receiver.paths.append(self.path)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port."""
        return self._server.server_port

    def messages(self) -> list[dict[str, Any]]:
        """Return what Apprise's `json://` has sent."""
        return [json.loads(body) for body in self.bodies]

    def close(self) -> None:
        """Stop."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MailReceiver:
    """A mail server without encryption or login."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=find_port())
        self._controller.start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._controller.port}"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail."""
        content = cast("bytes", envelope.content)
        mail = message_from_bytes(content, policy=policy.default)
        self.mails.append(mail)
        return "250 OK"

    def close(self) -> None:
        """Stop."""
        self._controller.stop()


class ScriptReceiver:
    """A program that writes each message that it gets into a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.path = folder / "receive"
        self.path.write_text(SCRIPT.format(folder=folder))
        self.path.chmod(0o755)

    def messages(self) -> list[dict[str, Any]]:
        """Return what it got, in order."""
        files = sorted(self._folder.glob("*.json"))
        return [json.loads(file.read_text()) for file in files]


@contextlib.contextmanager
def web(tls: ssl.SSLContext | None = None) -> Iterator[WebReceiver]:
    """Run a web server, with TLS or without."""
    receiver = WebReceiver(tls)
    try:
        yield receiver
    finally:
        receiver.close()


@contextlib.contextmanager
def mail() -> Iterator[MailReceiver]:
    """Run a mail server."""
    receiver = MailReceiver()
    try:
        yield receiver
    finally:
        receiver.close()
