"""Has Dokku deploy what an app is to run: `dokku ps:restart APP`, with its checks.

Dokku asks our hooks which release that is, and names its deploy by `DOKKU_BUILD_ID`,
which it takes from its environment if it is set (common/functions,
dokku_setup_build_capture). So the answer is that of the deploy that we announced.
"""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS: Final = 8
_RANDOM_DIGITS: Final = 6
# Variables of the command that calls us: Dokku would add its app once more, or take the
# new command for a part of the running one.
_OF_CALLER: Final = frozenset(
    {
        "DOKKU_APP_NAME",
        "DOKKU_BUILD_LOG_FILE",
        "DOKKU_BUILD_SOURCE",
        "DOKKU_REDIRECT_OUTPUT",
        "SSH_ORIGINAL_COMMAND",
    }
)


def new_build() -> str:
    """Return an ID in the form of Dokku's (plugins/builds, GenerateBuildID).

    It is the time in milliseconds and a random number, in base 36: 8 and 6 digits.
    """
    number, stamp = int(time.time() * 1000), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        stamp = _DIGITS[digit] + stamp
    tail = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM_DIGITS))
    return stamp.rjust(_TIME_DIGITS, "0")[-_TIME_DIGITS:] + tail


def restart(
    app: str,
    build: str,
    environ: Mapping[str, str],
    *,
    lock: int,
    is_quiet: bool = False,
    first: int = 0,
) -> int:
    """Run `dokku ps:restart APP` and return its exit status.

    Its output is shown; Ctrl-C goes to it, and its end counts. An app that was never
    deployed is not restarted (plugins/ps, Restart), so `dokku deploy APP N` deploys it.

    Args:
        app: The app.
        build: The deploy.
        environ: The environment.
        lock: The descriptor of the deploy lock, which it holds too.
        is_quiet: Whether its output goes to stderr, since stdout is a document.
        first: The number to deploy, of an app that was never deployed; 0 for others.

    Raises:
        OSError: `dokku` cannot be started.
    """
    kept = {name: value for name, value in environ.items() if name not in _OF_CALLER}
    command = ["deploy", app, str(first)] if first else ["ps:restart", app]
    sys.stdout.flush()
    with subprocess.Popen(
        ["dokku", *command],
        env={**kept, "DOKKU_BUILD_ID": build},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if is_quiet else None,
        pass_fds=(lock,),
    ) as process:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()
