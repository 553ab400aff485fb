"""A property that cannot be read never sends an image to another registry."""

from pathlib import Path

from support.site import Site


def test_server_that_cannot_be_read(one: Site) -> None:
    """The release waits, names the file, and goes where it says once it can be read."""
    one.make_app()
    one.build()
    path = one.host.config_root / "registry" / "web" / "server"
    kept = path.rename(path.with_name("kept.server"))
    path.symlink_to("nowhere")

    hook = one.begin_release()

    line = one.service.wait_for("job.retry_scheduled", intent="release")
    assert f"cannot read {path}: a dangling link" in line["error"]
    assert one.names().keys() == {"dokku/web:latest"}
    assert str(path) in one.service.run("doctor", "web").stdout
    kept.rename(path)  # In one step: at no moment is it unset.
    assert hook.finish().code == 0
    assert one.deployed() == one.reference(1)


def test_server_behind_a_link(one: Site, tmp_path: Path) -> None:
    """A link is followed by hooks and daemon alike."""
    one.make_app()
    path = one.host.config_root / "registry" / "web" / "server"
    path.rename(tmp_path / "server")
    path.symlink_to(tmp_path / "server")

    one.ship()

    assert one.deployed() == one.reference(1)
    assert one.remote().tags() == ["1"]
