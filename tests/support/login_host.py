"""A Dokku host on which people log in to registries: no Engine, helpers in its `bin`.

Only the standard library is used, so that a demo can import this too.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from support import fork_server
from support.dokku_host import GLOBAL, DokkuHost, Result

_DEFAULTS: Final = """\
DOKKU_REGISTRYD_BIN='{program}'
DOKKU_REGISTRYD_CONFIG='{host.root}/config.toml'
DOKKU_REGISTRYD_PATHS__DOKKU_ROOT='{host.dokku_root}'
DOKKU_REGISTRYD_PATHS__DOKKU_LIB_ROOT='{host.lib_root}'
DOKKU_REGISTRYD_PATHS__DATA_DIR='{host.data_dir}'
DOKKU_REGISTRYD_PATHS__CERTS_DIR='{host.root}/certs.d'
DOKKU_REGISTRYD_PATHS__HELPER_PATH='{host.bin}:/usr/bin:/bin'
DOKKU_REGISTRYD_ENGINE__SOCKET='unix://{host.root}/no-engine.sock'
DOKKU_REGISTRYD_ENGINE__TIMEOUT_SECONDS=2
"""

# Keeps one file a login below `kept`, and notes what others could see of each run.
_KEEPER: Final = """#!/bin/sh
set -eu
kept='{kept}'
mkdir -p "$kept"
tr '\\0' ' ' </proc/$$/cmdline >>"$kept/seen"
tr '\\0' ' ' </proc/$$/environ >>"$kept/seen"
input=$(cat)
name() {{ printf '%s' "$1" | tr '/:' '__'; }}
case "$1" in
  store)
    server=$(printf '%s' "$input" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/')
    printf '%s' "$input" >"$kept/$(name "$server")"
    ;;
  get | erase)
    file="$kept/$(name "$input")"
    [ -f "$file" ] || {{ echo "credentials not found in native keychain"; exit 1; }}
    if [ "$1" = get ]; then cat "$file"; else rm "$file"; fi
    ;;
esac
"""


class LoginHost:
    """A host with the apps `web` and `api`.

    Args:
        folder: An empty or missing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.host = DokkuHost(folder)
        self.host.defaults_file.write_text(
            _DEFAULTS.format(program=fork_server.client(), host=self.host)
        )
        (folder / "config.toml").touch()
        for app in ("web", "api"):
            self.host.create_app(app)

    def dokku(
        self,
        *words: str,
        stdin: str | None = None,
        app: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> Result:
        """Call a command as Dokku does; `app` is what `dokku --app` named."""
        named = {"DOKKU_APP_NAME": app} if app else {}
        return self.host.run(
            [str(self.host.hook("commands")), *words],
            stdin=stdin,
            environ={**named, **(environ or {})},
        )

    # -- auth configs

    def path(self, app: str) -> Path:
        """Return where an app's auth config is; `GLOBAL` has its own place."""
        folder = self.host.config_root / "registry" / app
        if app == GLOBAL:
            folder = self.host.dokku_root / ".docker"
        return folder / "config.json"

    def write(self, app: str, content: object) -> Path:
        """Write an auth config; text as it is, anything else as JSON."""
        path = self.path(app)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(0o600)
        return path

    def read(self, app: str) -> Any:
        """Return an auth config; None where there is no file."""
        try:
            return json.loads(self.path(app).read_text())
        except FileNotFoundError:
            return None

    # -- helpers

    def install_helper(self, name: str = "keeper", script: str = "") -> None:
        """Install a credential helper that keeps its logins in files."""
        default = _KEEPER.format(kept=self.host.root / f"kept-{name}")
        self.host.add_command(f"docker-credential-{name}", script or default)

    def kept(self, name: str = "keeper") -> dict[str, tuple[str, str]]:
        """Return user name and password by server, as a helper keeps them."""
        folder = self.host.root / f"kept-{name}"
        if not folder.exists():
            return {}
        logins = [
            json.loads(path.read_text())
            for path in sorted(folder.iterdir())
            if path.name != "seen"
        ]
        return {
            login["ServerURL"]: (login["Username"], login["Secret"]) for login in logins
        }

    def seen(self, name: str = "keeper") -> str:
        """Return arguments and environment of all runs of a helper."""
        return (self.host.root / f"kept-{name}" / "seen").read_text()

    # -- secrets

    def spread(self, username: str, secret: str) -> list[str]:
        """Return the files that hold a secret and are neither auth config nor kept."""
        forms = (
            secret.encode(),
            base64.b64encode(f"{username}:{secret}".encode()),
            base64.b64encode(secret.encode()),
        )
        return [
            str(path)
            for path in self.host.root.rglob("*")
            if path.is_file()
            and path.name != "config.json"
            and "kept-" not in path.parent.name
            and any(form in path.read_bytes() for form in forms)
        ]


def entry(username: str, password: str) -> dict[str, str]:
    """Return an entry as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
