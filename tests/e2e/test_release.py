"""A release: from the hook that Dokku calls to the tags in the registry."""

from support.every_engine import on_every_engine
from support.site import Site
from support.waiting import until

# Word for word what Dokku's own plugin prints, in our order: the number comes first.
STEPS = """\
-----> Pushing image to registry
       Bumping tag to 1
       Retrieving image info for app
       Tagging dokku/web:1 in registry format
       Pushing {server}/dokku/web:1
       Tagging dokku/web as stable in registry format
       Pushing {server}/dokku/web:stable
       Image {server}/dokku/web:1 pushed
"""


@on_every_engine
def test_first_release(site: Site) -> None:
    """The first release is number 1, for Dokku and for the registry."""
    site.make_app()
    site.build()

    result = site.release()

    assert (result.code, result.stderr) == (0, "")
    assert site.remote().tags() == ["1"]
    assert site.deployed() == site.reference(1)
    site.announce_deploy()
    assert site.deployed_later() == site.reference(1)
    assert site.host.read_property("web", "tag-version") == "1"


def test_output_is_in_dokkus_style(site: Site) -> None:
    """The deployer sees the steps as Dokku prints them, and what the Engine says."""
    site.make_app(push_extra_tags="stable")
    site.build()

    shown = site.release().stdout.splitlines(keepends=True)

    steps = [line for line in shown if line.startswith(("----->", "       "))]
    assert "".join(steps) == STEPS.format(server=site.server)
    assert any(line.startswith("The push refers to repository") for line in shown)


def test_quiet_release(one: Site) -> None:
    """With --quiet only the step itself is shown."""
    one.make_app()
    one.build()

    result = one.host.trigger(
        "post-release-builder",
        "dockerfile",
        "web",
        "dokku/web:latest",
        environ={"DOKKU_QUIET_OUTPUT": "1"},
    )

    assert result.stdout == "-----> Pushing image to registry\n"


@on_every_engine
def test_extra_tags_have_the_digest_of_the_number(site: Site) -> None:
    """Each extra tag stands for the very manifest of the number."""
    site.make_app(push_extra_tags=" stable, latest,,1,stable")
    site.build()

    site.release()

    remote = site.remote()
    assert remote.tags() == ["1", "latest", "stable"]
    assert {remote.digest(tag) for tag in remote.tags()} == {remote.digest(1)}


def test_what_made_a_release(site: Site) -> None:
    """Key, command, commit and branch are in the ledger, in the listing and in tags."""
    tags = "{{ .GitShortRev }},{{ .Branch }}-v{{ .Number }}"
    site.make_app(push_extra_tags=tags)
    site.host.set_property("web", "deploy-branch", "feat/x", plugin="git")
    config = site.host.config_root / "web"
    config.mkdir()
    (config / "ENV").write_text('SECRET_KEY="hunter2"\nGIT_REV="3f1c9a7be2"\n')
    site.build()
    told = {"SSH_NAME": "ana", "DOKKU_BUILD_SOURCE": "git-hook"}

    result = site.begin_release(environ=told).finish()

    assert (result.code, result.stderr) == (0, "")
    assert site.remote().tags() == ["1", "3f1c9a7", "feat-x-v1"]
    site.announce_deploy()
    listed = site.service.run("releases", "web").stdout.splitlines()[1]
    assert "3f1c9a7   ana  git-hook" in listed
    page = site.service.run("releases", "web", "1").stdout
    assert "revision:      3f1c9a7be2\n" in page
    assert "extra tags:    3f1c9a7 (was new), feat-x-v1 (was new)\n" in page
    assert "hunter2" not in site.service.tail()


def test_no_extra_tag_stays_on_the_host(site: Site) -> None:
    """On the host are the number's two names and Dokku's own, which stays as it was."""
    site.make_app(push_extra_tags="stable,latest")
    image_id = site.build()

    site.release()

    assert site.names() == dict.fromkeys(
        (site.reference(1), "dokku/web:1", "dokku/web:latest"), image_id
    )


def test_second_release(site: Site) -> None:
    """A second release raises the number, moves extra tags, and leaves number 1."""
    site.make_app(push_extra_tags="stable")
    site.ship()
    first = site.remote().digest(1)

    site.ship()

    remote = site.remote()
    assert remote.tags() == ["1", "2", "stable"]
    assert remote.digest(1) == first
    assert remote.digest("stable") == remote.digest(2) != first
    assert site.deployed() == site.reference(2)


@on_every_engine
def test_release_of_the_same_image_sends_no_layer(site: Site) -> None:
    """An image that the registry has is only tagged again, without sending a layer."""
    site.make_app()
    site.ship()
    uploads = len(site.registry.requests("/blobs/uploads/"))

    result = site.release()

    assert result.code == 0
    assert len(site.registry.requests("/blobs/uploads/")) == uploads
    assert site.remote().digest(2) == site.remote().digest(1)


def test_custom_repository(one: Site) -> None:
    """An image-repo of the app's own is pushed to, and answered with."""
    one.make_app(image_repo="team/shop")
    image_id = one.build()

    result = one.release()

    assert result.code == 0
    assert one.deployed() == f"{one.server}/team/shop:1"
    assert one.names()["team/shop:1"] == image_id


def test_running_release_keeps_its_name(one: Site) -> None:
    """A new image-repo holds from the next release on; what runs keeps its name."""
    one.make_app()
    one.ship()

    one.host.set_property("web", "image-repo", "team/shop")

    assert one.deployed() == one.reference(1)
    one.ship()
    assert one.deployed() == f"{one.server}/team/shop:2"


def test_nothing_is_left_behind(one: Site) -> None:
    """After a release neither trigger file nor reply is left."""
    one.make_app()

    one.ship()

    replies = one.host.data_dir / "replies"
    until(lambda: not one.host.spool(), what="the end of the deploy's trigger")
    assert one.host.spool("tmp") == one.host.spool("rejected") == {}
    assert list(replies.iterdir()) == []


def test_two_apps_at_once(site: Site) -> None:
    """Two apps are released at the same time, each under numbers of its own."""
    for app in ("web", "api"):
        site.make_app(app)
        site.build(app)

    hooks = [site.begin_release(app) for app in ("web", "api")]

    assert [hook.finish().code for hook in hooks] == [0, 0]
    assert site.deployed("web") == site.reference(1, "web")
    assert site.deployed("api") == site.reference(1, "api")


def test_two_releases_of_one_app(one: Site) -> None:
    """Two releases of one app follow each other, and each gets its number."""
    one.make_app()
    one.build()

    first = one.begin_release()
    # Of two hooks that begin at once either may leave its trigger first.
    one.service.wait_for("trigger.accepted", trigger="release")
    hooks = [first, one.begin_release()]

    assert [hook.finish().code for hook in hooks] == [0, 0]
    assert one.releases() == [(2, "pushed"), (1, "pushed")]
    assert one.deployed() == one.reference(2)
