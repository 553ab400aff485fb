"""Health and metrics of a real daemon, as a monitor would ask for them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from dokku_registryd.adapters.status import client as status_client
from dokku_registryd.core.status import metric_families
from support import raw_client
from support.site import Site
from support.waiting import until

NOBODY = "65534"
_ASK = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    try:
        client.sendall(b"GET /livez HTTP/1.0\\r\\n\\r\\n")
        print(len(client.recv(100)))
    except (BrokenPipeError, ConnectionResetError):
        print(0)
"""


def ask(site: Site, target: str) -> tuple[int, str]:
    """Ask the daemon of a site."""
    return status_client.ask(site.host.data_dir / "status.sock", target)


def is_ready(site: Site) -> bool:
    """Tell whether the daemon says that it is ready."""
    return ask(site, "/readyz") == (200, "ok\n")


def figures(site: Site) -> dict[tuple[str, ...], float]:
    """Return every figure by its name, without our prefix, and its labels' values."""
    status, text = ask(site, "/metrics")
    assert status == 200
    families = list(parse(text))
    assert len(families) == len({family.name for family in families})
    return {
        (
            sample.name.removeprefix("dokku_registryd_"),
            *sample.labels.values(),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def figure(site: Site, *name: str) -> float:
    """Return one figure; 0 while it is absent."""
    return figures(site).get(name, 0.0)


def as_nobody(path: Path, *, group: str) -> subprocess.CompletedProcess[str]:
    """Ask as a user who is neither root nor the daemon's."""
    who = [f"--reuid={NOBODY}", f"--regid={group}", "--clear-groups"]
    return subprocess.run(
        ["setpriv", *who, sys.executable, "-IS", "-c", _ASK, str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="registryd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def small_disk(idle_one: Site) -> Iterator[Path]:
    """Give the data folder, on a small disk of its own; the daemon runs."""
    folder = idle_one.host.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)
    try:
        idle_one.service.start()
        yield folder
        idle_one.service.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_life_in_figures(site: Site) -> None:
    """A release, a heal and a failure are counted, each where it belongs."""
    site.make_app()
    site.ship()
    site.untag("dokku/web:1")
    site.service.wait_for("job.finished", intent="heal", outcome="done")
    until(lambda: not figure(site, "missing_references"))
    site.log_in(password="wrong")
    site.build()
    assert site.release().code == 1

    until(lambda: figure(site, "jobs_finished_total", "release", "failed"))
    shown = figures(site)

    assert shown["jobs_finished_total", "release", "done"] == 1
    assert shown["jobs_finished_total", "release", "failed"] == 1
    assert shown["jobs_finished_total", "heal", "done"] == 1
    assert shown["job_duration_seconds_count", "release"] == 2
    assert shown["job_duration_seconds_sum", "release"] > 0
    assert shown["wanted_references",] == 3
    assert shown["sweeps_total", "done"] >= 2
    assert shown["unpushed_releases", "waiting"] == 0
    assert shown["engine_connected",] == shown["ready",] == 1
    assert shown["process_resident_memory_bytes",] > 1 << 20
    assert 0 < shown["data_disk_free_bytes",] < 1 << 60
    requests = {name[2:] for name in shown if name[0] == "registry_requests_total"}
    assert {("PUT", "201"), ("HEAD", "200"), ("GET", "401")} <= requests
    assert shown["registry_request_duration_seconds_sum", site.registry.host, "PUT"] > 0
    assert not any(value for name, value in shown.items() if "scrape_error" in name)


def test_every_family_of_the_page(one: Site) -> None:
    """A daemon that works shows every family that is documented, with its help."""
    until(lambda: is_ready(one))

    _, text = ask(one, "/metrics")

    for family in metric_families.FAMILIES.values():
        assert text.count(f"# HELP {family.name} {family.text}\n") == 1
        assert text.count(f"# TYPE {family.name} {family.kind}\n") == 1


def test_an_engine_that_goes_and_returns(one: Site) -> None:
    """Without its Engine the service lives but is not ready, and says why."""
    until(lambda: is_ready(one))
    one.engine.kill()
    one.service.wait_for("engine.lost")

    status = until(lambda: not is_ready(one) and ask(one, "/readyz"))
    alive, health = ask(one, "/livez"), one.service.run("health")
    one.engine.start()
    until(lambda: is_ready(one), 40)
    after = one.service.run("health")

    reason = "the Docker Engine does not answer: see systemctl status docker\n"
    assert (status, alive) == ((503, reason), (200, "ok\n"))
    assert (health.stdout, health.returncode) == (reason, 1)
    assert (after.stdout, after.returncode) == ("ready\n", 0)


def test_an_engine_that_hangs(one: Site) -> None:
    """An Engine that hangs delays no answer, even if jobs wait for it."""
    one.make_app()
    one.build()
    until(lambda: is_ready(one))

    with one.engine.paused():
        hook = one.begin_release()
        until(lambda: figure(one, "jobs", "running"))
        alive = ask(one, "/livez")

    assert alive == (200, "ok\n")
    assert hook.finish().code == 0


def test_a_push_that_lags(one: Site) -> None:
    """A release whose deploy went on is shown, with its app, until it has arrived."""
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    one.registry.stop()
    one.ship()
    one.service.wait_for("job.finished", intent="deployed", app="web")

    until(lambda: figure(one, "attempts_retried_total", "release"))
    during = figures(one)
    one.registry.start()
    until(lambda: not figure(one, "unpushed_releases", "waiting"), 40)
    after = figures(one)

    assert during["unpushed_releases", "waiting"] == 1
    assert during["unpushed_release_age_seconds", "web"] > 0
    assert during["oldest_unpushed_release_age_seconds",] > 0
    assert during["jobs", "running"] + during["jobs", "waiting"] == 1
    assert ("unpushed_release_age_seconds", "web") not in after


def test_a_push_that_is_refused(one: Site) -> None:
    """A refused background push is shown until the operator has resolved it."""
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    one.log_in(password="wrong")
    one.ship()

    until(lambda: figure(one, "attempts_retried_total", "release") > 1)
    during = figures(one)
    one.log_in()

    assert during["unpushed_releases", "waiting"] == 1
    assert during["jobs_finished_total", "release", "failed"] == 0
    until(lambda: not figure(one, "unpushed_releases", "waiting"), 40)


def test_a_full_disk(idle_one: Site, small_disk: Path) -> None:
    """A disk that is full makes the service unready until there is room again."""
    until(lambda: is_ready(idle_one))
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    until(lambda: not is_ready(idle_one))
    _, text = ask(idle_one, "/readyz")
    until(lambda: not figure(idle_one, "ready"))
    shown = figures(idle_one)
    filler.unlink()

    assert text == "the spool cannot be written: No space left on device\n"
    assert (shown["check_ok", "spool"], shown["data_disk_free_bytes",]) == (0, 0)
    until(lambda: is_ready(idle_one))


def tells_of_health(site: Site) -> str:
    """Return the first line of `status`."""
    return site.service.run("status").stdout.splitlines()[0]


def test_a_failed_release(one: Site) -> None:
    """A failure is shown after a restart too, and until a later release ends well."""
    series = ("failed_releases", "web")
    one.make_app()
    one.host.set_property("web", "tag-version", "4x")
    one.build()
    assert one.release().code == 1
    one.service.stop()
    one.service.start()
    until(lambda: is_ready(one))

    failed = figure(one, *series)
    status = one.service.run("status").stdout
    (row,) = one.ask("history", "--failed")
    one.host.set_property("web", "tag-version", "4")
    one.ship()
    until(lambda: series not in figures(one), what="a metric that is gone")
    until(
        lambda: tells_of_health(one).startswith("Health:  all is well"),
        what="good health",
    )

    assert failed == 1
    assert status.startswith("Health:  ready, but 1 release has failed")
    assert "Unable to convert existing tag version (4x) to integer" in status
    assert (row["app"], row["outcome"]) == ("web", "failed")


def test_after_a_kill(idle_one: Site) -> None:
    """What a killed daemon has left is replaced, and an orderly stop leaves nothing."""
    path = idle_one.host.data_dir / "status.sock"
    idle_one.service.start()
    idle_one.service.kill()
    left = path.is_socket()
    stopped = idle_one.service.run("health", "--format", "json")

    idle_one.service.start()
    until(lambda: is_ready(idle_one))
    idle_one.service.stop()

    assert left
    assert stopped.returncode == 1
    assert "the service is stopped" in stopped.stdout
    assert not path.exists()


def test_a_place_that_is_taken(idle_one: Site) -> None:
    """A foreign file stays, the log reports it, and the service does its work."""
    taken = idle_one.host.root / "taken"
    taken.write_text("keep me")
    idle_one.service.configure(status__socket=str(taken))
    idle_one.service.start()

    line = idle_one.service.wait_for("status.failed")
    idle_one.make_app()
    idle_one.ship()
    health = idle_one.service.run("health")

    assert line["error"] == (
        f"cannot open {taken}: {taken} already exists and is not our socket"
    )
    assert taken.read_text() == "keep me"
    assert "has no status socket" in health.stdout


def test_under_systemd(idle_one: Site, open_folder: Path) -> None:
    """In systemd's folder the socket is found by our verbs, and goes with its link."""
    idle_one.host.environ["RUNTIME_DIRECTORY"] = str(open_folder)
    idle_one.service.start()
    until(lambda: is_ready(idle_one))

    lies_there = (open_folder / "status.sock").is_socket()
    idle_one.service.stop()

    assert lies_there
    assert list(open_folder.iterdir()) == []
    assert not os.path.lexists(idle_one.host.data_dir / "status.sock")


def test_other_users(idle_one: Site, open_folder: Path) -> None:
    """Another user cannot even connect to a socket that is for our group."""
    path = open_folder / "status.sock"
    idle_one.service.configure(status__socket=str(path))
    idle_one.service.start()

    refused = as_nobody(path, group=NOBODY)

    assert "PermissionError" in refused.stderr
    until(lambda: is_ready(idle_one))


def test_the_group_of_the_settings(idle_one: Site, open_folder: Path) -> None:
    """Members of the group have access, and other users are disconnected."""
    path = open_folder / "status.sock"
    idle_one.service.configure(status__socket=str(path), status__group="nogroup")
    idle_one.service.start()

    member = as_nobody(path, group=NOBODY)
    other = as_nobody(path, group="12345")

    assert int(member.stdout) > 10
    assert other.stdout == "0\n"
    idle_one.service.wait_for("status.denied", user=int(NOBODY))


def test_a_group_that_is_missing(idle_one: Site) -> None:
    """A group that this host lacks is named in the log, and admits no user."""
    idle_one.service.configure(status__group="no-such-group")
    idle_one.service.start()

    line = idle_one.service.wait_for("settings.suspicious")

    assert "no group no-such-group" in line["message"]
    until(lambda: is_ready(idle_one))


def test_the_port(idle_one: Site) -> None:
    """The port is one of loopback only, and needs no socket beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    idle_one.service.configure(status__port=port, status__socket="")
    idle_one.service.start()

    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    }
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        answer = client.recv(100)

    assert listening == {f"0100007F:{port:04X}"}
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not (idle_one.host.data_dir / "status.sock").exists()


def test_clients_that_harm(one: Site) -> None:
    """While clients say nothing, dawdle and send garbage, a release goes through."""
    one.make_app()
    with ExitStack() as cleanup:
        for said in (b"", b"GET /metr", b"\xff" * 20000, b"zap\n\n"):
            for _ in range(20):
                path = one.host.data_dir / "status.sock"
                client = raw_client.connect(path, seconds=20)
                cleanup.enter_context(client)
                say(client, said)

        one.ship()

        assert ask(one, "/livez") == (200, "ok\n")
    assert one.service.lines("thread.died") == []


def say(client: socket.socket, said: bytes) -> None:
    """Say something to a server that may have left already."""
    try:
        client.sendall(said)
    except (BrokenPipeError, ConnectionResetError):
        return


def test_a_daemon_that_is_frozen(one: Site) -> None:
    """A process that answers no request is not called running, and the cure is told."""
    until(lambda: is_ready(one))
    one.service.signal(signal.SIGSTOP)
    try:
        health = one.service.run("health")
        status = one.service.run("status")
    finally:
        one.service.signal(signal.SIGCONT)

    assert health.returncode == 1
    assert health.stdout == (
        f"the service is suspended by a signal (process {one.service.pid}): let it"
        f" continue with: kill -CONT {one.service.pid}\n"
    )
    assert "\nService: suspended by a signal" in status.stdout


def test_by_dokku(one: Site) -> None:
    """`dokku registryd:health` and `registryd:metrics` answer as the program does."""
    until(lambda: is_ready(one))

    health = one.host.command("registryd:health")
    metrics = one.host.command("registryd:metrics")
    all_metrics = one.service.run("metrics", "--all")

    assert (health.stdout, health.code) == ("ready\n", 0)
    assert "dokku_registryd_ready 1\n" in metrics.stdout
    assert "process_" not in metrics.stdout
    assert "\nprocess_open_fds " in all_metrics.stdout


def test_metrics_of_a_stopped_service(idle_one: Site) -> None:
    """Without a service there are no metrics, and stdout stays empty."""
    done = idle_one.service.run("metrics")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("dokku-registryd: the service is stopped")
