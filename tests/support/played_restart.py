"""`dokku ps:restart APP` and `deploy APP N`, as plugins and the Engine see them.

It asks for the name as Dokku 0.38.27 does, inspects the image, and runs the checks; if
these pass, it tells plugins that containers run. A file in Dokku's root has it fail,
and another one notes what it has started. Only the standard library is used, so that a
demo can import this too.
"""

from pathlib import Path
from typing import Final

from support.dokku_host import DokkuHost

_SCRIPT: Final = r"""#!/bin/sh
set -e
app=$2
case $1 in
  ps:restart) tag=$(plugn trigger deployed-app-image-tag "$app") ;;
  deploy) tag=$3 ;;
esac
echo "$1" >>"$DOKKU_ROOT/commands"
repository=$(plugn trigger deployed-app-repository "$app")
name=$repository$(plugn trigger deployed-app-image-repo "$app"):$tag
docker image inspect "$name" >/dev/null 2>&1 || {
  echo " !     App image ($name) not found" >&2
  exit 1
}
echo "-----> Deploying $app from $name"
flock --nonblock "$DOKKU_LIB_ROOT/data/apps/$app/.deploy.lock" true 2>/dev/null \
  && echo "another deploy could begin now" >>"$DOKKU_ROOT/restarts"
while [ -e "$DOKKU_ROOT/checks-wait" ]; do
  sleep 0.05
done
if [ -e "$DOKKU_ROOT/checks-fail" ]; then
  echo " !     healthcheck failed" >&2
  exit 3
fi
echo "$name" >>"$DOKKU_ROOT/restarts"
plugn trigger core-post-deploy "$app" "" "" "$tag"
plugn trigger post-deploy "$app" "" "" "$tag"
"""


class PlayedRestart:
    """`dokku ps:restart` on one host; made when it is first needed.

    Args:
        host: The host; its hooks and our program find it on their PATH.
    """

    def __init__(self, host: DokkuHost) -> None:
        self._host = host
        self._notes = host.dokku_root / "restarts"
        host.add_command("dokku", _SCRIPT)
        for app in host.dokku_root.iterdir():
            folder = Path(host.lib_root, "data", "apps", app.name)
            folder.mkdir(parents=True, exist_ok=True)

    def let_checks_fail(self, *, fail: bool = True) -> None:
        """Let the checks of each deploy fail from now on, or pass again."""
        self._mark("checks-fail", is_set=fail)

    def let_checks_wait(self, *, wait: bool = True) -> None:
        """Let the checks of each deploy last until this is called with False."""
        self._mark("checks-wait", is_set=wait)

    def _mark(self, name: str, *, is_set: bool) -> None:
        mark = self._host.dokku_root / name
        if is_set:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    @property
    def commands(self) -> list[str]:
        """The commands that have deployed, in order."""
        return (self._host.dokku_root / "commands").read_text().splitlines()

    @property
    def started(self) -> list[str]:
        """The names from which containers were started, in order."""
        return self._notes.read_text().splitlines() if self._notes.exists() else []
