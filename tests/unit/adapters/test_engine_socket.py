"""The Engine's socket, closed by the kernel to a user who is not root."""

import gc
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine import docker_engine, engine_socket
from support import open_way

OTHER = 54321  # a user without a name on this host

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a socket with a listener, as root makes it."""
    with open_way.folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / "docker.sock"
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o660)
        yield path


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let sockets that docker-py has not closed be gone with their test."""
    yield
    gc.collect()


@contextmanager
def another_user() -> Iterator[None]:
    """Be another user for a while, without any group of root."""
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(OTHER)
    os.seteuid(OTHER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def later() -> float:
    """Return a time at which a new socket counts as settled."""
    return time.time() + engine_socket.SETTLED_SECONDS


@needs_root
def test_a_closed_socket_is_no_engine_that_is_down(place: Path) -> None:
    """Every question ends with user, socket and cure, and as an error of its own."""
    engine = docker_engine.DockerEngine(base_url=f"unix://{place}", now=later)

    with another_user(), pytest.raises(errors.EngineForbiddenError) as caught:
        engine.image("dokku/web:latest")

    assert str(caught.value).startswith(
        f"cannot inspect dokku/web:latest: user {OTHER} may not use {place}: it"
        " belongs to root:root with mode 0660. Give it to Docker's group: "
    )
    assert caught.value.__cause__ is not None


@needs_root
def test_a_subscription_to_a_closed_socket(place: Path) -> None:
    """The service's own subscription says the same."""
    engine = docker_engine.DockerEngine(base_url=f"unix://{place}", now=later)

    with (
        another_user(),
        pytest.raises(errors.EngineForbiddenError, match="may not use"),
    ):
        engine.events()


@needs_root
def test_a_socket_that_docker_is_making(place: Path) -> None:
    """A new socket may not have its group yet, and counts as an Engine that is down."""
    engine = docker_engine.DockerEngine(base_url=f"unix://{place}")

    with another_user():
        assert engine_socket.complaint(f"unix://{place}") == ""
        with pytest.raises(errors.EngineUnavailableError) as caught:
            engine.ping()

    assert type(caught.value) is errors.EngineUnavailableError


@needs_root
def test_a_folder_that_is_closed(place: Path) -> None:
    """A socket behind a closed folder cannot be looked at, which is said."""
    place.parent.chmod(0o700)

    with another_user():
        said = engine_socket.complaint(f"unix://{place}")

    assert said == (
        f"user {OTHER} may not use {place}: a folder above it is closed to that"
        f" user; see namei -l {place}"
    )


@needs_root
def test_an_open_socket(place: Path) -> None:
    """A socket that the user may use is not a complaint."""
    place.chmod(0o666)

    with another_user():
        assert engine_socket.complaint(f"unix://{place}", later) == ""


@pytest.mark.parametrize(
    "address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "unix:///dev/null"]
)
def test_what_is_not_a_closed_socket(address: str) -> None:
    """A socket that is missing, far away or of another kind is another matter."""
    assert engine_socket.complaint(address) == ""


def test_a_socket_that_is_missing(tmp_path: Path) -> None:
    """It may come any moment, as while Docker is installed again."""
    engine = docker_engine.DockerEngine(base_url=f"unix://{tmp_path}/docker.sock")

    with pytest.raises(errors.EngineUnavailableError) as caught:
        engine.ping()

    assert type(caught.value) is errors.EngineUnavailableError
