"""Planted secrets: nowhere but where they belong, with any faults.

A whole life is lived at the most talkative log level: logins by argument, by standard
input and by helper, releases that work and that fail, a helper that prints a secret, a
malformed file, a wrong password, a heal, and the end of the app.
"""

import base64
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.status import client
from support import file_tree
from support.dokku_host import GLOBAL
from support.site import Site
from support.waiting import until

pytestmark = pytest.mark.fresh_programs

CANARIES = {
    "password": "registry-test-password",  # what the registry really takes
    "wrong password": "canary-wrong-81d3",
    "helper output": "canary-helper-5f20",
    "malformed file": "canary-malformed-9c44",
    "identity token": "canary-identity-77aa",
    "global password": "canary-global-0b1e",
}
LEAKY_HELPER = f"""\
#!/bin/sh
echo "{CANARIES["helper output"]}"
echo "{CANARIES["helper output"]}" >&2
exit 1
"""


def _forms(secret: str) -> list[bytes]:
    """Return a secret as it is, and as it stands in auth configs and headers."""
    pairs = [f"ci:{secret}".encode(), secret.encode()]
    return [secret.encode(), *map(base64.b64encode, pairs)]


FORMS = [form for secret in CANARIES.values() for form in _forms(secret)]


class _Watcher:
    """Looks all the time at what other processes may see of those of one host.

    That is their arguments and environments, and what the status socket answers.
    """

    def __init__(self, root: Path, socket: Path) -> None:
        self.found: set[bytes] = set()
        self.processes: set[str] = set()
        self.pages: set[str] = set()
        self._root = str(root).encode()
        self._socket = socket
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look(process)
            for page in ("/metrics", "/readyz", "/livez", "/status"):
                with contextlib.suppress(OSError, errors.TransientError):
                    self._ask(page)

    def _ask(self, page: str) -> None:
        status, text = client.ask(self._socket, page)
        self.pages.add(f"{page} {status}")
        self.found.update(form for form in FORMS if form in text.encode())

    def _look(self, process: Path) -> None:
        shown = (process / "cmdline").read_bytes()
        shown += (process / "environ").read_bytes()
        if self._root not in shown:
            return
        self.processes.add((process / "comm").read_text().strip())
        # plugn gives the plugins of `post-registry-login` what they ask for.
        if b"DOCKER_REGISTRY_PASS" not in shown:
            self.found.update(form for form in FORMS if form in shown)


@pytest.fixture
def watcher(idle_one: Site) -> Iterator[_Watcher]:
    """Give a watcher of the site's processes."""
    socket = idle_one.host.data_dir / "status.sock"
    with _Watcher(idle_one.host.root, socket) as watching:
        yield watching


def _files(site: Site) -> list[str]:
    """Return the files below the host that hold a secret, auth configs left out."""
    return [
        str(path)
        for path, content in file_tree.contents(site.host.root)
        if path.name not in {"config.json", "docker-credential-leaky"}
        and any(form in content for form in FORMS)
    ]


def _release(site: Site, *, code: int) -> str:
    """Build and release, and return what the deployer reads."""
    site.build()
    result = site.release()
    assert result.code == code, result
    return result.stdout + result.stderr


def _live(site: Site) -> str:
    """Live a whole life and return all that people got to read."""
    said = ""
    site.make_app(push_extra_tags="stable")
    site.write_login(
        GLOBAL,
        {"auths": {"other.invalid": site.basic_login(CANARIES["global password"])}},
    )
    login = ("--password-stdin", "web", site.server, "ci")
    for password in (CANARIES["wrong password"], CANARIES["password"]):
        done = site.host.command("registry:login", *login, stdin=f"{password}\n")
        said += done.stdout + done.stderr
    said += _release(site, code=0)
    site.engine.wipe()
    until(lambda: site.reference(1) in site.names(), 30, what="the pulled image")
    site.log_in(password=CANARIES["wrong password"])
    said += _release(site, code=1)
    site.host.add_command("docker-credential-leaky", LEAKY_HELPER)
    site.write_login("web", {"credHelpers": {site.server: "leaky"}})
    said += _release(site, code=1)
    broken = site.write_login("web", {})
    broken.write_text(f'{{"auths": {{"{site.server}": "{CANARIES["malformed file"]}"')
    said += _release(site, code=1)
    token = {"identitytoken": CANARIES["identity token"]}
    site.write_login("web", {"auths": {site.server: token}})
    said += _release(site, code=1)
    site.log_in()
    for command in ("status", "releases", "doctor", "check"):
        done_command = site.service.run(command)
        said += done_command.stdout + done_command.stderr
    said += site.host.command("registry:report", "web").stdout
    site.host.destroy_app("web")
    site.service.wait_for("job.finished", intent="destroyed")
    return said


@pytest.mark.long
def test_a_whole_life(idle_one: Site, watcher: _Watcher) -> None:
    """No secret is in a file, a reply, a log, a metric, an argument, an environment."""
    idle_one.service.configure(daemon__log_level="debug")
    idle_one.service.start()

    said = _live(idle_one)

    assert "Login Succeeded" in said
    assert not [form for form in FORMS if form in said.encode()]
    assert _files(idle_one) == []
    assert watcher.found == set()
    assert watcher.processes  # It has seen some.
    assert {"/metrics 200", "/readyz 200", "/livez 200", "/status 200"} <= watcher.pages


def test_no_core(idle_one: Site) -> None:
    """A daemon that crashes with logins in its memory leaves no core."""
    idle_one.make_app()
    idle_one.service.start()
    idle_one.ship()
    pid = idle_one.service.pid
    limits = Path(f"/proc/{pid}/limits").read_text()

    os.kill(pid, signal.SIGABRT)
    status = idle_one.service.wait()

    assert status == -signal.SIGABRT  # And 0x80 would stand for a core.
    (line,) = [line for line in limits.splitlines() if "core file" in line]
    assert line.split()[4] == "0"
    cores = [path for path in idle_one.host.root.rglob("core*") if path.is_file()]
    assert cores == []
