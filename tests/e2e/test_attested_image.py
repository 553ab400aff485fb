"""Apps whose image is an index, as BuildKit makes them for containerd's store."""

import pytest

from support import attested_image
from support.engines import NEWEST_CONTAINERD
from support.every_engine import name_of, on_containerd_stores
from support.site import Site
from support.waiting import until

LABELS = {"com.dokku.app-name": "web"}
BUILT = "docker.io/dokku/web:latest"


@on_containerd_stores
def test_index_is_released_as_it_is(site: Site) -> None:
    """The registry has the index under number and tag, and it is only tagged again."""
    site.make_app(push_extra_tags="stable")
    image_id = attested_image.load(site.engine.path, BUILT, LABELS)

    codes = [site.release().code for _ in range(2)]

    remote = site.remote()
    assert codes == [0, 0]
    assert {remote.digest(tag) for tag in (1, 2, "stable")} == {image_id}


@on_containerd_stores
def test_index_comes_back(site: Site) -> None:
    """An index that is gone is pulled, and is the same image under the same names."""
    site.make_app()
    image_id = attested_image.load(site.engine.path, BUILT, LABELS)
    site.release()
    names = site.names()

    site.engine.wipe()

    site.service.wait_for("job.finished", intent="heal", app="web", detail="pulled")
    until(lambda: names.items() <= site.names().items(), what="all its names")
    assert set(names.values()) == {image_id}


@pytest.mark.parametrize("engine", [NEWEST_CONTAINERD], ids=name_of, indirect=True)
def test_index_of_which_a_part_is_here(site: Site) -> None:
    """Where only our platform is here, that is what is released, healed and kept."""
    site.make_app()
    index = attested_image.load(site.engine.path, BUILT, LABELS, platforms=("arm64",))
    site.release()
    digest = site.remote().digest(1)

    site.engine.wipe()

    site.service.wait_for("job.finished", intent="heal", app="web", detail="pulled")
    assert site.names()[site.reference(1)] == digest != index


@pytest.mark.parametrize("engine", [NEWEST_CONTAINERD], ids=name_of, indirect=True)
def test_a_number_that_holds_the_part_already(site: Site) -> None:
    """A release pushed before the ledger was lost is found as the same image."""
    site.make_app()
    attested_image.load(site.engine.path, BUILT, LABELS, platforms=("arm64",))
    site.release()
    site.announce_deploy()
    digest = site.remote().digest(1)
    site.service.stop()
    for path in site.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    (site.host.data_dir / "deployed" / "web").unlink()
    (site.host.config_root / "registry" / "web" / "tag-version").unlink()
    site.service.start()

    result = site.release()

    assert result.code == 0, result.stderr
    assert (site.remote().tags(), site.remote().digest(1)) == (["1"], digest)
    assert site.releases() == [(1, "pushed")]
