"""An Engine whose way to registries is a proxy that wants a login."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support import engines
from support.authority import Authority
from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.tunnel import TunnelProxy

NAME: Final = "registry.invalid"
PASSWORD: Final = "planted-proxy-4711"


@pytest.fixture
def known(tmp_path: Path) -> Authority:
    """Give a CA."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def secure(tmp_path: Path, known: Authority) -> Iterator[RegistryServer]:
    """Give a registry that is reached by name and TLS."""
    with RegistryServer(
        engines.find_program("native", "docker-registry"),
        tmp_path / "registry",
        environment=engines.environment_for("native"),
        certificate=known.pair(NAME),
    ) as server:
        yield server


@pytest.fixture
def proxy(secure: RegistryServer) -> Iterator[TunnelProxy]:
    """Give the proxy that leads there."""
    port = int(secure.host.rpartition(":")[2])
    with TunnelProxy(port, login=f"me:{PASSWORD}") as running:
        yield running


@pytest.fixture
def behind(
    tmp_path: Path, known: Authority, secure: RegistryServer, proxy: TunnelProxy
) -> Iterator[Site]:
    """Give a site whose Engine knows the proxy and its login."""
    environment = {
        "HTTPS_PROXY": address(proxy),
        "SSL_CERT_FILE": str(known.certificate),
    }
    with (
        EngineServer(engines.CLASSIC, environment=environment) as engine,
        Site(tmp_path / "host", engine, secure) as site,
    ):
        site.server = NAME
        folder = site.host.root / "certs.d" / NAME
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(known.certificate.read_bytes())
        site.make_app()
        site.build()
        yield site


def address(proxy: TunnelProxy) -> str:
    """Return the address of the proxy with its login."""
    return proxy.url.replace("://", f"://me:{PASSWORD}@")


def test_the_engine_does_not_tell_the_login(behind: Site, proxy: TunnelProxy) -> None:
    """The release ends at once and says where the login belongs, and so does doctor."""
    behind.service.start()

    result = behind.release()

    assert result.code == 1
    said = (
        f"the Docker Engine uses the proxy {proxy.url}, but does not reveal its login."
        " Configure the proxy with its login, as HTTPS_PROXY in"
        " /etc/default/dokku-registryd, and restart the service"
    )
    assert said in " ".join(result.stderr.split())
    assert f"fail  proxy: {said}" in behind.host.command("registryd:doctor").stdout
    assert proxy.targets == []


def test_the_login_in_the_variables_of_the_service(
    behind: Site, proxy: TunnelProxy
) -> None:
    """A release goes through, and the password of the proxy stands nowhere."""
    with behind.host.defaults_file.open("a") as file:
        file.write(f"HTTPS_PROXY='{address(proxy)}'\n")
    behind.host.environ["HTTPS_PROXY"] = address(proxy)
    behind.service.start()

    behind.ship()

    assert behind.releases() == [(1, "pushed")]
    assert set(proxy.logins) == {f"me:{PASSWORD}"}
    told = behind.host.command("registryd:doctor").stdout
    assert f"ok    proxy: registries are reached via {proxy.url} (the env" in told
    spread = behind.spread(PASSWORD)
    assert spread == [str(behind.host.defaults_file)]
