"""Which host needs no TLS, which goes through a proxy, which may get a login."""

from collections.abc import Iterable

import pytest

from dokku_registryd.core import registry_hosts

NAMES = {"lan.example": ["10.1.2.3"], "outside.example": ["93.184.216.34"]}


def look_up(name: str) -> Iterable[str]:
    """Answer as a name server would."""
    return NAMES.get(name, [])


@pytest.mark.parametrize(
    ("host", "listed", "expected"),
    [
        ("127.0.0.1:5000", (), True),
        ("127.9.9.9", (), True),
        ("localhost:5000", (), True),
        ("[::1]:5000", (), True),
        ("[::ffff:127.0.0.1]:5000", (), True),
        ("registry.example:5000", (), False),
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
    """Listed hosts and networks, and loopback always, need no TLS."""
    assert registry_hosts.is_insecure(host, listed, look_up) is expected


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

    assert registry_hosts.choose_proxy(url, proxies) == expected


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
    """A login leaves in clear or into a private network for nobody but the insecure."""
    reason = registry_hosts.refuse_realm(
        realm, "https://r.example:5000/v2/", registry_is_insecure=is_insecure
    )

    assert (not reason) is is_allowed


def test_a_realm_may_be_the_registry_itself() -> None:
    """A registry inside a private network may be its own token server."""
    assert not registry_hosts.refuse_realm(
        "https://10.0.0.1:5001/token",
        "https://10.0.0.1:5000/v2/",
        registry_is_insecure=False,
    )
