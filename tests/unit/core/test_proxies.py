"""Which proxy counts, and what is shown of it."""

import pytest

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import proxies

URL = "https://r.example/v2/"
MASKED = "http://xxxxx:xxxxx@proxy.example:3128"
ENGINE = proxies.from_engine(
    images.EngineFacts(
        version="28",
        image_store="classic",
        proxies=(("http", MASKED), ("https", MASKED), ("no", "near.example")),
    )
)
NOTHING = proxies.from_settings("", ())


def proxy(address: str) -> proxies.Proxy:
    """Return a proxy of some source."""
    return proxies.Proxy(address=Secret(address), name="a source", variable="X_PROXY")


def test_the_engine_is_asked_last() -> None:
    """A setting goes before a variable, and that before what the Engine says."""
    variables = proxies.from_environment({"https_proxy": "http://b.example:1"})
    setting = proxies.from_settings("http://a.example:1", ())
    found = [
        proxies.choose(URL, sources)
        for sources in (
            (setting, variables, ENGINE),
            (NOTHING, variables, ENGINE),
            (NOTHING, proxies.from_environment({}), ENGINE),
            (NOTHING, proxies.from_environment({})),
        )
    ]

    assert [one.shown if one else "" for one in found] == [
        "http://a.example:1",
        "http://b.example:1",
        "http://proxy.example:3128",
        "",
    ]


def test_no_proxy_at_all() -> None:
    """The setting `none` overrules variables and Engine."""
    setting = proxies.from_settings("none", ())

    assert proxies.choose(URL, (setting, ENGINE)) is None


def test_exceptions_of_the_engine_hold() -> None:
    """Who gives the login only need not repeat what goes without the proxy."""
    variables = proxies.from_environment({"HTTPS_PROXY": "http://u:p@proxy.example:1"})
    sources = (NOTHING, variables, ENGINE)

    assert proxies.choose("https://near.example/v2/", sources) is None
    assert proxies.choose(URL, sources) is not None


def test_ones_own_exceptions_replace_them() -> None:
    """The first list that is not empty counts."""
    setting = proxies.from_settings("", ("r.example", "10.0.0.0/8"))

    assert proxies.choose(URL, (setting, ENGINE)) is None
    assert proxies.choose("https://near.example/v2/", (setting, ENGINE)) is not None


def test_each_scheme_has_its_own() -> None:
    """HTTP_PROXY is for what speaks no TLS."""
    variables = proxies.from_environment(
        {"HTTP_PROXY": "plain.example:1", "HTTPS_PROXY": "secure.example:1"}
    )

    found = proxies.for_any("//r.example/v2/", (variables,))

    assert [one.shown for one in found] == [
        "http://secure.example:1",
        "http://plain.example:1",
    ]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:planted-4711@p.example:3128", "http://p.example:3128"),
        ("http://me:pl@nted-4711@p.example:3128", "http://p.example:3128"),
        ("socks5://me:planted-4711@[::1]:1080", "socks5://[::1]:1080"),
        ("http://me:planted-4711@p.example:x", "with an invalid address"),
        ("http://me:planted-4711@", "with an invalid address"),
    ],
)
def test_a_login_is_never_shown(address: str, shown: str) -> None:
    """Neither in what is shown nor in how the value prints."""
    found = proxy(address)

    assert found.shown == shown
    assert "4711" not in f"{found!r} {found.complaint(has_socks=True)}"


def test_a_login_is_decoded() -> None:
    """What an address cannot hold stands in it with percent signs."""
    found = proxy("http://m%40e:p%3A%2F%C3%BC@p.example:1")

    assert found.login == ("m@e", Secret("p:/ü"))
    assert proxy("http://p.example:1").login is None


@pytest.mark.parametrize(
    ("address", "has_socks", "words"),
    [
        (MASKED, True, "does not reveal its login"),
        ("socks5://p.example:1", False, "pip install 'dokku-registryd[socks]'"),
        ("socks5://p.example:1", True, ""),
        ("http://p.example:1", False, ""),
        ("ftp://p.example:1", False, "has an unsupported scheme"),
        ("http://:1", False, "has an unsupported scheme"),
    ],
)
def test_what_cannot_be_used(address: str, has_socks: bool, words: str) -> None:
    """Each reason has the way out, and what can be used has none."""
    complaint = proxy(address).complaint(has_socks=has_socks)

    assert bool(complaint) is bool(words)
    assert words in complaint
