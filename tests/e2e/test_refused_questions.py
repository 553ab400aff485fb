"""Registries that take a push and refuse questions about it, in front of a real one."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import front as fronts
from support import seeding
from support.every_engine import on_every_engine
from support.front import Answer, Asked, Front
from support.registries import RegistryServer
from support.site import Site

APP = "web"


@pytest.fixture
def front(own_registry: RegistryServer) -> Iterator[Front]:
    """Give what answers in the registry's place where a test wants it."""
    with Front(own_registry.host) as running:
        yield running


@pytest.fixture(params=["relay", "engine"])
def way(request: pytest.FixtureRequest, idle_site: Site, front: Front) -> str:
    """Push by the relay, and by the Engine itself."""
    idle_site.service.configure(engine__push_path=request.param)
    idle_site.server = front.host
    idle_site.service.start()
    return str(request.param)


def refuse_reading(asked: Asked) -> Answer | None:
    """Answer as ECR where its example policy for pushing is used."""
    is_reading = asked.method in {"GET", "HEAD"} and asked.has_login
    is_of_manifest = "/manifests/" in asked.path or "/tags/" in asked.path
    if is_reading and is_of_manifest:
        return fronts.error(403, "DENIED", "not authorized: ecr:BatchGetImage")
    return None


def findings(site: Site) -> dict[str, str]:
    """Return what `doctor` says of the release, by its level."""
    rows = site.ask("doctor")
    return {row["level"]: row["text"] for row in rows if row["check"] == "release"}


def detail(site: Site) -> str:
    """Return how the last release ended, as the ledger has it."""
    found = site.service.lines("job.finished", intent="release", app=APP)
    return str(found[-1]["detail"])


@on_every_engine
def test_an_image_that_is_given_out_only_once_it_is_scanned(
    idle_site: Site, front: Front, way: str
) -> None:
    """Harbor answers 412 for what it has just taken: the push has confirmed it."""
    idle_site.make_app()

    def withhold(asked: Asked) -> Answer | None:
        if asked.method not in {"GET", "HEAD"} or "/manifests/" not in asked.path:
            return None
        if idle_site.remote().digest(asked.path.rpartition("/")[2]) is None:
            return None
        return fronts.error(412, "PROJECTPOLICYVIOLATION", "the image is not scanned")

    front.rules = [withhold]

    for number in (1, 2):
        idle_site.build()
        result = idle_site.release()

        assert (result.code, result.stderr) == (0, "")
        assert idle_site.deployed() == idle_site.reference(number)
        assert (
            "answers 412 PROJECTPOLICYVIOLATION (the image is not scanned)"
            in detail(idle_site)
        )
        idle_site.announce_deploy()
    assert idle_site.remote().tags() == ["1", "2"]
    assert set(findings(idle_site)) == {"warn"}


def test_a_login_that_may_only_push(one_way: Site, front: Front) -> None:
    """Nothing of a release by the relay depends on the right to read."""
    one_way.make_app(push_extra_tags="stable")
    front.rules = [refuse_reading]
    one_way.build()

    result = one_way.release()

    assert (result.code, result.stderr) == (0, "")
    assert one_way.remote().tags() == ["1", "stable"]
    assert "ecr:BatchGetImage" in detail(one_way)
    one_way.announce_deploy()
    told = findings(one_way)
    assert "counts as confirmed because the registry accepted the push" in told["warn"]


@pytest.fixture
def one_way(idle_site: Site, front: Front) -> Site:
    """Give a site whose pushes go by the relay, and by the front."""
    idle_site.server = front.host
    idle_site.service.start()
    return idle_site


def test_a_registry_whose_head_denies_what_it_has(one_way: Site, front: Front) -> None:
    """A foreign number is detected by GET, and is not overwritten."""
    one_way.make_app()
    theirs = seeding.push(one_way.registry, f"dokku/{APP}", "1", "foreign")

    def deny(asked: Asked) -> Answer | None:
        is_head = asked.method == "HEAD" and "/manifests/" in asked.path
        return Answer(status=404) if is_head and asked.has_login else None

    front.rules = [deny]
    one_way.build()

    result = one_way.release()

    assert (result.code, result.stderr) == (0, "")
    assert one_way.remote().digest(1) == theirs.digest
    assert one_way.deployed() == one_way.reference(2)


# The first login that it gives is the one of yesterday.
_ECR_LOGIN = """\
#!/bin/sh
read -r server
secret=stale
[ ! -e '{asked}' ] || secret='{password}'
echo x >>'{asked}'
printf '{{"ServerURL":"%s","Username":"ci","Secret":"%s"}}' "$server" "$secret"
"""


def test_a_login_that_has_expired(one_way: Site, front: Front, tmp_path: Path) -> None:
    """ECR says 403 when a login of twelve hours is over: its helper has a new one."""
    one_way.make_app()
    asked_file = tmp_path / "asked"
    one_way.host.add_command(
        "docker-credential-ecr-login",
        _ECR_LOGIN.format(asked=asked_file, password=one_way.registry.password),
    )
    one_way.write_login(APP, {"credHelpers": {one_way.server: "ecr-login"}})
    stale = base64.b64encode(b"ci:stale").decode()

    def expire(asked: Asked) -> Answer | None:
        if asked.headers.get("authorization") != f"Basic {stale}":
            return None
        return fronts.error(403, "DENIED", "Your authorization token has expired.")

    front.rules = [expire]
    one_way.build()

    result = one_way.release()

    assert (result.code, result.stderr) == (0, "")
    assert asked_file.read_text().count("x") == 2
    assert one_way.remote().tags() == ["1"]
