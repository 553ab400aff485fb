"""Certificates of registries below folders that are open to root alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dokku_registryd.adapters.registry import certificate_folders
from dokku_registryd.adapters.registry import routes as registry_routes
from dokku_registryd.core.image import images
from support import authority, memory_registry, open_way, tunnel

NOBODY: Final = 65534
HOST: Final = "192.0.2.7:5000"  # an address, which needs no name resolution
FACTS: Final = images.EngineFacts(version="28", image_store="classic")
ROUTE: Final = f"""
import sys, time
from pathlib import Path
from dokku_registryd.adapters.registry import routes as registry_routes
from dokku_registryd.core.image import images
facts = images.EngineFacts(version="28", image_store="classic")
routes = registry_routes.Routes(
    lambda: facts, Path(sys.argv[1]), monotonic=time.monotonic
)
route = routes.to("{HOST}")
registry_routes.build_context(route)
print(len(route.authorities), route.closed, sep="|")
"""
NAME: Final = "registry.invalid"
PING: Final = f"""
import sys
from pathlib import Path
from dokku_registryd import errors
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.image import images
facts = images.EngineFacts(
    version="28", image_store="classic", proxies=(("https", sys.argv[2]),)
)
registry = client.RegistryClient(
    facts=lambda: facts, certs_dir=Path(sys.argv[1])
)
try:
    registry.ping("{NAME}", auth=None)
except errors.PermanentError as error:
    print(error)
"""


@pytest.fixture
def etc() -> Iterator[Path]:
    """Give the Engine's folder, on a way that is open to all users."""
    with open_way.folder() as folder:
        etc = folder / "etc-docker"
        etc.mkdir()
        yield etc


def as_nobody(code: str, *arguments: str) -> str:
    """Run a piece of Python as a user that owns nothing; return what it printed."""
    # The interpreter may lie where only root comes, so it starts as root.
    text = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    modules = "from dokku_registryd.adapters.registry import client\n"
    done = subprocess.run(
        [sys.executable, "-c", modules + text + code, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("has_certificates", [False, True])
def test_a_folder_that_is_closed_counts_as_none(
    etc: Path, *, has_certificates: bool
) -> None:
    """What root alone may look into ends no request; the way out is known."""
    if has_certificates:
        (etc / "certs.d" / HOST).mkdir(parents=True)
    etc.chmod(0o700)

    told = as_nobody(ROUTE, str(etc / "certs.d"))

    assert told == (
        f"0|{etc} is closed to the user of the service, so no certificate of a registry"
        f" in it is used: sudo chmod 0711 {etc}"
    )


def test_a_certificate_that_is_not_trusted_then(etc: Path, tmp_path: Path) -> None:
    """Its CA may be there unseen, so the message names the closed folder."""
    folder = etc / "certs.d" / NAME
    folder.mkdir(parents=True)
    known = authority.Authority(tmp_path / "ca")
    (folder / "ca.crt").write_bytes(known.certificate.read_bytes())
    etc.chmod(0o700)
    with (
        memory_registry.MemoryRegistry(tls=known.context(NAME)) as registry,
        tunnel.TunnelProxy(registry.port) as proxy,
    ):
        told = as_nobody(PING, str(etc / "certs.d"), proxy.url)

    assert "a certificate that cannot be verified" in told
    assert told.endswith(f"sudo chmod 0711 {etc}")


def test_a_folder_of_one_host_that_is_closed(etc: Path) -> None:
    """The folder of a host needs to be listed, too."""
    folder = etc / "certs.d" / HOST
    folder.mkdir(parents=True)
    folder.chmod(0o711)

    assert as_nobody(ROUTE, str(etc / "certs.d")).endswith(f"sudo chmod 0755 {folder}")


def test_what_is_proposed_is_enough(etc: Path) -> None:
    """With 0711 a host's certificates are seen, and nothing is said any more."""
    folder = etc / "certs.d" / HOST
    folder.mkdir(parents=True)
    etc.chmod(0o711)

    assert as_nobody(ROUTE, str(etc / "certs.d")) == "0|"


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o700, 1), (0o750, 1), (0o711, 0), (0o755, 0)]
)
def test_root_tells_what_the_service_sees(etc: Path, mode: int, expected: int) -> None:
    """Root looks into everything, so modes are judged in place of the service."""
    (etc / "certs.d").mkdir()
    etc.chmod(mode)
    reader = certificate_folders.Visitor(uid=NOBODY, groups=frozenset({NOBODY}))

    told = [*certificate_folders.survey(etc / "certs.d", reader)]

    assert len(told) == expected
    assert all(f"sudo chmod 0711 {etc}" in text for text in told)


def test_a_group_that_is_let_in(etc: Path) -> None:
    """A folder of a group that the service is in is open to it."""
    group = etc.stat().st_gid
    etc.chmod(0o750)
    reader = certificate_folders.visitor(
        os.stat_result((0, 0, 0, 1, NOBODY, NOBODY, 0, 0, 0, 0)), further_group=group
    )

    assert [*certificate_folders.survey(etc / "certs.d", reader)] == []


def test_a_host_without_a_folder(tmp_path: Path) -> None:
    """Where nothing lies nothing is said."""
    routes = registry_routes.Routes(
        lambda: FACTS, tmp_path / "certs.d", monotonic=time.monotonic
    )

    found = routes.to(HOST)
    assert (found.authorities, found.clients, found.closed) == ((), (), "")
    assert [*certificate_folders.survey(tmp_path / "certs.d", None)] == []
