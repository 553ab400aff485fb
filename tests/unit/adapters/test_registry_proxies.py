"""Registries that are reached through proxies, of each kind and with logins."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import proxies
from support import authority, tunnel
from support.memory_registry import Answer, MemoryRegistry
from support.waiting import until

NAME = "registry.invalid"
PASSWORD = "planted-pässword-4711"
LOGIN = f"me:{PASSWORD}"
QUOTED = "me:planted-p%C3%A4ssword-4711"
MASKED = "xxxxx:xxxxx"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    """Give a CA."""
    return authority.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def certs_dir(tmp_path: Path, known: authority.Authority) -> Path:
    """Give a folder that has the CA trusted."""
    folder = tmp_path / "certs.d" / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(known.certificate.read_bytes())
    return folder.parent


@pytest.fixture
def registry(known: authority.Authority) -> Iterator[MemoryRegistry]:
    """Give a registry with TLS."""
    with MemoryRegistry(tls=known.context(NAME)) as running:
        yield running


@pytest.fixture
def proxy(registry: MemoryRegistry) -> Iterator[tunnel.TunnelProxy]:
    """Give a proxy that wants a login."""
    with tunnel.TunnelProxy(registry.port, login=LOGIN) as running:
        yield running


def with_login(address: str, login: str = QUOTED) -> str:
    """Put a login into the address of a proxy."""
    return address.replace("://", f"://{login}@")


def ping(certs_dir: Path, *, engine: str = "", variable: str = "") -> None:
    """Ask the registry, with what Engine and environment say of a proxy."""
    facts = images.EngineFacts(
        version="28", image_store="classic", proxies=(("https", engine),)
    )
    registry = RegistryClient(
        facts=lambda: facts,
        certs_dir=certs_dir,
        said=(proxies.from_environment({"HTTPS_PROXY": variable}),),
    )
    try:
        registry.ping(NAME, auth=None)
    finally:
        registry.close()


def test_the_engines_mask_is_never_sent(
    certs_dir: Path, proxy: tunnel.TunnelProxy
) -> None:
    """An Engine that hides the login of its proxy is told from one that has none."""
    with pytest.raises(errors.PermanentError) as caught:
        ping(certs_dir, engine=with_login(proxy.url, MASKED))

    assert str(caught.value) == (
        f"cannot reach {NAME}: the Docker Engine uses the proxy {proxy.url}, but does"
        " not reveal its login. Configure the proxy with its login, as HTTPS_PROXY in"
        " /etc/default/dokku-registryd, and restart the service"
    )
    assert proxy.targets == []


def test_a_login_in_the_environment_of_the_service(
    certs_dir: Path, proxy: tunnel.TunnelProxy, registry: MemoryRegistry
) -> None:
    """What the environment says goes before the Engine, and opens the way."""
    ping(
        certs_dir,
        engine=with_login(proxy.url, MASKED),
        variable=with_login(proxy.url),
    )

    assert (proxy.targets, proxy.logins) == ([f"{NAME}:443"], [LOGIN])
    assert registry.lines() == ["GET /v2/"]


@pytest.mark.parametrize("login", ["", "me:wrong-4711"])
def test_a_login_that_is_refused_is_final(
    certs_dir: Path, proxy: tunnel.TunnelProxy, login: str
) -> None:
    """407 names the proxy and the way out, and no login."""
    address = with_login(proxy.url, login) if login else proxy.url

    with pytest.raises(errors.PermanentError) as caught:
        ping(certs_dir, variable=address)

    assert f"the proxy {proxy.url} (the environment of the service)" in str(
        caught.value
    )
    assert "(407)" in str(caught.value)
    assert "4711" not in str(caught.value)
    assert len(proxy.targets) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, errors.PermanentError),
        (429, errors.RegistryUnavailableError),
        (503, errors.RegistryUnavailableError),
    ],
)
def test_what_else_a_proxy_answers(
    certs_dir: Path,
    proxy: tunnel.TunnelProxy,
    status: int,
    expected: type[errors.RegistrydError],
) -> None:
    """A refusal of the proxy itself is not an answer of the registry."""
    proxy.refusal = status

    with pytest.raises(expected, match=f"the proxy {proxy.url} .* answers {status}"):
        ping(certs_dir, variable=with_login(proxy.url))


def test_a_proxy_that_is_away(certs_dir: Path, registry: MemoryRegistry) -> None:
    """It is named in place of the registry, and tried again."""
    with tunnel.TunnelProxy(registry.port) as gone:
        address = gone.url

    with pytest.raises(errors.RegistryUnavailableError, match=f"the proxy {address} "):
        ping(certs_dir, engine=with_login(address))


@pytest.mark.parametrize("login", ["", LOGIN])
def test_socks(certs_dir: Path, registry: MemoryRegistry, login: str) -> None:
    """A SOCKS proxy gets the name of the registry, as from the Engine."""
    with tunnel.SocksProxy(registry.port, login=login) as socks:
        address = with_login(socks.url) if login else socks.url
        ping(certs_dir, engine=address)

        assert socks.targets == [f"{NAME}:443"]
        assert socks.logins == ([login] if login else [])
    assert registry.lines() == ["GET /v2/"]


def test_a_socks_login_that_is_refused(
    certs_dir: Path, registry: MemoryRegistry
) -> None:
    """It is final, as behind other proxies."""
    with (
        tunnel.SocksProxy(registry.port, login=LOGIN) as socks,
        pytest.raises(errors.PermanentError, match="requires another login") as caught,
    ):
        ping(certs_dir, engine=with_login(socks.url, "me:wrong-4711"))

    assert "4711" not in str(caught.value)


def test_a_proxy_with_tls(
    certs_dir: Path,
    known: authority.Authority,
    registry: MemoryRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The way to the proxy itself is verified by the system's CAs."""
    with tunnel.TunnelProxy(registry.port, tls=known.context("localhost")) as proxy:
        address = proxy.url.replace("127.0.0.1", "localhost")
        with pytest.raises(errors.RegistrydError, match="the proxy https://localhost"):
            ping(certs_dir, variable=address)
        monkeypatch.setenv("SSL_CERT_FILE", str(known.certificate))

        def is_reached() -> bool:
            # The test's proxy reads and writes one TLS connection in two threads, which
            # breaks now and then.
            with contextlib.suppress(errors.RegistryUnavailableError):
                ping(certs_dir, variable=address)
            return bool(registry.lines())

        until(is_reached)

    assert registry.lines() == ["GET /v2/"]


def test_a_plain_registry_behind_a_proxy(certs_dir: Path) -> None:
    """Where requests are forwarded, 407 is the proxy's word, too."""
    with MemoryRegistry() as stands_in:
        stands_in.rule("", Answer(status=407))
        facts = images.EngineFacts(
            version="28", image_store="classic", insecure_registries=(NAME,)
        )
        registry = RegistryClient(
            facts=lambda: facts,
            certs_dir=certs_dir,
            said=(
                proxies.from_environment(
                    {"HTTP_PROXY": f"http://me:wrong-4711@{stands_in.host}"}
                ),
            ),
        )
        with pytest.raises(errors.PermanentError, match="HTTP_PROXY") as caught:
            registry.ping(NAME, auth=None)
        registry.close()

    assert f"the proxy http://{stands_in.host} " in str(caught.value)
    assert "4711" not in str(caught.value)
