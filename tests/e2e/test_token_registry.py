"""A registry that sends its clients to a token server, as most hosted ones do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engines import EngineServer
from support.registries import IDENTITY_TOKEN, RegistryServer
from support.site import Site


@pytest.fixture
def token_site(
    engine: EngineServer, token_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site whose registry wants tokens; its daemon runs."""
    with Site(tmp_path / "host", engine, token_registry) as site:
        site.service.start()
        yield site


def _login(site: Site, kind: str) -> dict[str, Any]:
    if kind == "password":
        return site.basic_login()
    return {"auths": {site.server: {"auth": "", "identitytoken": IDENTITY_TOKEN}}}


def _make_app(site: Site, app: str, kind: str) -> None:
    site.make_app(app, push_extra_tags="stable")
    site.write_login(app, _login(site, kind))


@pytest.mark.parametrize("kind", ["password", "identity"])
def test_release_and_heal(token_site: Site, kind: str) -> None:
    """A login of either kind serves the push, the extra tags and the pull."""
    app = f"{kind}-{token_site.engine.store}"
    _make_app(token_site, app, kind)
    image_id = token_site.ship(app)

    token_site.engine.wipe()

    token_site.service.wait_for("job.finished", intent="heal", detail="pulled")
    remote = token_site.remote(app)
    assert remote.tags() == ["1", "stable"]
    assert remote.digest("stable") == remote.digest(1)
    assert token_site.names()[token_site.reference(1, app)] == image_id


@pytest.mark.parametrize("kind", ["password", "identity"])
def test_wrong_login(token_site: Site, kind: str) -> None:
    """A login that the token server refuses fails the release and is not shown."""
    app = f"refused-{kind}-{token_site.engine.store}"
    token_site.make_app(app)
    wrong = token_site.basic_login("open-sesame")
    if kind == "identity":
        wrong = {"auths": {token_site.server: {"identitytoken": "open-sesame"}}}
    token_site.write_login(app, wrong)
    token_site.build(app)

    result = token_site.release(app)

    assert (result.code, "dokku registry:login" in result.stderr) == (1, True)
    assert token_site.remote(app).tags() == []
    token_site.service.stop()
    assert token_site.spread("open-sesame") == []


def test_without_login(token_site: Site) -> None:
    """A registry that gives anonymous clients nothing fails the release, too."""
    app = f"anonymous-{token_site.engine.store}"
    token_site.make_app(app)
    token_site.write_login(app, {"auths": {}})
    token_site.build(app)

    result = token_site.release(app)

    assert (result.code, "dokku registry:login" in result.stderr) == (1, True)


def test_identity_token_stays_secret(token_site: Site) -> None:
    """An identity token is in no file but the auth config."""
    app = f"secret-{token_site.engine.store}"
    _make_app(token_site, app, "identity")
    token_site.ship(app)

    token_site.service.stop()

    assert token_site.spread(IDENTITY_TOKEN) == []


@pytest.fixture
def reader_site(token_site: Site) -> Iterator[Site]:
    """Give a site whose login may pull, but not push."""
    tokens = token_site.registry.tokens
    assert tokens is not None
    tokens.refused.add("push")
    yield token_site
    tokens.refused.clear()


def test_login_may_not_push(reader_site: Site) -> None:
    """A login without the right to push fails the release at once, and it is said."""
    app = f"reader-{reader_site.engine.store}"
    reader_site.make_app(app)
    reader_site.build(app)

    result = reader_site.release(app)

    assert (result.code, "retrying" in result.stdout) == (1, False)
    assert f"cannot push {reader_site.reference(1, app)}" in result.stderr
    assert "grant it in the registry" in result.stderr
    assert reader_site.host.read_property(app, "tag-version") is None
    assert reader_site.releases(app) == [(1, "failed")]
