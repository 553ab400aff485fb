"""Hooks and live releases: what a deploy is told, and what everything else is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import build_records
from dokku_registryd.core.dokku.deploys import BuildState
from support.dokku_host import DokkuHost

DIGEST = "sha256:" + "ab" * 32
OURS = {"DOKKU_BUILD_ID": "1abc"}
OTHER = {"DOKKU_BUILD_ID": "2def"}


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host where `web` runs release 4."""
    host = DokkuHost(tmp_path)
    host.create_app("web")
    host.set_property("web", "push-on-release", "true")
    host.set_property("web", "tag-version", "4")
    host.record_release("web", server="r.io/", image_repo="org/web", number=4)
    return host


def tell(host: DokkuHost, number: int, *, digest: str = DIGEST) -> Path:
    """Let the deploy `1abc` know of a release, as the daemon does."""
    path = host.data_dir / "deploying" / "web" / "1abc"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["r.io/", "org/web", str(number), *([digest] if digest else []), ""]
    path.write_text("\n".join(lines))
    return path


def tag(host: DokkuHost, **environ: str) -> str:
    """Return what a question for the number is answered with."""
    return host.trigger("deployed-app-image-tag", "web", environ=environ).stdout.strip()


def test_a_deploy_is_told_its_own_release(host: DokkuHost) -> None:
    """Its questions get the release that it is to bring, every other one what runs."""
    tell(host, 5)

    assert tag(host, **OURS) == "5"
    assert tag(host, **OTHER) == "4"
    assert tag(host) == "4"


def test_a_deploy_of_an_older_dokku(host: DokkuHost) -> None:
    """Where Dokku has no ID its first process stands for the deploy."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    path = tell(host, 5)
    path.rename(path.with_name(f"pid-{os.getpid()}-{started}"))

    assert tag(host) == "5"
    assert tag(host, DOKKU_PID="1") == "4"
    assert tag(host, DOKKU_PID="../x") == "4"


def test_a_deploy_in_a_dokku_shell(host: DokkuHost) -> None:
    """There one process stands for all commands, so none is taken for the deploy."""
    shell = host.root / "dokku-script" / "dokku"
    shell.parent.mkdir()
    shell.write_text("#!/bin/sh\nread line\n")
    shell.chmod(0o755)
    for arguments, expected in ((["shell"], "4"), (["ps:rebuild", "web"], "5")):
        with subprocess.Popen([shell, *arguments], stdin=subprocess.PIPE) as process:
            stat = Path(f"/proc/{process.pid}/stat").read_text()
            started = stat.rpartition(")")[2].split()[19]
            told = tell(host, 5)
            told.rename(told.with_name(f"pid-{process.pid}-{started}"))

            assert tag(host, DOKKU_PID=str(process.pid)) == expected
            process.communicate()


def test_post_deploy_makes_it_live(host: DokkuHost) -> None:
    """Record and counter follow, every question gets it, and a second run is fine."""
    told = tell(host, 5)

    for _ in range(2):
        result = host.trigger("post-deploy", "web", "", "", "latest", environ=OURS)

        assert (result.stdout, result.stderr, result.code) == ("", "", 0)
        assert tag(host) == "5"
        assert host.read_property("web", "tag-version") == "5"
        assert not told.exists()
    path = host.data_dir / "deployed" / "web"
    assert path.read_text() == f"r.io/\norg/web\n5\n{DIGEST}\n"


def test_post_deploy_of_another_deploy(host: DokkuHost) -> None:
    """`ps:restart` ends while a deploy runs: what that was told stays its own."""
    told = tell(host, 5)

    result = host.trigger("post-deploy", "web", "", "", "4", environ=OTHER)

    assert (result.stdout, result.stderr, result.code) == ("", "", 0)
    assert told.exists()
    assert tag(host) == "4"
    assert host.read_property("web", "tag-version") == "4"


def test_a_restart_that_puts_the_release_before_back(host: DokkuHost) -> None:
    """A restart that began before release 5 went live is told of, with its cure."""
    tell(host, 5)
    host.trigger("post-deploy", "web", "", "", "latest", environ=OURS)

    result = host.trigger("post-deploy", "web", "", "", "4", environ=OTHER)

    assert result.code == 0
    assert result.stderr == (
        " !     web runs release 4, and release 5 has gone live meanwhile. Bring that"
        " back with: dokku ps:restart web\n"
    )
    assert tag(host) == "5"


def test_an_unconfirmed_number_counts_nothing(host: DokkuHost) -> None:
    """A release that goes on before its push is live, and is not counted yet."""
    tell(host, 5, digest="")

    host.trigger("post-deploy", "web", "", "", "latest", environ=OURS)

    assert tag(host) == "5"
    assert host.read_property("web", "tag-version") == "4"


def test_what_a_deploy_was_told_cannot_be_read(host: DokkuHost) -> None:
    """What ran before stays recorded, and it is said; the daemon finds out the rest."""
    told = tell(host, 5)
    told.write_text("half a li")

    result = host.trigger("post-deploy", "web", "", "", "latest", environ=OURS)

    assert result.code == 0
    assert "Cannot record that the release of web is live" in result.stderr
    assert told.exists()
    assert tag(host) == "4"


def test_post_deploy_that_cannot_record(host: DokkuHost) -> None:
    """A deploy never fails because of it; the daemon finds the same later."""
    told = tell(host, 5)
    host.add_command(
        "mv", "#!/bin/sh\necho 'mv: x: Read-only file system' >&2\nexit 1\n"
    )

    result = host.trigger("post-deploy", "web", "", "", "latest", environ=OURS)

    assert result.code == 0
    assert "that the release of web is live (Read-only file system)" in result.stderr
    assert told.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk(tmp_path: Path) -> None:
    """What runs is what Dokku is told; the counter follows once there is room."""
    room = tmp_path / "var" / "lib" / "dokku"
    room.mkdir(parents=True)
    # A disk of its own, which only this shell and its children see.
    script = f"""
        mount -t tmpfs -o size=2m tmpfs {room} &&
            exec {sys.executable} -c "$SCRIPT" {tmp_path}
    """

    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        env={**os.environ, "SCRIPT": FULL, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)
    full, later = json.loads(done.stdout)
    assert full["code"] == later["code"] == 0
    assert "Cannot write release 5 of web to tag-version (No space" in full["stderr"]
    assert (full["told"], full["counter"]) == ("5", "4")
    assert (later["told"], later["counter"]) == ("5", "5")
    assert later["stderr"] == ""


FULL = """
import json, sys
from pathlib import Path
from support.dokku_host import DokkuHost
host = DokkuHost(Path(sys.argv[1]))
host.create_app("web")
host.set_property("web", "push-on-release", "true")
host.set_property("web", "tag-version", "4")
# No older record: to replace one would give its room back.
(host.data_dir / "deployed").mkdir()
told = host.data_dir / "deploying" / "web" / "1abc"
told.parent.mkdir(parents=True)
told.write_text("r.io/\\norg/web\\n5\\nsha256:" + "ab" * 32 + "\\n")
ballast = host.lib_root / "ballast"
found = []
for build in ("1abc", "2def"):
    if build == "1abc":
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
    else:
        ballast.unlink()
    environ = {"DOKKU_BUILD_ID": build}
    result = host.trigger("post-deploy", "web", "", "", "5", environ=environ)
    tag = host.trigger("deployed-app-image-tag", "web")
    found.append({
        "code": result.code,
        "stderr": result.stderr,
        "told": tag.stdout.strip(),
        "counter": host.read_property("web", "tag-version"),
    })
print(json.dumps(found))
"""


def test_what_was_told_follows_a_rename(host: DokkuHost) -> None:
    """And goes with its app; a new app of the name starts without it."""
    tell(host, 5)

    host.rename_app("web", "blog")

    assert (host.data_dir / "deploying" / "blog" / "1abc").exists()
    host.destroy_app("blog")
    assert not (host.data_dir / "deploying" / "blog").exists()


def test_a_record_of_a_build(host: DokkuHost) -> None:
    """Dokku's record says how a deploy ended; an unreadable one says nothing."""
    root = host.lib_root / "data" / "builds"
    (root / "web").mkdir(parents=True)
    records = build_records.BuildRecords(root, dokku_root=host.dokku_root)
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, check=True)
    expected = {
        "a": ({"status": "running", "pid": os.getpid()}, BuildState.RUNNING),
        "b": ({"status": "succeeded", "pid": 1}, BuildState.SUCCEEDED),
        "c": ({"status": "failed", "pid": 1}, BuildState.FAILED),
        "d": ({"status": "canceled", "pid": 1}, BuildState.FAILED),
        "e": ({"status": "running", "pid": int(gone.stdout)}, BuildState.ENDED),
        "f": ([], BuildState.UNKNOWN),
    }
    for build, (content, _) in expected.items():
        (root / "web" / f"{build}.json").write_text(json.dumps(content))
    (root / "web" / "g.json").write_text("[" * 100_000)

    found = {build: records.state("web", build) for build in [*expected, "g", "h"]}

    assert found == {
        **{build: state for build, (_, state) in expected.items()},
        "g": BuildState.UNKNOWN,
        "h": BuildState.UNKNOWN,
    }
    assert records.state("../web", "a") is BuildState.UNKNOWN


@pytest.mark.parametrize(
    ("started_at", "expected"),
    [
        ("2001-01-01T10:00:00.123456789Z", BuildState.ENDED),
        ("2001-01-01T10:00:00+02:00", BuildState.ENDED),
        ("2999-01-01T10:00:00.123456789Z", BuildState.RUNNING),
        ("2001-01-01T10:00:00", BuildState.RUNNING),
        ("yesterday", BuildState.RUNNING),
        (7, BuildState.RUNNING),
        (None, BuildState.RUNNING),
    ],
)
def test_a_number_that_was_used_again(
    host: DokkuHost, started_at: object, expected: BuildState
) -> None:
    """A process that began after the record was written did not write it."""
    root = host.lib_root / "data" / "builds"
    (root / "web").mkdir(parents=True)
    records = build_records.BuildRecords(root, dokku_root=host.dokku_root)
    record = {"status": "running", "pid": os.getpid(), "started_at": started_at}
    (root / "web" / "a.json").write_text(json.dumps(record))

    assert records.state("web", "a") is expected


def test_a_process_as_a_build(host: DokkuHost) -> None:
    """A process with another start time is another one."""
    root = host.lib_root / "data" / "builds"
    records = build_records.BuildRecords(root, dokku_root=host.dokku_root)
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]

    assert records.state("web", f"pid-{os.getpid()}-{started}") is BuildState.RUNNING
    assert records.state("web", f"pid-{os.getpid()}-1") is BuildState.ENDED
