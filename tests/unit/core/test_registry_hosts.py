"""Which host needs no TLS, which goes through a proxy, which may get a login."""

from collections.abc import Iterable

import pytest

from dokku_registryd import errors
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import hosts
from dokku_registryd.core.registry.hosts import Kind

NAMES = {
    "lan.example": ["10.1.2.3"],
    "outside.example": ["93.184.216.34"],
    "both.example": ["10.1.2.3", "93.184.216.34"],
    "home.example": ["127.0.0.1", "::1"],
}
LOOPBACK = images.LOOPBACK


def look_up(name: str) -> Iterable[str]:
    """Answer as a name server would."""
    return NAMES.get(name, [])


@pytest.mark.parametrize(
    ("host", "listed", "expected"),
    [
        ("127.0.0.1:5000", LOOPBACK, True),
        ("127.9.9.9", LOOPBACK, True),
        ("localhost:5000", LOOPBACK, True),
        ("localhost:5000", ("127.0.0.0/8",), True),
        ("[::1]:5000", LOOPBACK, True),
        ("[::1]:5000", ("127.0.0.0/8",), False),
        ("[::ffff:127.0.0.1]:5000", LOOPBACK, True),
        ("127.0.0.1:5000", ("registry.lan:5000",), False),
        ("localhost:5000", ("registry.lan:5000",), False),
        ("home.example", LOOPBACK, True),
        ("home.example", ("127.0.0.0/8",), False),
        ("both.example", ("10.0.0.0/8",), False),
        ("registry.example:5000", LOOPBACK, False),
        ("registry.example:5000", ("registry.example:5000",), True),
        ("registry.example:5001", ("registry.example:5000",), False),
        ("Registry.example:5000", ("registry.EXAMPLE:5000",), True),
        ("10.1.2.3:5000", ("10.0.0.0/8",), True),
        ("11.1.2.3:5000", ("10.0.0.0/8",), False),
        ("lan.example", ("10.0.0.0/8",), True),
        ("outside.example", ("10.0.0.0/8", "nonsense/99"), False),
        ("127.0.0.1.example", (), False),
    ],
)
def test_insecure_registries_are_the_engines(
    host: str, listed: tuple[str, ...], expected: bool
) -> None:
    """Listed hosts, and what lies in listed networks as a whole, need no TLS."""
    judged = hosts.judge(host, listed, look_up)

    assert judged.is_insecure is expected


def test_a_name_is_bound_to_its_networks() -> None:
    """What is insecure for its addresses is so for no others."""
    judged = hosts.judge("lan.example", ("10.0.0.0/8",), look_up)

    assert not hosts.strays(["10.9.9.9"], judged.networks)
    assert hosts.strays(["10.9.9.9", "192.0.2.1"], judged.networks)
    assert hosts.judge("r.example", ("r.example",), look_up).networks == ()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", Kind.LOOPBACK),
        ("::", Kind.LOOPBACK),
        ("::1", Kind.LOOPBACK),
        ("64:ff9b::7f00:1", Kind.LOOPBACK),
        ("2002:7f00:1::", Kind.LOOPBACK),
        ("169.254.169.254", Kind.LINK),
        ("fe80::1%eth0", Kind.LINK),
        ("10.0.0.1", Kind.PRIVATE),
        ("fd00::1", Kind.PRIVATE),
        ("100.64.0.1", Kind.PRIVATE),
        ("8.8.8.8", Kind.PUBLIC),
        ("64:ff9b::808:808", Kind.PUBLIC),
        ("nonsense", Kind.LOOPBACK),
    ],
)
def test_where_an_address_leads(address: str, kind: Kind) -> None:
    """Spellings that hide an address of IPv4 change nothing."""
    assert hosts.kinds_of([address]) == {kind}


@pytest.mark.parametrize(
    ("realm", "expected"),
    [
        ("http://r.example/service/token", "https://r.example:8443/service/token"),
        ("http://r.example:8443/token?a=b", "https://r.example:8443/token?a=b"),
        ("http://r.example:9/token", "http://r.example:9/token"),
        ("http://auth.example/token", "http://auth.example/token"),
        ("https://r.example/token", "https://r.example/token"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_realm_of_http_at_the_registry_itself(realm: str, expected: str) -> None:
    """Where a safe reading exists it is taken."""
    read = hosts.read_stated(realm, "https://r.example:8443/v2/")

    assert read == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("http://a.example/token/", True),
        ("https://a.example/token", True),
        ("http://a.example:81/token", False),
        ("http://b.example/token", False),
        ("file:///token", False),
        ("", False),
    ],
)
def test_where_a_token_server_may_send_to(after: str, expected: bool) -> None:
    """A login stays at its host, or gets TLS there."""
    assert hosts.stays_safe("http://a.example/token", after) is expected
    assert not hosts.stays_safe("https://a.example/token", "http://a.example/token")


@pytest.mark.parametrize(
    ("url", "exempt", "expected"),
    [
        ("https://r.example/v2/", "", "http://proxy:3128"),
        ("http://r.example/v2/", "", ""),
        ("https://r.example/v2/", "*", ""),
        ("https://r.example/v2/", "other.example, r.example", ""),
        ("https://a.r.example/v2/", "r.example", ""),
        ("https://r.example/v2/", ".r.example", "http://proxy:3128"),
        ("https://a.r.example/v2/", ".r.example", ""),
        ("https://bar.example/v2/", "r.example", "http://proxy:3128"),
        ("https://r.example:5000/v2/", "r.example:5000", ""),
        ("https://r.example:5001/v2/", "r.example:5000", "http://proxy:3128"),
        ("https://r.example:5000/v2/", "r.example:\u00b2", "http://proxy:3128"),
        ("https://r.example:5000/v2/", f"r.example:{'5' * 5000}", "http://proxy:3128"),
        ("https://10.1.2.3/v2/", "10.0.0.0/8", ""),
        ("https://10.1.2.3/v2/", "10.1.2.3", ""),
        ("https://[fd00::1]:5000/v2/", "fd00::/8", ""),
        ("https://[fd00::1]:5000/v2/", "[fd00::1]:5000", ""),
        ("https://127.0.0.1:5000/v2/", "", ""),
        ("https://localhost:5000/v2/", "", ""),
    ],
)
def test_the_engines_proxy_is_used_as_go_would(
    url: str, exempt: str, expected: str
) -> None:
    """NO_PROXY names hosts, domains, networks and ports; loopback is never proxied."""
    proxies = {"https": "proxy:3128", "no": exempt}

    assert hosts.choose_proxy(url, proxies) == expected


@pytest.mark.parametrize(
    ("realm", "is_insecure", "is_allowed"),
    [
        ("https://auth.example/token", False, True),
        ("http://auth.example/token", False, False),
        ("http://auth.example/token", True, True),
        ("https://r.example:5001/token", False, True),
        ("https://10.0.0.1/token", False, False),
        ("https://8.8.8.8/token", False, True),
        ("https://user@auth.example/token", True, False),
        ("https://[::ffff:10.0.0.1]/token", False, False),
        ("https://", True, False),
        ("https://[", True, False),
        ("https://a:port/", True, False),
        ("gopher://auth.example/", True, False),
    ],
)
def test_a_realm_must_be_safe(realm: str, is_insecure: bool, is_allowed: bool) -> None:
    """A login goes in clear or to a private network for insecure registries only."""
    reason = hosts.refuse_realm(
        realm, "https://r.example:5000/v2/", registry_is_insecure=is_insecure
    )

    assert (not reason) is is_allowed


@pytest.mark.parametrize(
    ("realm", "inside", "is_allowed"),
    [
        ("https://10.0.0.2/token", Kind.PRIVATE, True),
        ("https://10.0.0.2/token", Kind.LOOPBACK, False),
        ("https://127.0.0.1/token", Kind.PRIVATE, False),
        ("https://localhost/token", Kind.LOOPBACK, True),
        ("https://169.254.169.254/token", Kind.PRIVATE, False),
        ("http://10.0.0.2/token", Kind.PRIVATE, False),
    ],
)
def test_a_realm_may_lie_where_the_registry_does(
    realm: str, inside: Kind, is_allowed: bool
) -> None:
    """An address is judged as what a name leads to is; it needs TLS all the same."""
    reason = hosts.refuse_realm(
        realm,
        "https://registry.lan/v2/",
        registry_is_insecure=False,
        inside=frozenset({inside}),
    )

    assert (not reason) is is_allowed


def test_a_realm_may_be_the_registry_itself() -> None:
    """A registry inside a private network may be its own token server."""
    assert not hosts.refuse_realm(
        "https://10.0.0.1:5001/token",
        "https://10.0.0.1:5000/v2/",
        registry_is_insecure=False,
    )


@pytest.mark.parametrize("port", ["65536", "99999"])
def test_a_port_that_no_host_has(port: str) -> None:
    """It is refused in our words before anything reads it as an address."""
    assert hosts.api_host("r.example:65535") == "r.example:65535"
    with pytest.raises(errors.InvalidRequestError, match="not a host or host:port"):
        hosts.api_host(f"r.example:{port}")
