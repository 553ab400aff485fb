"""`make test-boot`: the shipped unit, started by a systemd that really booted.

Under all of its hardening it makes a release with extra tags, brings a pruned image
back from the registry, erases a login from a credential helper, answers at its status
socket, and stops in order.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from boot.machine import USER, Machine
from support import engine_api, engines
from support.engines import CLASSIC, EngineServer
from support.registries import RegistryServer
from support.remote import Remote
from support.waiting import until

_BASE: Final = Path(__file__).parents[2] / ".cache/boot/debian"
_DEBIAN: Final = "http://deb.debian.org/debian"
_PACKAGES: Final = "systemd,systemd-sysv,dbus,python3,ca-certificates,procps"
_PRUNE: Final = "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
_STATUS_SOCKET: Final = "/run/dokku-registryd/status.sock"
_HELPER: Final = """\
#!/bin/sh
file=/home/dokku/.docker/shelf.json
read -r _
case $1 in
  get) cat "$file" ;;
  erase) rm "$file" ;;
esac
"""


def main() -> int:
    """Boot, try everything, and return the exit status."""
    if os.geteuid() != 0:
        _say("a machine needs root: run make test-boot, which uses sudo")
        return 1
    if not _BASE.exists():
        _make_base()
    folder = Path(tempfile.mkdtemp(prefix="registryd-boot-", dir="/tmp"))
    try:
        with ExitStack() as stack:
            engine = stack.enter_context(EngineServer(CLASSIC))
            registry = stack.enter_context(
                RegistryServer(
                    engines.find_program("native", "docker-registry"),
                    folder / "registry",
                    environment=engines.environment_for("native"),
                )
            )
            machine = stack.enter_context(
                Machine(_BASE, folder / "root", Path(engine.path))
            )
            _try(machine, engine, registry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say("the unit works under systemd, with everything it may do")
    return 0


def _make_base() -> None:
    beside = _BASE.with_name("unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
    subprocess.run([*command, "bookworm", str(beside), _DEBIAN], check=True)
    beside.rename(_BASE)


def _try(machine: Machine, engine: EngineServer, registry: RegistryServer) -> None:
    main_pid = machine.show("MainPID")
    status = machine.run("cat", f"/proc/{main_pid}/status")
    _check("it runs as dokku", f"\nUid:\t{USER}\t" in status)
    _check("it may gain nothing", "\nNoNewPrivs:\t1\n" in status)
    _check("its calls are filtered", "\nSeccomp:\t2\n" in status)
    _check("it has no capability", "\nCapBnd:\t0000000000000000\n" in status)

    until(lambda: _is_healthy(machine), 30, what="readiness")
    _say("it says by its socket that it is ready")
    kind = machine.run("stat", "--format=%F %a %U", _STATUS_SOCKET)
    _check("the socket is for its group", kind == "socket 660 dokku\n")
    shown = machine.run("dokku-registryd", "metrics", "--all", as_dokku=True)
    _check("its figures are there", "\nprocess_open_fds " in shown)
    _check("none of them is missing", "scrape_error{" in shown)
    _check("all sources are read", not re.search(r"scrape_error\{.*\} 1", shown))

    _make_app(machine, registry)
    engine.import_image("dokku/web:latest", {"version": b"one"})
    said = machine.run(
        *("plugn", "trigger", "post-release-builder", "dockerfile", "web"),
        "dokku/web:latest",
        as_dokku=True,
    )
    remote = Remote(registry, "dokku/web")
    _check("a release says so", "pushed" in said)
    _check("it is in the registry", remote.tags() == ["1", "stable"])

    engine_api.request(engine.path, "POST", _PRUNE)
    until(lambda: _has(engine, f"{registry.host}/dokku/web:1"), 60, what="the pull")
    _say("a pruned image is pulled again")

    (machine.root / "home/dokku/web").rmdir()
    machine.run("plugn", "trigger", "post-delete", "web", "latest", as_dokku=True)
    shelf = machine.root / "home/dokku/.docker/shelf.json"
    until(lambda: not shelf.exists(), 30, what="the end of the login")
    _say("a credential helper forgets a login")

    machine.run("systemctl", "reload", "dokku-registryd.service")
    until(lambda: "daemon.reloaded" in _journal(machine), 30, what="the reload")
    _say("it reads its settings again")

    machine.run("systemctl", "stop", "dokku-registryd.service")
    _check("it stops in order", machine.show("Result") == "success")
    _check("it was never restarted", machine.show("NRestarts") == "0")
    left = machine.run("ls", "/run", "/var/lib/dokku/data/registryd")
    _check("no socket is left", "status.sock" not in left)
    _check("nor is its folder", "dokku-registryd" not in left)


def _is_healthy(machine: Machine) -> bool:
    try:
        return machine.run("dokku-registryd", "health") == "ready\n"
    except RuntimeError:
        return False


def _journal(machine: Machine) -> str:
    return machine.run("journalctl", "--unit=dokku-registryd", "--output=cat")


def _make_app(machine: Machine, registry: RegistryServer) -> None:
    app = machine.root / "home/dokku/web"
    app.mkdir()
    os.chown(app, USER, USER)
    for name, value in (
        ("push-on-release", "true"),
        ("server", registry.host),
        ("push-extra-tags", "stable"),
    ):
        machine.write(machine.config / "registry/web" / name, value)
    shelf = {
        "ServerURL": registry.host,
        "Username": registry.username,
        "Secret": registry.password,
    }
    machine.write(machine.root / "home/dokku/.docker/shelf.json", json.dumps(shelf))
    helper = machine.root / "usr/local/bin/docker-credential-shelf"
    helper.write_text(_HELPER)
    helper.chmod(0o755)
    machine.write(
        machine.config / "registry/web/config.json",
        json.dumps({"credHelpers": {registry.host: "shelf"}}),
    )


def _has(engine: EngineServer, name: str) -> bool:
    listed = json.loads(engine_api.request(engine.path, "GET", "/images/json"))
    return any(name in (image["RepoTags"] or []) for image in listed)


def _check(what: str, is_so: bool) -> None:
    if not is_so:
        raise SystemExit(f"not so: {what}")
    _say(what)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
