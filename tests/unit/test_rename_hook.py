"""Renaming an app: nothing is lost, wherever the hook dies."""

import shutil
from pathlib import Path

import pytest

from support.dokku_host import DokkuHost, Result

RENAME = "post-app-rename-setup"
LOGIN = '{"auths": {"ghcr.io": {"auth": "dTpw"}}}'
FILES = {
    "config/registry/{app}/config.json": LOGIN,
    "config/registry/{app}/server": "ghcr.io",
    "config/registry/{app}/tag-version": "7",
    "config/registryd/{app}/heal": "off",
    "data/registryd/deployed/{app}": "ghcr.io/\norg/web\n7\n",
}
# Counts the steps of the hook and kills it before or after one of them. A step runs in
# a subshell of the hook.
KILLER = """#!/bin/bash
echo >>"{root}/steps"
step=$(wc -l <"{root}/steps")
if [[ {when} == after || $step != {number} ]]; then
  /bin/{program} "$@"
  status=$?
fi
if [[ $step == {number} ]]; then
  read -r _ _ _ hook _ <"/proc/$PPID/stat"
  kill -9 "$hook" "$PPID"
fi
exit "$status"
"""
STEPS = 7  # three folders, one trigger file, three syncs


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host with an app that has everything."""
    host = DokkuHost(tmp_path)
    host.create_app("web")
    host.set_property("web", "config.json", LOGIN)
    host.set_property("web", "server", "ghcr.io")
    host.set_property("web", "tag-version", "7")
    host.set_property("web", "heal", "off", plugin="registryd")
    host.record_release("web", server="ghcr.io/", image_repo="org/web", number=7)
    return host


def state(host: DokkuHost) -> dict[str, str]:
    """Return properties, logins and records with their contents."""
    roots = (host.config_root, host.data_dir / "deployed")
    paths = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(host.lib_root)): path.read_text() for path in paths}


def belonging_to(app: str) -> dict[str, str]:
    """Return what one app has when it has everything."""
    return {path.format(app=app): text for path, text in FILES.items()}


def kill_at(host: DokkuHost, number: int, when: str) -> None:
    """Have the hook killed at one of its steps."""
    for program in ("mv", "sync"):
        host.add_command(
            program,
            KILLER.format(root=host.root, number=number, when=when, program=program),
        )


def test_everything_moves(host: DokkuHost) -> None:
    """The new name has what the old one had, and the daemon is told last."""
    host.create_app("blog")

    result = host.trigger(RENAME, "web", "blog")

    assert result == Result("", "", 0)
    assert state(host) == belonging_to("blog")
    assert list(host.spool().values()) == [
        b"dokku-registryd/1\ntrigger=renamed\napp=web\nother=blog\nend\n"
    ]
    assert not (host.data_dir / "forgotten").exists()


def test_dokkus_whole_rename(host: DokkuHost) -> None:
    """When Dokku then destroys the old name, there is nothing left to take away."""
    assert host.rename_app("web", "blog") == Result("", "", 0)

    assert state(host) == belonging_to("blog")
    kinds = [content.split(b"\n")[1] for content in host.spool().values()]
    assert kinds == [b"trigger=renamed", b"trigger=destroyed"]
    assert not (host.data_dir / "forgotten").exists()


def test_it_answers_under_the_new_name(host: DokkuHost) -> None:
    """Dokku's questions are answered for the new name, and no more for the old one."""
    host.rename_app("web", "blog")

    answers = [host.trigger("deployed-app-image-tag", app) for app in ("blog", "web")]

    assert [answer.stdout for answer in answers] == ["7\n", ""]


def test_leftovers_of_the_new_name_are_set_aside(host: DokkuHost) -> None:
    """What stood in the way is not mixed in; the daemon finds it in forgotten."""
    host.create_app("blog")
    host.set_property("blog", "image-repo", "org/stale")
    host.set_property("blog", "tag-version", "99")

    host.trigger(RENAME, "web", "blog")

    assert state(host) == belonging_to("blog")
    (folder,) = (host.data_dir / "forgotten").iterdir()
    assert folder.name.startswith("blog.")
    assert (folder / "registry" / "tag-version").read_text() == "99"


def test_beside_core(host: DokkuHost) -> None:
    """Dokku's own plugin moves its properties; ours moves the rest."""
    host.enable_core()
    host.create_app("blog")

    host.trigger(RENAME, "web", "blog")

    of_core = {path: text for path, text in FILES.items() if "/registry/" in path}
    assert state(host) == {
        **{path.format(app="web"): text for path, text in of_core.items()},
        **{
            path.format(app="blog"): text
            for path, text in FILES.items()
            if path not in of_core
        },
    }
    assert len(host.spool()) == 1


def test_an_app_without_anything(host: DokkuHost) -> None:
    """An app that has no property, login or record is renamed without a word."""
    shutil.rmtree(host.config_root / "registry" / "web")
    shutil.rmtree(host.config_root / "registryd" / "web")
    shutil.rmtree(host.data_dir / "deployed")

    assert host.rename_app("web", "blog") == Result("", "", 0)
    assert state(host) == {}


@pytest.mark.parametrize("is_in_the_way", [False, True], ids=["empty", "leftovers"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, STEPS + 4))
def test_killed_on_the_way(
    host: DokkuHost, number: int, when: str, is_in_the_way: bool
) -> None:
    """Killed at any step, nothing is lost, Dokku stops, and a second run ends it."""
    steps = STEPS + (3 if is_in_the_way else 0)
    host.create_app("blog")
    if is_in_the_way:
        host.set_property("blog", "image-repo", "org/stale")
    kill_at(host, number, when)

    killed = host.trigger(RENAME, "web", "blog")
    after_the_kill = state(host)
    for program in ("mv", "sync"):
        (host.bin / program).unlink()
    repeated = host.trigger(RENAME, "web", "blog")

    assert (killed.code == 0) == (number > steps)
    moved, left = belonging_to("blog"), belonging_to("web")
    after_the_kill.pop("config/registry/blog/image-repo", None)
    for (new, text), old in zip(moved.items(), left, strict=True):
        assert sorted((new in after_the_kill, old in after_the_kill)) == [False, True]
        assert text in (after_the_kill.get(new), after_the_kill.get(old))
    assert repeated == Result("", "", 0)
    assert state(host) == moved
    assert b"trigger=renamed\napp=web\nother=blog\n" in list(host.spool().values())[-1]


def test_login_and_number_stay_together(host: DokkuHost) -> None:
    """At no step does one name have the login and the other one the number."""
    host.create_app("blog")
    for number in range(1, STEPS + 1):
        kill_at(host, number, "before")
        (host.root / "steps").unlink(missing_ok=True)

        host.trigger(RENAME, "web", "blog")

        for app in ("web", "blog"):
            has_login = host.read_property(app, "config.json") is not None
            has_number = host.read_property(app, "tag-version") is not None
            assert has_login == has_number


def test_a_move_that_fails(host: DokkuHost) -> None:
    """What cannot be moved stays where it was, and the warning names the cure."""
    host.create_app("blog")
    host.add_command("mv", "#!/bin/sh\necho 'mv: x: Input/output error' >&2\nexit 1\n")

    result = host.trigger(RENAME, "web", "blog")

    reason = "(Input/output error)"
    again = "to repeat it: dokku plugin:trigger post-app-rename-setup web blog"
    login = "log in again with dokku registry:login blog"
    later = "a later sweep of dokku-registryd does"
    assert (result.stdout, result.code) == ("", 0)
    assert result.stderr.splitlines() == [
        f" !     Cannot move the recorded release of web to blog {reason}; {again}",
        f" !     Cannot move the properties of web to blog {reason}; {again}",
        f" !     Cannot move the logins of web {reason}; {login}",
        f" !     Cannot hand over what was in the way of blog {reason}; {later}",
        f" !     Cannot tell dokku-registryd that web is called blog {reason}; {again}",
    ]
    assert state(host) == belonging_to("web")
