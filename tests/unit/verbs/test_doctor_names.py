"""What `doctor` says of names that are missing on this host."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from dokku_registryd.effects import release
from dokku_registryd.effects.app import app_state
from dokku_registryd.verbs.service import doctor_names
from worlds import REPOSITORY, Host

DEPLOYED = f"{REPOSITORY}:1"


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    return host


def said(host: Host, *, is_healing: bool = True, is_gone: bool = False) -> str:
    """Return what is said of the image of the app, in one line."""
    state = app_state.state_of(host.context, "web")
    found = doctor_names.examine(
        host.context, state, is_healing=is_healing, is_gone=is_gone
    )
    return "\n".join(f"{one.level} {one.check}: {one.text}" for one in found)


def test_nothing_is_missing(released: Host) -> None:
    """All names are here."""
    assert said(released) == f"ok image: {DEPLOYED} does not point to another image"


def test_names_of_an_image_that_is_here(released: Host) -> None:
    """A service that runs adds them; without it, or with heal off, nothing does."""
    released.engine.untag(DEPLOYED)
    released.engine.untag("org/web:1")

    running = said(released)
    stopped = said(released, is_healing=False)
    released.set("web", "heal", "off")

    missing = f"{DEPLOYED} and 1 more are missing on this host"
    assert running == f"ok image: {missing}; the service adds them to the image"
    assert stopped == (
        f"warn image: {missing}; the image is here. Add them with: dokku"
        " registryd:heal web"
    )
    assert said(released).endswith("dokku registryd:set web heal on (it is off)")


def test_an_image_that_only_the_registry_has(released: Host) -> None:
    """It is missing with or without the service, until it was pulled."""
    for name in released.names():
        released.engine.lose(name)

    assert said(released) == said(released, is_healing=False)
    assert said(released) == (
        f"warn image: {DEPLOYED} and 1 more are missing on this host; only the registry"
        " has the image. Restore it with: dokku registryd:heal web"
    )
    assert said(released, is_gone=True) == ""


def test_an_image_that_is_lost(released: Host) -> None:
    """A release that was not pushed is nowhere else."""
    image_id = released.names()["dokku/web:latest"]
    released.files.record_deployed(
        "web",
        releases.DeployedRelease(server="", image_repo="", number=0, image_id=image_id),
    )
    for name in released.names():
        released.engine.lose(name)

    assert said(released) == (
        f"fail image: {REPOSITORY}:latest and 1 more are missing on this host, and"
        " cannot be restored. Rebuild the app with: dokku ps:rebuild web"
    )


def test_an_engine_that_does_not_answer(released: Host) -> None:
    """Another finding is about the Engine."""
    released.engine.fail("image", errors.EngineUnavailableError("it is away"))

    assert said(released) == ""
