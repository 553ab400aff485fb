"""The release hook with push off, and the deprecated trigger that it has to call."""

import re
import shutil
from pathlib import Path

import pytest

from dokku_registryd.core.hook import deployed_record, triggers
from dokku_registryd.core.release.releases import DeployedRelease
from support.dokku_host import DokkuHost, Result

RELEASE = "post-release-builder"
IMAGE = "dokku/web:latest"
DEPRECATED = (
    " !     Deprecated: please upgrade plugin to use 'pre-release-builder' plugin"
    " trigger instead of pre-deploy\n"
)


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host where nothing is pushed."""
    host = DokkuHost(tmp_path)
    host.add_recorder("docker")
    host.add_recorder("dokku-registryd")
    return host


def release(host: DokkuHost) -> Result:
    """Fire the trigger as a builder does."""
    return host.trigger(RELEASE, "herokuish", "web", IMAGE)


def test_dokkus_own_name_needs_nothing(host: DokkuHost) -> None:
    """With push off and Dokku's own repository the hook starts no program."""
    bash = shutil.which("bash") or "bash"

    result = host.run(
        [bash, str(host.hook(RELEASE)), "herokuish", "web", IMAGE],
        environ={"PATH": "/nonexistent"},
    )

    assert result == Result("", "", 0)
    assert host.spool() == {}


@pytest.mark.parametrize(
    ("name", "value", "image", "expected"),
    [
        ("image-repo", "org/web", IMAGE, "org/web:latest"),
        ("image-repo", "org/web", "dokku/web:12", "org/web:12"),
        ("image-repo", "r.io:5000/web", IMAGE, "r.io:5000/web:latest"),
        ("image-repo-template", "org/{{ .AppName }}", IMAGE, "org/web:latest"),
    ],
)
def test_another_repository_gets_a_name(
    host: DokkuHost, name: str, value: str, image: str, expected: str
) -> None:
    """The image is also called as Dokku will ask for it."""
    host.set_property("web", name, value)
    host.set_property("web", "server", "docker.io")

    result = host.trigger(RELEASE, "herokuish", "web", image)

    assert result == Result("", "", 0)
    assert host.calls("docker") == [["image", "tag", image, expected]]
    assert host.spool() == {}


@pytest.mark.parametrize(
    ("image_repo", "expected"),
    [
        ("", ["ghcr.io/dokku/web:latest"]),
        ("org/web", ["org/web:latest", "ghcr.io/org/web:latest"]),
    ],
)
def test_a_server_is_part_of_the_name(
    host: DokkuHost, image_repo: str, expected: list[str]
) -> None:
    """Dokku asks for the server too, so the image is called so, without a push."""
    host.set_property("web", "server", "ghcr.io")
    host.set_property("web", "image-repo", image_repo)

    assert release(host) == Result("", "", 0)
    assert host.calls("docker") == [["image", "tag", IMAGE, name] for name in expected]


@pytest.mark.parametrize(
    ("code", "calls"),
    [(0, [["image", "tag", IMAGE, "org/blog:latest"]]), (1, [])],
    ids=["right", "wrong"],
)
def test_a_template_beyond_the_shell(
    host: DokkuHost, code: int, calls: list[list[str]]
) -> None:
    """The program expands it; a wrong one leaves Dokku's own name, without a word."""
    host.add_recorder("dokku-registryd", code=code, stdout="org/blog\n" * (1 - code))
    host.set_property("web", "image-repo-template", "{{ printf `org/blog` }}")

    assert release(host) == Result("", "", 0)
    assert host.calls("docker") == calls


def test_docker_refuses(host: DokkuHost) -> None:
    """A name that Docker refuses fails the release, and the record stays."""
    host.add_command("docker", "#!/bin/sh\necho 'invalid reference' >&2\nexit 1\n")
    host.set_property("web", "image-repo", "Org/Web")
    record = host.record_release("web", server="", image_repo="org/web", number=7)

    assert release(host) == Result(
        "",
        "invalid reference\n"
        " !     unable to tag image dokku/web:latest as Org/Web:latest."
        " Correct the name with dokku registry:set web image-repo\n",
        1,
    )
    assert record.exists()


def test_the_record_goes_with_the_deploy(host: DokkuHost) -> None:
    """A deploy without a push gets Dokku's own name; all others once it is live."""
    record = host.record_release("web", server="", image_repo="org/web", number=7)
    other = {"DOKKU_BUILD_ID": "other"}

    assert release(host) == Result("", "", 0)

    assert host.trigger("deployed-app-image-tag", "web") == Result("", "", 0)
    assert host.trigger("deployed-app-image-repo", "web").stdout == "dokku/web\n"
    assert host.trigger("deployed-app-image-tag", "web", environ=other).stdout == "7\n"
    host.trigger("post-deploy", "web", "", "", "latest")
    assert record.read_text() == "\n\n0\n"
    assert host.trigger("deployed-app-image-tag", "web", environ=other).stdout == ""


@pytest.mark.parametrize("is_told", [True, False])
def test_the_image_is_recorded(host: DokkuHost, is_told: bool) -> None:
    """By its ID the daemon gives names back that Dokku's cleanup takes."""
    image_id = f"sha256:{'5' * 64}"
    host.add_recorder("docker", stdout=f"{image_id}\n")
    record = host.record_release("web", server="", image_repo="org/web", number=7)
    build = {"DOKKU_BUILD_ID": "1abc" if is_told else "", "DOKKU_PID": ""}

    assert host.trigger(RELEASE, "herokuish", "web", IMAGE, environ=build).code == 0
    host.trigger("post-deploy", "web", "", "", "latest", environ=build)

    assert deployed_record.parse(record.read_bytes()) == DeployedRelease(
        server="", image_repo="", number=0, image_id=image_id
    )
    assert host.calls("docker") == [["image", "inspect", "--format", "{{.Id}}", IMAGE]]
    asked = host.trigger("deployed-app-image-tag", "web", environ=build)
    assert asked == Result("", "", 0)


@pytest.mark.parametrize("is_told", [True, False])
def test_push_on_again(host: DokkuHost, is_told: bool) -> None:
    """What runs stays what questions are answered with, until a push is live.

    That is so too where a hook cannot tell which deploy it belongs to.
    """
    host.set_property("web", "tag-version", "7")
    host.set_property("web", "server", "ghcr.io")
    host.record_release("web", server="ghcr.io/", image_repo="org/web", number=7)
    build = {"DOKKU_BUILD_ID": "1abc" if is_told else "", "DOKKU_PID": ""}
    host.trigger(RELEASE, "herokuish", "web", IMAGE, environ=build)
    host.trigger("post-deploy", "web", "", "", "latest", environ=build)

    host.set_property("web", "push-on-release", "true")

    asked = ("image-tag", "repository", "image-repo")
    answers = [host.trigger(f"deployed-app-{name}", "web") for name in asked]
    assert [answer.stdout for answer in answers] == ["", "ghcr.io/\n", "dokku/web\n"]
    assert {(answer.stderr, answer.code) for answer in answers} == {("", 0)}


@pytest.mark.parametrize(
    ("lock", "build", "expected"),
    [
        ("daemon 12\nreads build deploy waiter\n", "1abc", b"deploy=1abc\n"),
        ("daemon 12\nreads build waiter\n", "1abc", b""),
        ("daemon 12\nreads build deploy waiter\n", "", b""),
    ],
    ids=["present", "older-program", "no-build"],
)
def test_an_order_is_left(
    host: DokkuHost, lock: str, build: str, expected: bytes
) -> None:
    """The daemon hears of it, so that a push that still waits shows nothing.

    It hears of the deploy too, where it reads that, since a deploy may fail.
    """
    host.record_release("web", server="", image_repo="org/web", number=7)
    (host.data_dir / "lock").write_text(lock)
    environ = {"DOKKU_BUILD_ID": build, "DOKKU_PID": ""}

    host.trigger(RELEASE, "herokuish", "web", IMAGE, environ=environ)

    assert list(host.spool().values()) == [
        b"dokku-registryd/1\ntrigger=local\napp=web\n" + expected + b"end\n"
    ]
    for content in host.spool().values():
        assert triggers.parse(content).build == build * bool(expected)


@pytest.mark.parametrize(
    "date", ["exit 1", 'echo "${1#+}"', 'echo "1700000000.123456789"']
)
def test_a_date_without_microseconds(host: DokkuHost, date: str) -> None:
    """A name is made of seconds then, and sorts behind what waits already."""
    host.record_release("web", server="", image_repo="org/web", number=7)
    host.add_command(
        "date", f'#!/bin/sh\n[ "$1" = +%s ] && exec /bin/date +%s\n{date}\n'
    )
    dash = shutil.which("dash") or "dash"

    for _ in range(2):
        argv = [dash, str(host.hook(RELEASE)), "herokuish", "web", IMAGE]
        assert host.run(argv) == Result("", "", 0)

    names = list(host.spool())
    assert len(names) == 2
    assert all(re.fullmatch(r"\d{16}\.\d+\.\d+", name) for name in names)
    assert names[0].split(".")[0] < names[1].split(".")[0]


def test_a_counter_that_cannot_be_read(host: DokkuHost) -> None:
    """It is not needed for a release that stays here, so it blocks no deploy."""
    (host.config_root / "registry" / "web" / "tag-version").mkdir(parents=True)

    assert release(host) == Result("", "", 0)

    assert [b"trigger=local" in text for text in host.spool().values()] == [True]


def test_a_record_that_cannot_go(host: DokkuHost) -> None:
    """A record that stayed would deploy the previous release: the release fails.

    That is so where the deploy cannot be told of it either.
    """
    record = host.record_release("web", server="", image_repo="org/web", number=7)
    (host.data_dir / "deploying").write_text("in the way")
    host.add_command("mv", "#!/bin/sh\nexit 1\n")
    host.add_command(
        "rm", "#!/bin/sh\necho 'rm: x: Read-only file system' >&2\nexit 1\n"
    )

    assert release(host) == Result(
        "",
        f" !     Cannot remove {record} (Read-only file system)."
        " Remove it, then run dokku ps:rebuild web\n",
        1,
    )


def test_pre_deploy_comes_first(host: DokkuHost) -> None:
    """A plugin with the deprecated trigger gets app and tag before anything else."""
    host.set_property("web", "image-repo", "org/web")
    host.add_plugin(
        "other", {"pre-deploy": f'#!/bin/sh\necho "$@"; cat {host.root}/docker.calls\n'}
    )

    assert release(host) == Result("web latest\n", DEPRECATED, 0)
    assert len(host.calls("docker")) == 1


def test_pre_deploy_fails_the_release(host: DokkuHost) -> None:
    """Its failure is the release's failure, and nothing was done by then."""
    host.set_property("web", "image-repo", "org/web")
    host.set_property("web", "push-on-release", "true")
    host.add_plugin("other", {"pre-deploy": "#!/bin/sh\necho no >&2\nexit 7\n"})

    assert release(host) == Result("", f"{DEPRECATED}no\n", 7)
    assert host.spool() == {}
    assert host.calls("docker") == host.calls("dokku-registryd") == []


def test_the_events_plugin_does_not_count(host: DokkuHost) -> None:
    """Dokku's own 20_events has every trigger; it alone does not cause a call."""
    host.add_plugin("20_events", {"pre-deploy": "#!/bin/sh\necho event\n"})

    assert release(host) == Result("", "", 0)
