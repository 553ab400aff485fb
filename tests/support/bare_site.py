"""A Dokku host as it is before we are installed, and the program that installs us.

Dokku's own registry plugin is in charge: a stand-in that answers Dokku's questions as
the real one does. `systemctl` is a stand-in with a memory, beside the host's folder.
"""

import shutil
import stat
from pathlib import Path
from typing import Final

from support import engines, fork_server
from support.dokku_host import SYSTEM_PATH, Result
from support.engines import EngineServer
from support.registries import RegistryServer
from support.service import PROGRAM
from support.site import Site

# What Dokku's plugin answers (0.38.27, registry/triggers.go) for an app that pushes.
_CORE: Final = {
    "deployed-app-repository": r"""#!/bin/sh
printf '%s/\n' "$(cat "$DOKKU_LIB_ROOT/config/registry/$1/server")"
""",
    "deployed-app-image-repo": r"""#!/bin/sh
printf 'dokku/%s\n' "$1"
""",
    "deployed-app-image-tag": r"""#!/bin/sh
cat "$DOKKU_LIB_ROOT/config/registry/$1/tag-version" && echo
""",
}

_SYSTEMCTL: Final = r"""#!/bin/sh
echo "$*" >>'{folder}/calls'
case $1 in
  is-enabled) [ -e '{folder}/enabled' ] ;;
  show) [ ! -e '{folder}/active' ] || echo active ;;
  enable) touch '{folder}/enabled' '{folder}/active' ;;
  disable) rm -f '{folder}/enabled' '{folder}/active' ;;
  stop) rm -f '{folder}/active' ;;
esac
"""

_OURS: Final = "registryd"
# What every Debian has.
_FOLDERS: Final = (
    *("etc/systemd/system", "etc/tmpfiles.d", "opt", "usr/local/bin"),
    *("usr/local/share/man/man8", "usr/local/share/bash-completion/completions"),
)

Entry = tuple[str, int, int, str]


class BareSite(Site):
    """A site without us.

    Args:
        folder: An empty or missing folder; the host is below it.
        engine: The host's Engine.
        registry: Where apps push to.
        has_systemd: Whether systemd runs there.
    """

    def __init__(
        self,
        folder: Path,
        engine: EngineServer,
        registry: RegistryServer,
        *,
        has_systemd: bool = True,
    ) -> None:
        super().__init__(folder / "host", engine, registry)
        self.systemd = folder / "systemd"
        self.root = self.host.root
        self._strip()
        self.host.enable_core(_CORE)
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True)
        self._add_systemd(has_systemd=has_systemd)

    # -- what Dokku's own plugin does

    def release_by_core(self, number: int, app: str = "web") -> str:
        """Build, count, tag and push, as Dokku's own plugin does; return the ID."""
        image_id = self.build(app)
        self.host.set_property(app, "tag-version", str(number))
        self.tag(image_id, f"{self.server}/dokku/{app}", str(number))
        self.tag(image_id, f"dokku/{app}", str(number))
        docker = engines.find_program(self.engine.kind.packages, "docker")
        login = self.host.config_root / "registry" / app
        target = self.reference(number, app)
        pushed = self.host.run(
            [str(docker), "--config", str(login), "image", "push", target]
        )
        assert pushed.code == 0, pushed
        return image_id

    # -- what an operator does

    def call(self, *arguments: str, program: Path = PROGRAM) -> Result:
        """Call our program as `sudo` does: with hardly any variable."""
        options = ["--config", str(self.service.config)]
        environ = {"PATH": f"{self.host.bin}:{SYSTEM_PATH}", "HOME": "/root"}
        done = fork_server.call(
            program, [*options, *arguments], env=environ, cwd=self.root
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def install(self, *flags: str) -> Result:
        """Call `dokku-registryd install`."""
        return self.call("install", "--root", str(self.root), *flags)

    def uninstall(self, *flags: str) -> Result:
        """Call `dokku-registryd uninstall`."""
        return self.call("uninstall", "--root", str(self.root), *flags)

    # -- what is where

    def tree(self, *, without: tuple[Path, ...] = ()) -> dict[str, Entry]:
        """Return everything on the host: kind and mode, owner, content or target.

        What only says who looks at the ledger is left out: the lock with its holder's
        number, and two files that SQLite makes for readers.
        """
        return {
            str(path.relative_to(self.root)): _entry(path)
            for path in sorted(self.root.rglob("*"))
            if not str(path).endswith(("-shm", "-wal", "/registryd/lock"))
            and not any(path.is_relative_to(folder) for folder in without)
        }

    def others(self) -> tuple[Path, ...]:
        """Return the paths of another plugin, called `other`."""
        folders = ("available", "enabled")
        return tuple(self.host.plugins / folder / "other" for folder in folders)

    def systemctl_calls(self) -> list[str]:
        """Return what systemd was told to do, questions left out."""
        calls = (self.systemd / "calls").read_text().splitlines()
        return [call for call in calls if not call.startswith(("is-", "show "))]

    def enabled(self) -> list[str]:
        """Return the plugins of ours and Dokku's that are enabled."""
        return sorted(path.name for path in (self.host.plugins / "enabled").iterdir())

    # -- inside

    def _strip(self) -> None:
        host = self.host
        (host.plugins / "enabled" / _OURS).unlink()
        shutil.rmtree(host.plugins / "available" / _OURS)
        shutil.rmtree(host.data_dir)
        shutil.rmtree(host.config_root / _OURS)
        host.defaults_file.unlink()

    def _add_systemd(self, *, has_systemd: bool) -> None:
        if has_systemd:
            (self.root / "run" / "systemd" / "system").mkdir(parents=True)
        self.systemd.mkdir()
        (self.systemd / "calls").touch()
        self.host.add_command("systemctl", _SYSTEMCTL.format(folder=self.systemd))
        self.host.add_command("systemd-tmpfiles", "#!/bin/sh\n")


def _entry(path: Path) -> Entry:
    status = path.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = path.read_bytes().decode(errors="backslashreplace")
    return (stat.filemode(status.st_mode), status.st_uid, status.st_gid, content)
