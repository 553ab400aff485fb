"""Small files: whole or not at all, private with any umask."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import destroyed_apps, property_files
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.spool import reply_files
from dokku_registryd.core.hook import replies
from dokku_registryd.core.release import releases


@pytest.fixture(params=[0o000, 0o077, 0o277], ids=["000", "077", "277"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run under several umasks."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    """A file is 0600 and its folder 0700 under any umask."""
    atomic.replace(tmp_path / "a" / "b", b"text")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o600


def test_replacing_leaves_nothing_else(tmp_path: Path) -> None:
    """The temporary file of a replacement is gone, one of a crash is overwritten."""
    (tmp_path / f".b.{os.getpid()}.tmp").write_bytes(b"left by a crash")

    atomic.replace(tmp_path / "b", b"one")
    atomic.replace(tmp_path / "b", b"two")

    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_bytes() == b"two"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither reading nor writing goes through a symbolic link."""
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(OSError, match="symbolic"):
        atomic.read(tmp_path / "link", limit=10)
    atomic.replace(tmp_path / "link", b"new")

    assert target.read_bytes() == b"kept"


def host(tmp_path: Path) -> property_files.PropertyFiles:
    """Build the property files of a host with the apps web and api."""
    for app in ("web", "api"):
        (tmp_path / "home" / app).mkdir(parents=True)
    (tmp_path / "home" / ".docker").mkdir()
    return property_files.PropertyFiles(
        config_root=tmp_path / "config",
        dokku_root=tmp_path / "home",
        deployed_root=tmp_path / "deployed",
    )


def test_properties(tmp_path: Path) -> None:
    """A property is a whole file, without a line break; a missing one is empty."""
    properties = host(tmp_path)
    properties.set("registry", "web", "tag-version", "7")
    properties.set("registry", "--global", "server", "r.example")

    assert (tmp_path / "config/registry/web/tag-version").read_bytes() == b"7"
    assert properties.get("registry", "web", "tag-version") == "7"
    assert properties.get("registry", "--global", "server") == "r.example"
    assert properties.get("registry", "web", "server") == ""
    assert properties.get("registry", "../web", "tag-version") == ""
    properties.delete("registry", "web", "tag-version")
    properties.delete("registry", "web", "tag-version")
    assert properties.get("registry", "web", "tag-version") == ""


def test_apps_and_owners(tmp_path: Path) -> None:
    """Apps are folders of Dokku's root; owners those that left properties."""
    properties = host(tmp_path)
    properties.set("registry", "old", "server", "x")
    properties.set("registryd", "web", "heal", "on")
    properties.set("registry", "--global", "server", "x")

    assert properties.apps() == ["api", "web"]
    assert properties.owners() == ["old", "web"]


def test_the_recorded_release(tmp_path: Path) -> None:
    """What Dokku is answered with is three lines that a shell reads."""
    properties = host(tmp_path)
    deployed = releases.DeployedRelease(server="", image_repo="org/web", number=12)

    assert properties.deployed("web") is None
    properties.record_deployed("web", deployed)

    assert (tmp_path / "deployed/web").read_bytes() == b"\norg/web\n12\n"
    assert properties.deployed("web") == deployed
    properties.forget_deployed("web")
    properties.forget_deployed("web")
    assert properties.deployed("web") is None


DIGEST = f"sha256:{'0a' * 32}"


def test_the_recorded_digest(tmp_path: Path) -> None:
    """The digest follows the lines for Dokku, and is not part of them."""
    properties = host(tmp_path)
    deployed = releases.DeployedRelease(
        server="r.io/", image_repo="org/web", number=12, digest=DIGEST
    )

    properties.record_deployed("web", deployed)

    text = (tmp_path / "deployed/web").read_text()
    assert text == f"r.io/\norg/web\n12\n{DIGEST}\n"
    found = properties.deployed("web")
    assert (found, found and found.digest) == (replace(deployed, digest=""), DIGEST)


@pytest.mark.parametrize("digest", ["", DIGEST], ids=["none", "known"])
def test_the_recorded_image(tmp_path: Path, digest: str) -> None:
    """The image's ID stands last of all, whole or not at all."""
    properties = host(tmp_path)
    image_id = f"sha256:{'0b' * 32}"
    deployed = releases.DeployedRelease(
        server="", image_repo="org/web", number=12, digest=digest, image_id=image_id
    )

    properties.record_deployed("web", deployed)
    path = tmp_path / "deployed/web"
    whole, found = path.read_text(), properties.deployed("web")
    path.write_text(whole[:-1])
    cut = properties.deployed("web")

    assert whole == f"\norg/web\n12\n{digest}\n{image_id}\n"
    assert (found and found.image_id, found and found.digest) == (image_id, digest)
    assert (cut and cut.image_id, cut and cut.digest) == ("", digest)


@pytest.mark.parametrize(
    "line",
    [
        "",
        DIGEST,
        f"{DIGEST}0\n",
        f"{DIGEST.upper()}\n",
        "sha256:\n",
        "sha9:\n",
        "none\n",
    ],
    ids=["none", "cut", "long", "large", "empty", "unknown", "words"],
)
def test_a_digest_that_is_not_whole(tmp_path: Path, line: str) -> None:
    """A record has the lines for Dokku, with any lines after them."""
    properties = host(tmp_path)
    atomic.replace(tmp_path / "deployed" / "web", f"r/\nweb\n3\n{line}".encode())

    found = properties.deployed("web")

    assert found is not None
    assert (found.reference, found.digest) == ("r/web:3", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\nb\n",
        "a\nb\nx\n",
        "a\nb\n-1\n",
        "a\nb\n²\n",
        f"a\nb\n{'9' * 5000}\n",
    ],
    ids=lambda text: ascii(text)[:16],
)
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    """A record that is not whole counts as missing."""
    properties = host(tmp_path)
    atomic.replace(tmp_path / "deployed" / "web", text.encode())

    assert properties.deployed("web") is None


def test_detaching(tmp_path: Path) -> None:
    """An app's folders move away in one step each; a second time finds nothing."""
    properties = host(tmp_path)
    properties.set("registry", "web", "server", "x")
    properties.set("registryd", "web", "heal", "on")
    folders = destroyed_apps.DestroyedApps(
        root=tmp_path / "forgotten", config_root=tmp_path / "config"
    )

    folders.detach("web", "0000000000000001.0.1")
    folders.detach("web", "0000000000000002.0.1")

    assert properties.get("registry", "web", "server") == ""
    first, second = folders.of("web")
    assert (Path(folders.login_folder(first)) / "server").read_text() == "x"
    assert list(Path(second).iterdir()) == []
    assert folders.apps() == ["web"]
    folders.remove(first)
    folders.remove(first)
    assert folders.of("web") == [second]


def test_detached_folders_of_one_app_only(tmp_path: Path) -> None:
    """An app whose name begins like another's does not own its folders."""
    folders = destroyed_apps.DestroyedApps(
        root=tmp_path / "forgotten", config_root=tmp_path / "config"
    )
    folders.detach("web.api", "0000000000000001.0.1")

    assert folders.of("web") == []
    assert len(folders.of("web.api")) == 1


def test_a_reply_is_followed_as_it_grows(tmp_path: Path) -> None:
    """A follower gets each complete line once, and waits for the rest."""
    answers = reply_files.ReplyFiles(tmp_path / "replies")
    follower = answers.follow("1")

    assert list(follower.lines()) == []
    answers.write("1", replies.Line.HEADLINE, "Pushing")
    assert (tmp_path / "replies").stat().st_mode & 0o777 == 0o700
    assert list(follower.lines()) == [(replies.Line.HEADLINE, "Pushing")]
    with (tmp_path / "replies" / "1").open("a") as file:
        file.write("detail half")
    assert list(follower.lines()) == []
    answers.write("1", replies.Line.EXIT, "0")
    assert [kind for kind, _ in follower.lines()] == [replies.Line.DETAIL]
    answers.remove("1")
    answers.remove("1")


def test_old_replies_are_removed(tmp_path: Path) -> None:
    """An unread reply is removed after a while; a fresh one stays."""
    answers = reply_files.ReplyFiles(tmp_path / "replies")
    answers.write("old", replies.Line.EXIT, "0")
    answers.write("new", replies.Line.EXIT, "0")
    os.utime(tmp_path / "replies" / "old", (100, 100))

    assert answers.remove_older(1000.0, but=lambda _: False) == 1
    assert [path.name for path in (tmp_path / "replies").iterdir()] == ["new"]


def test_a_reply_that_is_needed_stays(tmp_path: Path) -> None:
    """A reply that may still be read stays, even if the clock makes it look old."""
    answers = reply_files.ReplyFiles(tmp_path / "replies")
    answers.write("1", replies.Line.DETAIL, "Pushing")

    assert answers.remove_older(4e9, but={"1"}.__contains__) == 0
    assert len(list(answers.follow("1").lines())) == 1


def test_a_restarted_reply(tmp_path: Path) -> None:
    """A reader of a reply that was removed continues with its replacement."""
    answers = reply_files.ReplyFiles(tmp_path / "replies")
    answers.write("1", replies.Line.DETAIL, "a line that is longer than an end")
    follower = answers.follow("1")
    list(follower.lines())
    answers.remove("1")
    answers.write("1", replies.Line.EXIT, "0")

    assert list(follower.lines()) == [(replies.Line.EXIT, "0")]


def test_a_reply_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """A disk that refuses does not fail a job."""
    (tmp_path / "replies").write_bytes(b"no folder")

    reply_files.ReplyFiles(tmp_path / "replies").write("1", replies.Line.EXIT, "0")

    assert (tmp_path / "replies").read_bytes() == b"no folder"
