"""A machine that really boots systemd, with what a Dokku host has, in one folder.

A Debian made by debootstrap is copied, gets Dokku's user and folders and this program,
and is booted by systemd-nspawn. Its network is that of the host, so that it reaches a
registry on loopback; its Docker socket is that of an Engine of the tests.
"""

import os
import shutil
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import Final, Self

from support import dokku_host, stand_ins
from support.waiting import until

_REPOSITORY: Final = Path(__file__).parents[2]
USER: Final = 3000
_DOCKER_GROUP: Final = 3001
_PASSWD: Final = f"dokku:x:{USER}:{USER}::/home/dokku:/bin/bash\n"
_GROUP: Final = f"dokku:x:{USER}:\ndocker:x:{_DOCKER_GROUP}:dokku\n"
_UNIT: Final = "dokku-registryd.service"
_PROGRAM: Final = """\
#!/usr/bin/python3
import sys
sys.path[:0] = ["/opt/registryd/daemon", "/opt/registryd/site"]
from dokku_registryd.cli import main
sys.exit(main())
"""
_HOSTNAME: Final = "registryd-boot"
_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 120  # longer than TimeoutStopSec= of the unit
_EXECUTABLE: Final = 0o755
_PRIVATE: Final = 0o700


class Machine:
    """One machine.

    Args:
        base: A Debian with systemd and Python, made by debootstrap; it is not changed.
        root: A missing folder, for the copy that boots.
        docker_socket: The socket of an Engine on this host.
    """

    def __init__(self, base: Path, root: Path, docker_socket: Path) -> None:
        self.root = root
        self._base = base
        self._socket = docker_socket
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Boot, and return once systemd has started the service."""
        subprocess.run(["cp", "-a", str(self._base), str(self.root)], check=True)
        self._add_user()
        self._add_dokku()
        self._add_program()
        os.chown(self._socket, 0, _DOCKER_GROUP)
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        """Power off."""
        if self._process is None or self._process.poll() is not None:
            return
        init = self._init
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # All else inside ends with it, and then systemd-nspawn too.
            os.kill(init, signal.SIGKILL)
            self._process.wait()

    @property
    def data(self) -> Path:
        """The data folder, as it is seen from outside."""
        return self.root / "var/lib/dokku/data/registryd"

    @property
    def config(self) -> Path:
        """Dokku's properties, as they are seen from outside."""
        return self.root / "var/lib/dokku/config"

    def run(self, *argv: str, as_dokku: bool = False) -> str:
        """Run a program inside and return what it prints.

        Raises:
            RuntimeError: It fails.
        """
        command = ["nsenter", "--target", str(self._init), "--mount", "--uts", "--ipc"]
        command += ["--pid", f"--root=/proc/{self._init}/root"]
        command += ["env", "--chdir=/"]
        if as_dokku:
            command += ["setpriv", f"--reuid={USER}", f"--regid={USER}"]
            command += ["--init-groups", "env", *self._environ()]
        done = subprocess.run(
            [*command, *argv], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{argv} ends with {done.returncode}: {done.stderr}")
        return done.stdout

    def show(self, name: str) -> str:
        """Return a property of the service."""
        return self.run("systemctl", "show", "--value", "-p", name, _UNIT).strip()

    def write(self, path: Path, content: str) -> None:
        """Write a private file of dokku."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)
        for place in (path.parent, path):
            os.chown(place, USER, USER)

    # -- inside

    @property
    def _init(self) -> int:
        """The process that is number 1 inside."""
        process = self._process
        if process is None:
            raise RuntimeError("the machine is not on")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return int(children.split()[0])

    def _environ(self) -> list[str]:
        lib = "/var/lib/dokku"
        return [
            f"DOKKU_LIB_ROOT={lib}",
            "DOKKU_ROOT=/home/dokku",
            f"PLUGIN_PATH={lib}/plugins",
            f"PLUGIN_ENABLED_PATH={lib}/plugins/enabled",
            f"PLUGIN_CORE_AVAILABLE_PATH={lib}/core-plugins/available",
        ]

    def _add_user(self) -> None:
        for name, lines in (("passwd", _PASSWD), ("group", _GROUP)):
            with (self.root / "etc" / name).open("a") as file:
                file.write(lines)
        (self.root / "etc/hostname").write_text(f"{_HOSTNAME}\n")

    def _add_dokku(self) -> None:
        lib = self.root / "var/lib/dokku"
        for folder in (
            self.root / "home/dokku/.docker",
            lib / "config/registry",
            lib / "config/registryd",
            lib / "plugins/available",
            lib / "plugins/enabled",
            lib / "core-plugins/available",
            lib / "data",
        ):
            folder.mkdir(parents=True)
        plugin = lib / "plugins/available/registryd"
        dokku_host.copy_hooks(plugin)
        (lib / "plugins/enabled/registryd").symlink_to("../available/registryd")
        plugn = self.root / "usr/bin/plugn"
        plugn.write_text(stand_ins.PLUGN)
        plugn.chmod(_EXECUTABLE)
        for place in (lib, self.root / "home/dokku"):
            command = ["chown", "--recursive", "--no-dereference"]
            subprocess.run([*command, f"{USER}:{USER}", str(place)], check=True)

    def _add_program(self) -> None:
        opt = self.root / "opt/registryd"
        for name in ("daemon", "hooks", "systemd", "contrib"):
            shutil.copytree(_REPOSITORY / name, opt / name)
        shutil.copy(_REPOSITORY / "config.example.toml", opt)
        shutil.copytree(sysconfig.get_path("purelib"), opt / "site")
        program = self.root / "usr/local/bin/dokku-registryd"
        program.write_text(_PROGRAM)
        program.chmod(_EXECUTABLE)
        units = self.root / "etc/systemd/system"
        shutil.copy(_REPOSITORY / "systemd" / _UNIT, units)
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        (units / "multi-user.target.wants" / _UNIT).symlink_to(f"../{_UNIT}")
        shutil.copy(
            _REPOSITORY / "systemd/dokku-registryd.tmpfiles.conf",
            self.root / "etc/tmpfiles.d/dokku-registryd.conf",
        )

    def _boot(self) -> None:
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no"]
        command += ["--keep-unit", f"--machine={_HOSTNAME}", "--console=pipe"]
        command += [
            f"--directory={self.root}",
            f"--bind={self._socket}:/run/docker.sock",
        ]
        with (self.root.parent / "console.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._is_active, _START_SECONDS, what="the service in the machine")

    def _is_active(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            log = (self.root.parent / "console.log").read_text(errors="replace")
            raise RuntimeError(f"the machine does not boot: {log[-2000:]}")
        try:
            return self.show("ActiveState") == "active"
        except (RuntimeError, OSError, IndexError):
            return False  # systemd does not listen yet.
