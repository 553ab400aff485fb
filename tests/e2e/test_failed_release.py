"""A release that fails: the deployer knows what to do, and nothing has moved."""

from dataclasses import dataclass

import pytest

from support.site import Site


@dataclass(frozen=True)
class _State:
    """All that Dokku, the registry and the host know of an app."""

    number: str | None
    deployed: str
    digests: dict[str, str | None]
    names: frozenset[str]


def _state(site: Site) -> _State:
    remote = site.remote()
    return _State(
        number=site.host.read_property("web", "tag-version"),
        deployed=site.deployed(),
        digests={tag: remote.digest(tag) for tag in remote.tags()},
        names=frozenset(site.names()),
    )


def _ship(site: Site) -> Site:
    site.make_app(push_extra_tags="stable,latest")
    site.ship()
    site.build()
    return site


@pytest.fixture
def shipped(site: Site) -> Site:
    """Give a site for each Engine whose app runs number 1, and has a new build."""
    return _ship(site)


@pytest.fixture
def shipped_one(one: Site) -> Site:
    """Give the same for what does not depend on the Engine."""
    return _ship(one)


def test_wrong_password(shipped_one: Site) -> None:
    """A refused login fails at once, says the way out, and no password."""
    shipped_one.log_in(password="open-sesame")

    result = shipped_one.release()

    assert result.code == 1
    assert result.stderr.startswith(" !     ")
    assert "dokku registry:login" in result.stderr
    assert "open-sesame" not in result.stdout + result.stderr


def test_unknown_user(shipped_one: Site) -> None:
    """A user that the registry does not know is treated alike."""
    shipped_one.registry.username = "nobody"
    shipped_one.log_in()
    shipped_one.registry.username = "ci"

    result = shipped_one.release()

    assert (result.code, "dokku registry:login" in result.stderr) == (1, True)


def test_nothing_has_moved(shipped: Site) -> None:
    """After a refusal all that can be asked is as it was before the release."""
    before = _state(shipped)
    shipped.log_in(password="wrong")

    result = shipped.release()

    assert result.code == 1
    assert _state(shipped) == before
    assert shipped.releases() == [(2, "failed"), (1, "pushed")]


def test_next_release_takes_a_fresh_number(shipped_one: Site) -> None:
    """The number of a failed release is not used again."""
    shipped_one.log_in(password="wrong")
    shipped_one.release()
    shipped_one.log_in()

    result = shipped_one.release()

    assert result.code == 0
    assert shipped_one.deployed() == shipped_one.reference(3)
    remote = shipped_one.remote()
    assert remote.tags() == ["1", "3", "latest", "stable"]
    assert remote.digest("stable") == remote.digest(3)


def test_deadline_passes(shipped: Site) -> None:
    """A new image fails when the registry stays away beyond the push-deadline."""
    before = _state(shipped)
    shipped.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    shipped.registry.stop()

    result = shipped.release()

    shipped.registry.start()
    assert result.code == 1
    assert shipped.server in result.stderr
    assert "; retrying " in result.stdout
    assert _state(shipped) == before


def test_image_is_gone(one: Site) -> None:
    """A release of an image that is not here fails and says so."""
    one.make_app()

    result = one.release()

    assert result.code == 1
    assert "there is no image dokku/web:latest" in result.stderr
    assert "dokku ps:rebuild web" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("push-extra-tags", "ok,not a tag", "'not a tag' is not a valid tag"),
        ("image-repo", "Not/Lower", "Not/Lower"),
        ("image-repo-template", "{{ .Name }}", "image-repo-template"),
        ("tag-version", "abc", "Unable to convert existing tag version (abc)"),
    ],
    ids=["tag", "repository", "template", "counter"],
)
def test_wrong_property(one: Site, name: str, value: str, complaint: str) -> None:
    """A property that cannot be right fails the release before a number is used."""
    one.make_app()
    one.build()
    one.host.set_property("web", name, value)

    result = one.release()

    assert (result.code, result.stderr.startswith(" !     ")) == (1, True)
    assert complaint in result.stderr
    assert one.releases() == []


def test_wrong_property_of_ours(one: Site) -> None:
    """The same holds for the properties that are ours."""
    one.make_app()
    one.build()
    one.host.set_property("web", "push-deadline", "soon", plugin="registryd")

    result = one.release()

    assert result.code == 1
    assert "push-deadline" in result.stderr
    assert one.releases() == []


def test_one_app_fails_alone(one: Site) -> None:
    """An app whose push fails does not keep another one from being released."""
    for app in ("web", "api"):
        one.make_app(app)
        one.build(app)
    one.log_in("web", password="wrong")

    hooks = [one.begin_release(app) for app in ("web", "api")]

    assert [hook.finish().code for hook in hooks] == [1, 0]


def test_other_password_stays_secret(one: Site) -> None:
    """Neither a right nor a wrong password is in any file but the auth configs."""
    one.make_app()
    one.ship()
    one.log_in(password="open-sesame")
    one.build()
    one.release()

    one.service.stop()

    assert one.spread("open-sesame") == []
    assert one.spread(one.registry.password) == []
