"""The release hook: what it leaves, whom it calls, and when it fails a deploy."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

RELEASE = "post-release-builder"
IMAGE = "dokku/web:latest"
# Notes the spool as it is when the program starts, prints, and ends with a status.
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" >"{root}/argv"
ls "{data}/spool/new" "{data}/spool/tmp" >"{root}/seen"
echo "-----> Pushing image to registry"
echo " !     it is refused" >&2
exit {code}
"""
AGAIN = (
    "What is wrong: dokku registryd:doctor web."
    " When that is corrected, deploy again with"
)


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host whose program notes how it is called, with push on everywhere."""
    host = DokkuHost(tmp_path)
    host.add_recorder("docker")
    program = PROGRAM.format(root=tmp_path, data=host.data_dir, code=0)
    host.add_command("dokku-registryd", program)
    host.set_property(GLOBAL, "push-on-release", "true")
    return host


def release(host: DokkuHost, image: str = IMAGE, app: str = "web") -> Result:
    """Fire the trigger as a builder does."""
    return host.trigger(
        RELEASE, "herokuish", app, image, environ={"DOKKU_BUILD_ID": "1abc"}
    )


def test_a_release_is_handed_over(host: DokkuHost) -> None:
    """The spool gets one whole trigger, and the program is told to follow it."""
    result = release(host)

    ((name, content),) = host.spool().items()
    waiter = re.search(rb"^waiter=.*\n", content, re.MULTILINE)
    assert waiter
    assert content.replace(waiter[0], b"") == (
        b"dokku-registryd/1\n"
        b"trigger=release\n"
        b"app=web\n"
        b"image=dokku/web:latest\n"
        b"scheduler=docker-local\n"
        b"build=1abc\n"
        b"end\n"
    )
    assert re.fullmatch(r"1\d{15}\.\d+\.\d+", name)
    assert (host.root / "argv").read_text().splitlines() == [
        "follow",
        "--data-dir",
        str(host.data_dir),
        "--app",
        "web",
        name,
    ]
    assert host.spool("tmp") == {}
    assert host.calls("docker") == []
    assert result.code == 0


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"SSH_NAME": "ana", "NAME": "bob"}, "deployer=ana\n"),
        ({"NAME": "bob"}, "deployer=bob\n"),
        ({"DOKKU_BUILD_SOURCE": "ps:rebuild"}, "source=ps:rebuild\n"),
        ({"GIT_REV": "3f1c9a7", "SSH_NAME": ""}, "revision=3f1c9a7\n"),
        ({"SSH_NAME": "ana\nend\n"}, "deployer=ana?end?\n"),
        ({}, ""),
    ],
    ids=["key", "before-0.38", "source", "revision", "line-break", "nothing"],
)
def test_what_made_the_release(
    host: DokkuHost, environ: dict[str, str], told: str
) -> None:
    """What Dokku tells of the reason is in the trigger, behind all else."""
    host.trigger(RELEASE, "herokuish", "web", IMAGE, environ=environ)

    (content,) = host.spool().values()
    behind = re.sub(r"(?s).*\nwaiter=\S+\n", "", content.decode())
    assert behind == f"{told}end\n"


def test_the_program_has_the_last_word(host: DokkuHost) -> None:
    """Status and both streams of the program are those of the hook."""
    program = PROGRAM.format(root=host.root, data=host.data_dir, code=3)
    host.add_command("dokku-registryd", program)

    assert release(host) == Result(
        "-----> Pushing image to registry\n", " !     it is refused\n", 3
    )


def test_names_sort_by_time(host: DokkuHost) -> None:
    """Trigger files sort in the order of the releases that left them."""
    images = [f"dokku/web:{number}" for number in range(5)]
    for image in images:
        release(host, image)

    found = [content.split(b"\n")[3] for content in host.spool().values()]

    assert found == [f"image={image}".encode() for image in images]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_only_the_owner_may_read(host: DokkuHost, umask: int) -> None:
    """A trigger file is 0600 under any umask."""
    host.trigger(RELEASE, "herokuish", "web", IMAGE, umask=umask)

    (path,) = (host.data_dir / "spool" / "new").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("echo k3s", "k3s", id="answer"),
        pytest.param("echo; echo ' nomad '; echo", "nomad", id="blank-lines"),
        pytest.param("echo docker-local; echo k3s", "k3s", id="last-word"),
        pytest.param("cat; echo null", "null", id="reads-stdin"),
        pytest.param("true", "docker-local", id="silence"),
        pytest.param("echo k3s; exit 1", "docker-local", id="failure"),
    ],
)
def test_the_scheduler(host: DokkuHost, script: str, expected: str) -> None:
    """The scheduler is the last line of scheduler-detect, else docker-local."""
    host.add_plugin("scheduler-x", {"scheduler-detect": f"#!/bin/sh\n{script}\n"})

    release(host)

    (content,) = host.spool().values()
    assert f"scheduler={expected}\n".encode() in content


@pytest.mark.parametrize(
    ("app", "image"),
    [
        pytest.param("Web", IMAGE, id="capital"),
        pytest.param("../web", IMAGE, id="path"),
        pytest.param("", IMAGE, id="no-app"),
        pytest.param("web\nend", IMAGE, id="line-break-in-app"),
        pytest.param("a" * 256, IMAGE, id="long-app"),
        pytest.param("web", "", id="no-image"),
        pytest.param("web", "dokku/web:latest\nscheduler=x", id="line-break"),
        pytest.param("web", "dokku/web:la test", id="blank"),
        pytest.param("web", "-v", id="option"),
        pytest.param("web", "dokku/web:\x1b[2J", id="control"),
        pytest.param("web", "dokku/w\udce9b", id="not-utf-8"),
        pytest.param("web", "a" * 513, id="long-image"),
    ],
)
def test_odd_names_are_refused(host: DokkuHost, app: str, image: str) -> None:
    """Nothing that the daemon would refuse gets into the spool; the deploy fails."""
    result = release(host, image, app)

    assert result.code == 1
    assert result.stderr.startswith(" !     Cannot release ")
    assert host.spool() == host.spool("tmp") == {}
    assert not (host.root / "argv").exists()


def test_an_odd_scheduler_is_refused(host: DokkuHost) -> None:
    """A scheduler's name with a blank fails the release before anything is left."""
    host.add_plugin("scheduler-x", {"scheduler-detect": "#!/bin/sh\necho my one\n"})

    assert release(host) == Result(
        "",
        " !     Cannot hand the release of web to dokku-registryd: no trigger file in"
        f" {host.data_dir}/spool (invalid scheduler). {AGAIN}: dokku ps:rebuild web\n",
        1,
    )
    assert host.spool() == {}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param("", "No such file or directory", id="no-spool"),
        pytest.param("new", "Not a directory", id="no-folder"),
    ],
)
def test_no_spool_fails_the_release(host: DokkuHost, broken: str, reason: str) -> None:
    """A trigger that cannot be left is an error that names place, reason and cure."""
    spool = host.data_dir / "spool"
    spool.rename(host.data_dir / "gone")
    if broken:
        (spool / "tmp").mkdir(parents=True)
        (spool / broken).write_text("")
        # A file takes no name below it, and mv says so.
        host.add_command("mv", f"#!/bin/sh\necho 'mv: {reason}' >&2\nexit 1\n")

    result = release(host)

    assert result == Result(
        "",
        " !     Cannot hand the release of web to dokku-registryd: no trigger file in"
        f" {spool} ({reason}). {AGAIN}: dokku ps:rebuild web\n",
        1,
    )
    assert not broken or host.spool("tmp") == {}


@pytest.mark.parametrize(
    ("source", "way"),
    [
        # Git has rejected the push, so a rebuild would build the commit before.
        ("git-hook", "push the commit again with: git push"),
        ("registryd:rollback web", "run dokku registryd:rollback web again"),
        ("ps:rebuild", "deploy again with: dokku ps:rebuild web"),
    ],
)
def test_the_way_out_fits_what_began_the_deploy(
    host: DokkuHost, source: str, way: str
) -> None:
    """What has to be done again is what the operator did."""
    (host.data_dir / "spool").rename(host.data_dir / "gone")

    result = host.trigger(
        RELEASE, "herokuish", "web", IMAGE, environ={"DOKKU_BUILD_SOURCE": source}
    )

    assert result.stderr.endswith(f" When that is corrected, {way}\n")


def test_a_full_disk_fails_the_release(host: DokkuHost) -> None:
    """What could be written only in part is taken away again, and the deploy fails."""

    def fill_the_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    done = subprocess.run(
        [host.hook(RELEASE), "herokuish", "web", IMAGE],
        env=host.environ,
        preexec_fn=fill_the_disk,
        restore_signals=False,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert f"/spool (File too large). {AGAIN}" in done.stderr
    assert host.spool() == host.spool("tmp") == {}


def test_durable_before_visible(host: DokkuHost) -> None:
    """The file is synced before its rename, the folder after it."""
    seen = host.root / "synced"
    host.add_command(
        "sync",
        f'#!/bin/sh\necho "$(ls {host.data_dir}/spool/new | wc -l) $1" >>{seen}\n'
        'exec /usr/bin/env -i /bin/sync "$1"\n',
    )

    release(host)

    (name,) = host.spool()
    spool = host.data_dir / "spool"
    assert seen.read_text() == f"0 {spool}/tmp/{name}\n1 {spool}/new\n"


def sourced(host: DokkuHost) -> str:
    """Return the commands with which a hook gets what writes trigger files."""
    return f"source {host.hook('functions')}; source {host.hook('spool-functions')};"


def test_a_name_that_exists_is_not_written_through(host: DokkuHost) -> None:
    """A link in the place of a new trigger file is neither followed nor replaced."""
    victim = host.root / "victim"
    (host.data_dir / "spool" / "tmp" / "1.2.3").symlink_to(victim)
    script = f"{sourced(host)} leave_trigger 1.2.3 destroyed app=web"

    result = host.run(["/bin/bash", "-c", script])

    assert result.code == 1
    assert not victim.exists()
    assert host.spool() == {}


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("1700000000.000042", "1700000000000042"),
        ("1700000000,123456", "1700000000123456"),
        ("42.000001", "0000000042000001"),
    ],
)
def test_the_time_in_a_name(host: DokkuHost, clock: str, expected: str) -> None:
    """A name begins with 16 digits, in any locale."""
    script = (
        f"unset EPOCHREALTIME; EPOCHREALTIME={clock}; {sourced(host)}"
        " new_id; echo $REPLY"
    )

    result = host.run(["/bin/bash", "-c", script])

    assert re.fullmatch(rf"{expected}\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ("1700000000000042.1.1", "1700000000000043"),
        ("1699999999999999.1.1", "1700000000000000"),
        ("0000000042000001.1.1", "1700000000000000"),
        ("9000000000000009.1.1", "9000000000000010"),
        ("17", "1700000000000000"),
        ("99999999999999999.1.1", "1700000000000000"),
        ("heal-1700000000000042.1", "1700000000000000"),
    ],
)
def test_a_name_after_those_that_wait(
    host: DokkuHost, waiting: str, expected: str
) -> None:
    """Where the clock was set back a name sorts behind what was left before."""
    (host.data_dir / "spool" / "new" / waiting).touch()
    script = (
        "unset EPOCHREALTIME; EPOCHREALTIME=1700000000.000000;"
        f" {sourced(host)} new_id; echo $REPLY"
    )

    result = host.run(["/bin/bash", "-c", script])

    assert re.fullmatch(rf"{expected}\.\d+\.\d+\n", result.stdout)


def test_no_program(host: DokkuHost) -> None:
    """Without the program the release fails and leaves nothing for later."""
    result = host.trigger(
        RELEASE, "x", "web", IMAGE, environ={"DOKKU_REGISTRYD_BIN": "/no/such"}
    )

    assert result == Result(
        "",
        " !     Cannot push web: there is no program /no/such. Install dokku-registryd"
        " again, or run dokku registry:set web push-on-release false\n",
        1,
    )
    assert host.spool() == {}


def test_an_unreadable_property_comes_first(host: DokkuHost) -> None:
    """No other plugin is called for a release that fails for a property of ours."""
    host.add_plugin("other", {"pre-deploy": "#!/bin/sh\nexit 7\n"})
    path = host.config_root / "registry" / "web" / "push-on-release"
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)

    failed = release(host)

    assert failed.code == 1
    assert "Unable to read registry property web.push-on-release" in failed.stderr
    assert not (host.root / "plugn.calls").exists()


def test_companion_only_leaves_word(host: DokkuHost) -> None:
    """Beside Dokku's own plugin nothing is pushed, tagged, printed or waited for."""
    host.enable_core()
    host.add_plugin("other", {"pre-deploy": "#!/bin/sh\necho called twice\n"})
    host.set_property("web", "image-repo", "org/web")
    host.set_property("web", "tag-version", "7")
    host.record_release("web", server="", image_repo="org/web", number=6)

    assert release(host) == Result("", "", 0)

    (content,) = host.spool().values()
    assert content == (
        b"dokku-registryd/1\n"
        b"trigger=recorded\n"
        b"app=web\n"
        b"scheduler=docker-local\n"
        b"tag=7\n"
        b"end\n"
    )
    assert not (host.data_dir / "deployed" / "web").exists()
    assert host.calls("docker") == []
    assert not (host.root / "argv").exists()


def test_companion_tells_what_made_the_release(host: DokkuHost) -> None:
    """Dokku's environment is the same beside its own plugin."""
    host.enable_core()
    environ = {"SSH_NAME": "ana k.", "DOKKU_BUILD_SOURCE": "git-hook", "GIT_REV": "3f1"}

    host.trigger(RELEASE, "herokuish", "web", IMAGE, environ=environ)

    (content,) = host.spool().values()
    assert content.endswith(
        b"tag=\nsource=git-hook\ndeployer=ana k.\nrevision=3f1\nend\n"
    )


def test_companion_with_push_off(host: DokkuHost) -> None:
    """If the app was never pushed, there is nothing to report."""
    host.enable_core()
    host.set_property("web", "push-on-release", "false")

    assert release(host) == Result("", "", 0)
    assert host.spool() == {}


@pytest.mark.parametrize("trace", ["deployed", "deploying", "tag-version"])
def test_companion_with_push_off_after_a_push(host: DokkuHost, trace: str) -> None:
    """A push of ours that still waits must not come after this release."""
    host.enable_core()
    host.set_property("web", "push-on-release", "false")
    if trace == "deployed":
        host.record_release("web", server="", image_repo="org/web", number=6)
    elif trace == "deploying":
        (host.data_dir / "deploying" / "web").mkdir(parents=True)
    else:
        host.set_property("web", "tag-version", "6")

    assert release(host) == Result("", "", 0)

    (content,) = host.spool().values()
    assert content == b"dokku-registryd/1\ntrigger=local\napp=web\nend\n"
    assert not (host.data_dir / "deployed" / "web").exists()


@pytest.mark.parametrize("app", ["../web", "", "Web", "web\n"])
def test_companion_never_fails(host: DokkuHost, app: str) -> None:
    """Nor does a bad name or a spool that is gone fail a deploy of Dokku's plugin."""
    host.enable_core()
    shutil.rmtree(host.data_dir)

    assert release(host, app=app) == Result("", "", 0)
    assert release(host) == Result("", "", 0)


def test_it_needs_no_terminal_and_no_home(host: DokkuHost) -> None:
    """A bare environment is enough."""
    argv = [os.fspath(host.hook(RELEASE)), "x", "web", IMAGE]
    keep = ("PATH", "DOKKU_LIB_ROOT", "DOKKU_REGISTRYD_DEFAULTS")
    host.environ = {name: host.environ[name] for name in keep}

    assert host.run(argv).code == 0
    assert len(host.spool()) == 1
