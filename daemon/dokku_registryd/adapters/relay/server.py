"""The relay's server: HTTP on loopback, one thread for each connection.

It supports the part of HTTP/1.1 that Docker's image stores use. Without other settings
they try TLS first, and continue in plain HTTP only after an answer in HTTP.
"""

import http.server
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import structlog

from dokku_registryd import errors
from dokku_registryd.adapters.relay import bodies, passages
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.engine.relay_protocol import Errand, What
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.job import exhaustion

MOST_CONNECTIONS: Final = 128  # of all pushes at once; an image store has about ten
MAX_MANIFEST_BYTES: Final = 4 << 20  # OCI, "Pushing Manifests": what all must take
_STRANGER_SECONDS: Final = 30.0  # the idle timeout without a login
_GUEST_SECONDS: Final = 600.0  # with a login; an Engine may read from a slow disk
_POLL_SECONDS: Final = 0.1
_TLS_HANDSHAKE: Final = b"\x16"
# The answer of Go's servers, and so of most registries, to a TLS request.
_TO_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
    b"Connection: close\r\n\r\n400 Bad Request"
)

Find = Callable[[Secret], passages.Guest | None]


class Server:
    """Listens on 127.0.0.1 until it is stopped.

    Args:
        port: The port; 0 means any.
        find: Returns the owner of a login.

    Raises:
        OSError: The port is in use.
    """

    def __init__(self, port: int, find: Find) -> None:
        self._server = _Server((relay_protocol.HOST, port), _Handler)
        self._server.find = find
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_POLL_SECONDS,),
            name="relay",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The address."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting connections; those of pushes are closed with their pushes."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64
    find: Find

    def __init__(self, *arguments: Any) -> None:
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, if the limit allows it."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # The host is out of threads.
            self._room.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and release its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Ignore errors: an Engine that gives up closes its connections."""
        structlog.get_logger().debug("relay.dropped")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"
    server_version = "dokku-registryd"
    sys_version = ""
    timeout = _STRANGER_SECONDS
    # Otherwise the second half of an answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self._guest: passages.Guest | None = None
        self._body = bodies.Body(self.rfile)

    def handle(self) -> None:
        """Serve one connection; answer a TLS request in plain HTTP."""
        if self.connection.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
            super().handle()
            return
        self.connection.sendall(_TO_TLS)
        # Otherwise closing resets the connection before the answer is read.
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(relay_protocol.PIECE_BYTES):
            pass

    def finish(self) -> None:
        """Remove the connection."""
        if self._guest is not None:
            self._guest.leave(self.connection)
        super().finish()

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing: the push reports errors."""

    def do_GET(self) -> None:
        """Answer any request."""
        self._body = bodies.Body(
            self.rfile,
            coding=self.headers.get("Transfer-Encoding", "identity"),
            length=self.headers.get("Content-Length", "0"),
        )
        errand = relay_protocol.parse(self.path)
        if errand is None:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
            return
        login = relay_protocol.parse_login(self.headers.get("Authorization", ""))
        guest = self.server.find(login)
        if guest is None or not guest.enter(self.connection):
            self._refuse(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
            return
        self._guest = guest
        self.connection.settimeout(_GUEST_SECONDS)
        if self.command not in relay_protocol.METHODS[errand.what]:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED")
        elif errand.what is What.BASE:
            self._reply(HTTPStatus.OK, b"{}")
        else:
            self._serve(guest, errand)

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _serve(self, guest: passages.Guest, errand: Errand) -> None:
        passage = guest.passage_to(errand.name)
        if passage is None or passage.failure is not None:
            self._refuse(HTTPStatus.FORBIDDEN, "DENIED")
            return
        try:
            self._pass(passage, errand)
        except bodies.BrokenOffError:
            self.close_connection = True
            passage.cancel(errand.key)
        except errors.RegistrydError as error:
            passage.fail(error)
            self._refuse(HTTPStatus.FORBIDDEN, "DENIED")
        except OSError:
            self.close_connection = True  # The Engine did not wait for the answer.
        except Exception as error:
            passage.fail(_known(error))
            raise

    def _pass(self, passage: passages.Passage, errand: Errand) -> None:
        match errand.what:
            case What.BLOB:
                self._tell_blob(passage, errand.key)
            case What.UPLOADS:
                self._begin(passage, errand.digest)
            case What.UPLOAD:
                self._go_on(passage, errand)
            case _:
                self._manifest(passage, errand.key)

    def _tell_blob(self, passage: passages.Passage, digest: str) -> None:
        size = passage.size_of(digest)
        if size is None:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
            return
        self._reply(HTTPStatus.OK, size=size, headers={"Docker-Content-Digest": digest})

    def _begin(self, passage: passages.Passage, mounted: str) -> None:
        """Start an upload; a blob to mount may exist already."""
        for _ in self._body.pieces():
            pass
        if mounted and passage.size_of(mounted) is not None:
            self._created(passage, mounted, f"blobs/{mounted}")
            return
        upload_id = passage.begin()
        if upload_id is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "TOOMANYREQUESTS")
            return
        self._accepted(passage, upload_id, 0)

    def _go_on(self, passage: passages.Passage, errand: Errand) -> None:
        upload = passage.upload(errand.key)
        if upload is None:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
            return
        if self.command == "DELETE":
            passage.cancel(errand.key)
            self._reply(HTTPStatus.NO_CONTENT)
            return
        stated = self.headers.get("Content-Range", "")
        is_in_order = not stated or relay_protocol.parse_start(stated) == upload.size
        if not is_in_order or (upload.location and not self._body.is_read):
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RANGE_INVALID")
            return
        passage.receive(upload, self._body.pieces())
        if self.command == "PATCH":
            self._accepted(passage, errand.key, upload.size)
        elif errand.digest and upload.has_digest(errand.digest):
            passage.finish(errand.key, errand.digest)
            self._created(passage, errand.digest, f"blobs/{errand.digest}")
        else:
            passage.cancel(errand.key)
            self._refuse(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")

    def _manifest(self, passage: passages.Passage, key: str) -> None:
        if self.command != "PUT":
            self._refuse(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
            return
        body = bytearray()
        for piece in self._body.pieces():
            body += piece
            if len(body) > MAX_MANIFEST_BYTES:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "SIZE_INVALID")
                return
        kind = self.headers.get("Content-Type", "")
        manifest = images.Manifest(media_type=kind, body=bytes(body))
        if passage.put(key, manifest):
            self._created(passage, manifest.digest, f"manifests/{manifest.digest}")
        else:
            code = "DIGEST_INVALID" if reference.is_digest(key) else "TAG_INVALID"
            self._refuse(HTTPStatus.BAD_REQUEST, code)

    # -- answers

    def _accepted(self, passage: passages.Passage, upload_id: str, size: int) -> None:
        headers = {
            "Location": f"/v2/{passage.name}/blobs/uploads/{upload_id}",
            "Range": f"0-{max(0, size - 1)}",
            "Docker-Upload-UUID": upload_id,
        }
        self._reply(HTTPStatus.ACCEPTED, headers=headers)

    def _created(self, passage: passages.Passage, digest: str, place: str) -> None:
        headers = {
            "Location": f"/v2/{passage.name}/{place}",
            "Docker-Content-Digest": digest,
        }
        self._reply(HTTPStatus.CREATED, headers=headers)

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        said = {"errors": [{"code": code, "message": "see dokku-registryd"}]}
        headers = {"Content-Type": "application/json"}
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = f'Basic realm="{self.server_version}"'
        self._reply(status, json.dumps(said).encode(), headers=headers)

    def _reply(
        self,
        status: HTTPStatus,
        body: bytes = b"",
        *,
        size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        if not self._body.is_read:
            # The rest of the body would be read as the next request.
            self.close_connection = True
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status is not HTTPStatus.NO_CONTENT:
            length = len(body) if size is None else size
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _known(error: Exception) -> errors.RegistrydError:
    known = exhaustion.translate(error)
    if isinstance(known, errors.RegistrydError):
        return known
    kind = type(error).__name__
    structlog.get_logger().error("job.crashed", error=kind, exc_info=error)
    return errors.DefectError(f"a bug in dokku-registryd ({kind})")
