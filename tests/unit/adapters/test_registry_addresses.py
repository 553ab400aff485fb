"""Which addresses of a host count, and who may send us to which."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import authority, seeding, tunnel
from support.memory_registry import Answer, MemoryRegistry

NAME = "registry.invalid"
INNER = "inner.invalid"
PASSWORD = "planted-password-4711"
USERS = {"ci": PASSWORD}
MISSING = ["no such name"]
"""The answer for a name that does not exist; an empty one is a resolver's failure."""


@dataclass
class Names:
    """What the host's resolver answers; later questions get later answers."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)

    def say(self, name: str, *answers: list[str]) -> None:
        """Give a name its addresses; the last answer stays."""
        self.answers[name] = list(answers)

    def ask(self, name: str) -> list[str]:
        """Return the next answer."""
        left = self.answers[name]
        return left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Give a resolver of our own."""
    known = Names()
    real: Callable[..., list[Any]] = socket.getaddrinfo

    def look_up(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host not in known.answers:
            return real(host, port, *more, **named)
        if named.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        addresses = known.ask(host)
        if addresses == MISSING:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "for a moment")
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., RegistryClient]]:
    """Give a maker of clients that are closed at the end."""
    made: list[RegistryClient] = []

    def make(
        *, inner_hosts: frozenset[str] = frozenset(), **facts: Any
    ) -> RegistryClient:
        known = images.EngineFacts(version="28", image_store="classic", **facts)
        registry = RegistryClient(
            facts=lambda: known,
            certs_dir=tmp_path / "certs.d",
            connect_timeout=5,
            inner_hosts=inner_hosts,
        )
        made.append(registry)
        return registry

    yield make
    for registry in made:
        registry.close()


@pytest.fixture
def plain() -> Iterator[MemoryRegistry]:
    """Give a registry without TLS that wants a password."""
    with MemoryRegistry("basic", users=USERS) as running:
        yield running


def login(domain: str) -> AuthConfig:
    """Return a login that must stay secret."""
    return AuthConfig(domain=domain, username="ci", password=Secret(PASSWORD))


# -- a name is judged by all its addresses


def test_an_address_that_was_slipped_in_takes_no_tls_away(
    names: Names, opened: Callable[..., RegistryClient], plain: MemoryRegistry
) -> None:
    """One insecure address among others leaves a name verified."""
    names.say(NAME, ["127.0.0.2", "127.0.0.1"])
    domain = f"{NAME}:{plain.port}"
    client = opened(insecure_registries=("127.0.0.2/32",))

    with pytest.raises(errors.RegistrydError):
        client.ping(domain, auth=login(domain))

    assert plain.asked == []


def test_addresses_that_change_between_looking_and_connecting(
    names: Names, opened: Callable[..., RegistryClient], plain: MemoryRegistry
) -> None:
    """The checked addresses are those connected to; others are checked again."""
    names.say(NAME, ["127.0.0.2"], ["127.0.0.1"])
    domain = f"{NAME}:{plain.port}"
    client = opened(insecure_registries=("127.0.0.2/32",))

    with pytest.raises(errors.RegistryUnavailableError, match="so it needs TLS"):
        client.ping(domain, auth=login(domain))
    with pytest.raises(errors.RegistrydError, match="does not support TLS"):
        client.ping(domain, auth=login(domain))

    assert plain.asked == []


def test_a_name_that_cannot_be_looked_up_for_a_moment(
    names: Names, opened: Callable[..., RegistryClient], plain: MemoryRegistry
) -> None:
    """It is tried again, and not taken for a host that needs TLS meanwhile."""
    names.say(NAME, [], ["127.0.0.1"])
    domain = f"{NAME}:{plain.port}"
    client = opened()

    with pytest.raises(errors.RegistryUnavailableError, match="cannot be resolved"):
        client.ping(domain, auth=login(domain))
    client.ping(domain, auth=login(domain))

    assert plain.lines()[-1] == "GET /v2/"


def test_a_name_that_does_not_exist(
    names: Names, opened: Callable[..., RegistryClient]
) -> None:
    """A resolver that knows no such name hints at the property, and at the next try."""
    names.say(NAME, MISSING)

    with pytest.raises(errors.UnknownHostError) as caught:
        opened().ping(f"{NAME}:5000", auth=None)

    assert str(caught.value) == (
        f"{NAME}:5000 is a name that does not exist. Check the property server of"
        " dokku registry:report for a typing error"
    )
    assert caught.value.retry_after == 60.0


def test_a_name_that_only_a_proxy_resolves(
    names: Names, opened: Callable[..., RegistryClient]
) -> None:
    """With a proxy no name is looked up here, so none is called a typing error."""
    names.say(NAME, MISSING)
    client = opened(proxies=(("https", "http://127.0.0.1:1"),))

    with pytest.raises(errors.RegistryUnavailableError, match="proxy") as caught:
        client.ping(NAME, auth=None)

    assert not isinstance(caught.value, errors.UnknownHostError)


def test_a_name_that_the_registry_has_named(
    names: Names, opened: Callable[..., RegistryClient]
) -> None:
    """A token server that does not exist is not a typing error of the operator."""
    names.say(NAME, MISSING)
    with MemoryRegistry("bearer", users=USERS) as asked:
        asked.realm = f"http://{NAME}/token"
        domain = f"127.0.0.1:{asked.port}"
        client = opened(insecure_registries=("127.0.0.0/8",))

        with pytest.raises(errors.RegistryUnavailableError) as caught:
            client.ping(domain, auth=login(domain))

    assert not isinstance(caught.value, errors.UnknownHostError)


def test_a_name_that_is_lost_while_a_login_is_fetched(
    names: Names, tmp_path: Path
) -> None:
    """A route that expires between two steps of one request is not a bug."""
    facts = images.EngineFacts(version="28", image_store="classic")
    with MemoryRegistry("bearer", users=USERS) as registry:
        names.say(NAME, *[["127.0.0.1"]] * 3, [])  # the route, TLS, plain
        domain = f"{NAME}:{registry.port}"

        def monotonic() -> float:
            return 100.0 if registry.lines() else 0.0

        client = RegistryClient(
            facts=lambda: facts, certs_dir=tmp_path, monotonic=monotonic
        )
        with pytest.raises(errors.RegistryUnavailableError, match="cannot be resolved"):
            client.ping(domain, auth=login(domain))
        client.close()
        assert registry.lines() == ["GET /v2/"]


def test_a_name_whose_addresses_are_all_listed(
    names: Names, opened: Callable[..., RegistryClient], plain: MemoryRegistry
) -> None:
    """It is used as the Engine uses it."""
    names.say(NAME, ["127.0.0.1"])
    domain = f"{NAME}:{plain.port}"

    opened().ping(domain, auth=login(domain))

    assert plain.lines()[-1] == "GET /v2/"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_what_the_engine_says(
    opened: Callable[..., RegistryClient], plain: MemoryRegistry, host: str
) -> None:
    """Engine 29.10 verifies loopback where its operator has listed registries."""
    domain = f"{host}:{plain.port}"
    client = opened(insecure_registries=("registry.lan:5000",))

    with pytest.raises(errors.PermanentError, match="does not support TLS"):
        client.ping(domain, auth=login(domain))

    assert plain.asked == []


def test_localhost_where_one_family_is_listed(
    names: Names, opened: Callable[..., RegistryClient], plain: MemoryRegistry
) -> None:
    """Engine 20.10 lists 127.0.0.0/8 alone, and means this host."""
    names.say("localhost", ["127.0.0.1"])
    domain = f"localhost:{plain.port}"

    opened(insecure_registries=("127.0.0.0/8",)).ping(domain, auth=login(domain))

    assert plain.lines()[-1] == "GET /v2/"


# -- what a registry names


@dataclass(frozen=True)
class Outside:
    """A registry with TLS far away, and a service of this host."""

    registry: MemoryRegistry
    inner: MemoryRegistry
    client: RegistryClient
    proxy: tunnel.TunnelProxy
    certs: Path


@pytest.fixture
def outside(
    tmp_path: Path, names: Names, opened: Callable[..., RegistryClient]
) -> Iterator[Outside]:
    """Give both. The registry is far away since it is behind a proxy."""
    known = authority.Authority(tmp_path / "ca")
    folder = tmp_path / "certs.d" / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(known.certificate.read_bytes())
    for name in (INNER, "127.1", "2130706433", "0x7f.1"):
        names.say(name, ["127.0.0.1"])
    with (
        MemoryRegistry("bearer", users=USERS, tls=known.context(NAME)) as registry,
        MemoryRegistry(tls=known.context(INNER)) as inner,
        tunnel.TunnelProxy(registry.port) as proxy,
    ):
        exempt = f"{INNER},127.1,2130706433,0x7f.1"
        client = opened(proxies=(("https", proxy.url), ("no", exempt)))
        yield Outside(registry, inner, client, proxy, folder.parent)
        client.close()


@pytest.mark.parametrize("spelling", ["127.1", "2130706433", "0x7f.1", INNER])
def test_a_realm_that_leads_inside(outside: Outside, spelling: str) -> None:
    """However an address of this host is spelled, no login goes there."""
    outside.registry.realm = f"https://{spelling}:{outside.inner.port}/token"

    with pytest.raises(errors.AccessDeniedError, match="this host's own network"):
        outside.client.ping(NAME, auth=login(NAME))

    assert (outside.inner.connections, outside.inner.asked) == (0, [])


def test_a_realm_that_an_operator_knows(
    outside: Outside, opened: Callable[..., RegistryClient]
) -> None:
    """What an operator lists may lie inside; it needs TLS all the same."""
    inner = f"{INNER}:{outside.inner.port}"
    outside.registry.realm = f"https://{inner}/token"
    client = opened(
        proxies=(("https", outside.proxy.url), ("no", INNER)),
        inner_hosts=frozenset({inner}),
    )

    with pytest.raises(errors.RegistrydError):
        client.ping(NAME, auth=login(NAME))

    assert outside.inner.lines("/token") != []


def test_an_address_that_an_operator_knows(
    outside: Outside, opened: Callable[..., RegistryClient]
) -> None:
    """A realm may be listed by its address too; without that no login goes there."""
    inner = f"127.0.0.1:{outside.inner.port}"
    outside.registry.realm = f"https://{inner}/token"
    proxied = (("https", outside.proxy.url),)

    with pytest.raises(errors.AccessDeniedError, match="inside a private network"):
        opened(proxies=proxied).ping(NAME, auth=login(NAME))
    assert outside.inner.connections == 0

    with pytest.raises(errors.PermanentError, match="certificate"):
        opened(proxies=proxied, inner_hosts=frozenset({inner})).ping(
            NAME, auth=login(NAME)
        )
    assert outside.inner.connections == 1


def test_a_token_server_beside_its_registry(
    outside: Outside, names: Names, opened: Callable[..., RegistryClient]
) -> None:
    """A registry with TLS in our own network may name an address beside it."""
    names.say(NAME, ["127.0.0.1"])
    folder = outside.certs / f"{NAME}:{outside.registry.port}"
    (outside.certs / NAME).rename(folder)
    inner = f"127.0.0.1:{outside.inner.port}"
    outside.registry.realm = f"https://{inner}/token"
    domain = f"{NAME}:{outside.registry.port}"

    with pytest.raises(errors.PermanentError, match="certificate"):
        opened(insecure_registries=("other.example",)).ping(domain, auth=login(domain))

    assert outside.inner.connections == 1


def test_a_redirect_that_leads_inside(outside: Outside) -> None:
    """A registry cannot have a service of this host asked."""
    target = f"https://{INNER}:{outside.inner.port}/admin"
    outside.registry.rule(
        "/manifests/", Answer(status=302, headers={"Location": target})
    )
    image = reference.parse(f"{NAME}/org/web:1")

    with pytest.raises(errors.AccessDeniedError, match="this host's own network"):
        outside.client.digest(image, auth=None)

    assert (outside.inner.connections, outside.inner.asked) == (0, [])


def test_what_another_host_says_is_not_repeated(
    opened: Callable[..., RegistryClient],
) -> None:
    """A redirect shows no deployer the pages of a service behind it."""
    with MemoryRegistry() as registry, MemoryRegistry() as other:
        other.rule("/admin", Answer(status=403, body=b"token=abc123 of the cluster"))
        registry.rule(
            "/manifests/",
            Answer(status=302, headers={"Location": f"{other.url}/admin"}),
        )
        image = reference.parse(f"{registry.host}/org/web:1")
        client = opened()

        with pytest.raises(errors.RegistrydError) as caught:
            client.digest(image, auth=None)

        client.close()
        assert other.lines()
    assert f"{other.host} answers 403" in str(caught.value)
    assert "abc123" not in str(caught.value)


def test_harbor_behind_a_proxy_that_ends_tls(outside: Outside) -> None:
    """A realm of http at the registry's own host is asked by https."""
    outside.registry.realm = f"http://{NAME}/token"

    outside.client.ping(NAME, auth=login(NAME))

    assert set(outside.proxy.targets) == {f"{NAME}:443"}
    assert [line[:11] for line in outside.registry.lines()] == [
        "GET /v2/",
        "GET /token?",
        "GET /v2/",
    ]


def test_pages_behind_a_proxy_that_ends_tls(outside: Outside) -> None:
    """So is the next page of a list; its login stays encrypted."""
    outside.registry.realm = f"https://{NAME}/token"
    manifest = seeding.build_manifest("listed")
    for tag in ("1", "2", "3"):
        outside.registry.put("org/web", tag, manifest.body, manifest.media_type)
    outside.registry.page_length = 1
    outside.registry.link_host = f"http://{NAME}"
    image = reference.ImageReference(domain=NAME, path="org/web", tag="1")

    tags = outside.client.tags(image, auth=login(NAME))

    assert tags == ["1", "2", "3"]
    assert set(outside.proxy.targets) == {f"{NAME}:443"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_server_behind_a_redirect(
    opened: Callable[..., RegistryClient], status: int
) -> None:
    """At the same host a login goes along, as a proxy that adds a slash wants it."""
    with MemoryRegistry("bearer", users=USERS) as registry:
        registry.realm = f"{registry.url}/auth/token"
        registry.rule(
            "GET /auth/token?",
            Answer(
                status=status, headers={"Location": "/token?scope=x&service=memory"}
            ),
        )
        client = opened()

        client.ping(registry.host, auth=login(registry.host))

        client.close()
        assert len(registry.lines("GET /token?")) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_token_server_that_sends_elsewhere(
    opened: Callable[..., RegistryClient], scheme: str
) -> None:
    """Another host gets no login, and the message says where it was to go."""
    with (
        MemoryRegistry("bearer", users=USERS) as registry,
        MemoryRegistry() as other,
    ):
        target = f"{scheme}://{other.host}/token?account=ci"
        registry.rule("/token?", Answer(status=307, headers={"Location": target}))
        client = opened()

        with pytest.raises(errors.AccessDeniedError, match="gets no login"):
            client.ping(registry.host, auth=login(registry.host))

        client.close()
        assert other.asked == []


def test_a_token_server_that_turns_in_a_circle(
    opened: Callable[..., RegistryClient],
) -> None:
    """Redirects of a token server end."""
    with MemoryRegistry("bearer", users=USERS) as registry:
        registry.rule("/token", Answer(status=307, headers={"Location": "/token"}))
        client = opened()

        with pytest.raises(errors.PermanentError, match="more than 5 times"):
            client.ping(registry.host, auth=login(registry.host))

        client.close()
