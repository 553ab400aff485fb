"""What is recorded of the origin of a release."""

import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import origins
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.effects import record_core, release
from worlds import IMAGE, REPOSITORY, Host

COMMIT = "3f1c9a7be2" * 4
OTHER = "c0ffee0123" * 4
LATER = 60.0


def configure(host: Host, app: str = "web", *, age: float = LATER, **more: str) -> None:
    """Write the configuration of an app, so many seconds before now."""
    values = {"SECRET_KEY": "hunter2", "GIT_REV": COMMIT, **more}
    path = host.folder / "config" / app / "ENV"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f'{key}="{value}"\n' for key, value in values.items()))
    then = host.clock.now() - age
    os.utime(path, (then, then))


def commit_to(
    host: Host, commit: str, *, branch: str = "master", age: float = LATER
) -> None:
    """Move a branch of Dokku's repository, so many seconds before now."""
    path = host.folder / "home" / "web" / "refs" / "heads" / branch
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n")
    then = host.clock.now() - age
    os.utime(path, (then, then))


def set_git(host: Host, app: str, name: str, value: str) -> None:
    """Set a property of Dokku's Git plugin."""
    host.files.set("git", app, name, value)


def origin_of(host: Host, **trigger: str) -> Origin:
    """Release, and return what was recorded of the reason."""
    job = host.add_job(Kind.RELEASE, **trigger)
    host.perform(release.perform, job)
    return host.ledger.origin_of(job.job_id)


def test_what_dokku_tells(host: Host, logged: list[Any]) -> None:
    """The hook's texts, the app's commit and branch, and the start of the build."""
    configure(host)
    set_git(host, "web", "deploy-branch", "main")
    builds = host.folder / "data" / "builds" / "web"
    builds.mkdir(parents=True)
    began = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    record = {"source": "ps:rebuild", "started_at": began.isoformat()}
    (builds / "b1.json").write_text(json.dumps(record))

    found = origin_of(host, build="b1", source="git-hook", deployer="ana")

    assert found == Origin(
        revision=COMMIT,
        branch="main",
        source="git-hook",
        deployer="ana",
        began_at=began.timestamp(),
    )
    (line,) = [line for line in logged if line["event"] == "release.reserved"]
    assert (line["revision"], line["source"], line["deployer"]) == (
        COMMIT,
        "git-hook",
        "ana",
    )


def test_a_hook_of_an_older_version(host: Host) -> None:
    """The source is in Dokku's record, too."""
    builds = host.folder / "data" / "builds" / "web"
    builds.mkdir(parents=True)
    (builds / "b1.json").write_text(json.dumps({"source": "ps:rebuild"}))

    assert origin_of(host, build="b1").source == "ps:rebuild"


@pytest.mark.parametrize(
    "record", ["[]", "{", '{"source": 7, "started_at": []}', '{"source": "a\\nb"}']
)
def test_an_odd_record(host: Host, record: str) -> None:
    """What is not in Dokku's format says nothing, and fails nothing."""
    builds = host.folder / "data" / "builds" / "web"
    builds.mkdir(parents=True)
    (builds / "b1.json").write_text(record)

    found = origin_of(host, build="b1")

    assert (found.source in {"", "7"}, found.began_at) == (True, 0.0)


def test_another_variable(host: Host) -> None:
    """An app may have its commit in a variable of another name."""
    configure(host, GIT_REV="0000000", APP_REV=COMMIT)
    set_git(host, "web", "rev-env-var", "APP_REV")

    assert origin_of(host, source="git-hook").revision == COMMIT


def test_no_variable(host: Host) -> None:
    """If Dokku does not set one, an old one has the commit of an earlier deploy."""
    configure(host)
    set_git(host, "web", "rev-env-var", "")
    commit_to(host, OTHER)

    assert origin_of(host, source="ps:rebuild").revision == ""


def test_a_rebuild_after_a_failed_push(host: Host) -> None:
    """Dokku still names the pushed commit, but builds that of its repository."""
    host.set("web", "push-extra-tags", "{{ .GitShortRev }}")
    configure(host)
    set_git(host, "web", "deploy-branch", "feat/x")
    commit_to(host, OTHER, branch="feat/x")

    assert origin_of(host, source="ps:rebuild").revision == OTHER
    assert host.tags().keys() == {"1", OTHER[:7]}


@pytest.mark.parametrize("age", [None, -LATER])
def test_a_rebuild_of_an_unknown_commit(host: Host, age: float | None) -> None:
    """No tag moves if the branch cannot be read, or has changed since."""
    host.set("web", "push-extra-tags", "{{ .GitShortRev }}")
    configure(host)
    if age is not None:
        commit_to(host, COMMIT, age=age)

    assert origin_of(host, source="ps:rebuild").revision == ""
    assert host.tags().keys() == {"1"}


def test_a_branch_that_moves_during_a_rebuild(host: Host) -> None:
    """What Dokku has read is unknown then, since a fetch takes no lock."""
    builds = host.folder / "data" / "builds" / "web"
    builds.mkdir(parents=True)
    began = datetime.fromtimestamp(host.clock.now() - 2 * LATER, tz=UTC)
    (builds / "b1.json").write_text(json.dumps({"started_at": began.isoformat()}))
    commit_to(host, COMMIT)

    assert origin_of(host, build="b1", source="ps:rebuild").revision == ""


def test_a_redeploy_after_a_failed_build(host: Host) -> None:
    """The pushed commit has no image, so the redeploy is not one of it."""
    configure(host)
    origin_of(host, job_id="1.1.1", build="b1", source="git-hook")
    host.engine.add_image(IMAGE, b"again")
    again = origin_of(host, job_id="2.1.1", build="b2", source="config-redeploy")
    configure(host, GIT_REV=OTHER)
    host.engine.add_image(IMAGE, b"once more")

    found = origin_of(host, job_id="3.1.1", build="b3", source="config-redeploy")

    assert (again.revision, found.revision) == (COMMIT, "")


def test_dokku_before_0_38(host: Host) -> None:
    """The configuration was in the app's folder, as a file for shells."""
    path = host.folder / "home" / "web" / "ENV"
    path.write_text(f"export SECRET_KEY='hunter2'\nexport GIT_REV='{COMMIT}'\n")
    then = host.clock.now() - LATER
    os.utime(path, (then, then))

    assert origin_of(host, source="git-hook").revision == COMMIT


def test_a_link(host: Host) -> None:
    """What a link leads to may have changed without a trace."""
    configure(host)
    path = host.folder / "config" / "web" / "ENV"
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")

    assert origin_of(host, source="git-hook").revision == ""


def test_the_branch_of_the_host(host: Host) -> None:
    """Without a branch of its own an app is deployed from that of the host."""
    set_git(host, "--global", "deploy-branch", "trunk")

    assert origin_of(host).branch == "trunk"


def test_a_configuration_that_has_changed(host: Host) -> None:
    """It may have the commit of a later deploy, so it says nothing."""
    configure(host, age=-LATER)

    assert origin_of(host, source="git-hook").revision == ""


def test_a_redeploy_after_a_rollback(host: Host) -> None:
    """Dokku still names the commit of the last build, but the image is another one."""
    for number, commit in ((1, COMMIT), (2, OTHER)):
        configure(host, GIT_REV=commit)
        host.engine.add_image(IMAGE, str(number).encode())
        origin_of(host, job_id=f"{number}.1.1", build=f"b{number}", source="git-hook")
    back = {"job": "1.1.1", "source": "registryd:rollback", "image": "sha256:any"}
    origin_of(host, job_id="3.1.1", build="b3", **back)
    host.engine.add_image(IMAGE, b"3")

    found = origin_of(host, job_id="4.1.1", build="b4", source="config-redeploy")

    assert found.revision == COMMIT


@pytest.mark.parametrize("place", ["web/ENV", "git/web/deploy-branch"])
def test_what_cannot_be_read(host: Host, place: str) -> None:
    """A release goes on without it."""
    (host.folder / "config" / place).mkdir(parents=True)

    assert origin_of(host, source="git-hook").revision == ""
    assert host.tags().keys() == {"1"}


def test_a_branch_that_cannot_be_read(host: Host) -> None:
    """No tag of another branch moves: the app may be deployed from any."""
    host.set("web", "push-extra-tags", "{{ .Branch }}")
    (host.folder / "config" / "git" / "web" / "deploy-branch").mkdir(parents=True)

    assert origin_of(host).branch == ""
    assert host.tags().keys() == {"1"}


def test_a_label(host: Host) -> None:
    """An app that is deployed from an image has the revision of that image."""
    configure(host)
    set_git(host, "web", "source-image", "org/web:7")
    host.engine.add_image(IMAGE, b"labelled", labels={origins.REVISION_LABEL: "v7"})

    assert origin_of(host, source="git:from-image") == Origin(
        revision="v7", source="git:from-image"
    )


def test_a_second_attempt(host: Host) -> None:
    """What was recorded with the number counts, not what is there later."""
    configure(host)
    host.cut_registry()
    job = host.add_job(Kind.RELEASE, source="git-hook")
    with pytest.raises(errors.TransientError):
        host.perform(release.perform, job)
    configure(host, GIT_REV="0000000")
    host.cut_registry(is_down=False)

    host.perform(release.perform, job)

    assert host.ledger.origin_of(job.job_id).revision == COMMIT


@pytest.mark.parametrize("was_known", [False, True])
def test_a_release_of_dokkus_own_plugin(host: Host, was_known: bool) -> None:
    """What the hook has left beside Dokku's own plugin is recorded, too."""
    host.enable_core()
    configure(host)
    host.set("web", "tag-version", "4")
    host.engine.tag(IMAGE, f"{REPOSITORY}:4")
    host.engine.push(f"{REPOSITORY}:4", auth=None, on_progress=lambda _line: None)
    facts = {"scheduler": "docker-local", "tag": "4", "source": "git-hook"}
    if was_known:
        host.perform(record_core.perform, host.add_job(Kind.RECORDED, "3.1.1", **facts))

    job = host.add_job(Kind.RECORDED, deployer="ana", **facts)
    host.perform(record_core.perform, job)

    (row,) = host.ledger.releases("web")
    found = host.ledger.origin_of(row.job_id)
    assert found.revision == COMMIT
    assert found.deployer == ("" if was_known else "ana")
