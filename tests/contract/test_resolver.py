"""What this host's C library makes of a resolver's answers, and what we make of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.apart import Apart

# RFC 1035, 4.1.1: response codes. The server answers with one, or not at all.
_NO_ERROR, _SERVER_FAILURE, _NO_SUCH_NAME, _SILENT = 0, 2, 3, -1
_ASK = """
import socket, struct, sys, threading, time
from pathlib import Path
from dokku_registryd.adapters.registry import routes
from dokku_registryd.core.image import images

code = int(sys.argv[1])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if code >= 0:
    server.bind(("127.0.0.1", 53))

def serve():
    while True:
        asked, client = server.recvfrom(2000)
        question = asked[12 : asked.index(b"\\0", 12) + 5]
        head = struct.pack(">HHHHH", 0x8180 | code, 1, 0, 0, 0)
        server.sendto(asked[:2] + head + question, client)

if code >= 0:
    threading.Thread(target=serve, daemon=True).start()
facts = images.EngineFacts(version="28", image_store="classic")
found = routes.Routes(lambda: facts, Path("/nowhere"), monotonic=time.monotonic)
try:
    found.to("ghcr.oi")
except routes.UnknownNameError as error:
    print(error.is_missing)
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """Give a network in which we are the resolver."""
    with Apart(tmp_path_factory.mktemp("apart")) as made:
        yield made


@pytest.mark.parametrize(
    ("code", "is_missing"),
    [
        pytest.param(_NO_SUCH_NAME, True, id="no-such-name"),
        pytest.param(_SERVER_FAILURE, False, id="server-failure"),
        pytest.param(_NO_ERROR, False, id="a-name-without-an-address"),
        pytest.param(_SILENT, False, id="a-resolver-that-is-down"),
    ],
)
def test_a_name_without_addresses(
    network: Apart,
    code: int,
    is_missing: bool,
) -> None:
    """Only a resolver that knows no such name makes it a typing error."""
    done = subprocess.run(
        [*network.prefix, sys.executable, "-c", _ASK, str(code)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{is_missing}\n", "")
