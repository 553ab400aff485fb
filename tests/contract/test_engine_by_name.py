"""A registry with a name that speaks TLS: what each Engine says when one of both fails.

Engine and registry meet in a network of their own, where the name leads to an address
that no Engine takes for its own machine: such a registry it would trust unseen.
"""

from collections.abc import Callable, Iterator

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from support import registries
from support.engines import KINDS
from support.every_engine import name_of
from support.waiting import until
from torture.place import Place, open_place
from torture.proxy import FaultProxy

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=KINDS, ids=name_of)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place of its own for each Engine."""
    with open_place(request.param) as place:
        yield place


@pytest.fixture
def proxy(place: Place) -> Iterator[FaultProxy]:
    """Give a way to the registry that is encrypted and has a name."""
    with place.open_proxy(is_encrypted=True) as proxy:
        yield proxy
        place.name_it()


@pytest.fixture
def adapter(place: Place) -> Iterator[DockerEngine]:
    """Give the adapter."""
    adapter = DockerEngine(base_url=place.engine.socket, stall_seconds=20)
    yield adapter
    adapter.close()


def push(adapter: DockerEngine, name: str) -> str:
    """Push with the registry's login."""
    return adapter.push(name, auth=login(name), on_progress=lambda _: None)


def push_if_it_can(adapter: DockerEngine, name: str) -> str:
    """Push; empty if that fails. An Engine remembers names for some seconds."""
    try:
        return push(adapter, name)
    except errors.RegistrydError:
        return ""


def login(name: str) -> AuthConfig:
    """Return the login for the registry of an image."""
    return AuthConfig(
        domain=name.partition("/")[0],
        username=registries.USERNAME,
        password=Secret(registries.PASSWORD),
    )


def forget_name(place: Place, _proxy: FaultProxy) -> None:
    """Let the name lead nowhere."""
    place.forget_name()


def cut_handshakes(_place: Place, proxy: FaultProxy) -> None:
    """Let each handshake break off."""
    proxy.cuts_handshakes = True


def show_expired(place: Place, proxy: FaultProxy) -> None:
    """Show a certificate that was good some years ago."""
    proxy.encryption = place.expired


def show_unknown(place: Place, proxy: FaultProxy) -> None:
    """Show a certificate of an unknown CA."""
    proxy.encryption = place.unknown


FAULTS = [
    pytest.param(forget_name, errors.RegistryUnavailableError, id="no such name"),
    pytest.param(cut_handshakes, errors.RegistryUnavailableError, id="handshake cut"),
    pytest.param(show_expired, errors.InvalidRequestError, id="expired"),
    pytest.param(show_unknown, errors.InvalidRequestError, id="unknown CA"),
]


@pytest.mark.parametrize(("begin", "kind"), FAULTS)
def test_what_may_pass_and_what_may_not(
    place: Place,
    proxy: FaultProxy,
    adapter: DockerEngine,
    begin: Callable[[Place, FaultProxy], None],
    kind: type[errors.RegistrydError],
) -> None:
    """What may pass by itself is transient; what needs a person says what to do."""
    name = f"{proxy.host}/org/web:1"
    place.engine.import_image(name, {"content": name.encode()})
    digest = until(lambda: push_if_it_can(adapter, name), what="a push")
    source = f"{name.rpartition(':')[0]}@{digest}"
    begin(place, proxy)
    until(lambda: not push_if_it_can(adapter, name), what="the Engine's notice")

    with pytest.raises(errors.RegistrydError) as pushing:
        push(adapter, name)
    with pytest.raises(errors.RegistrydError) as pulling:
        adapter.pull(source, auth=login(name))

    assert (pushing.type, pulling.type) == (kind, kind)
