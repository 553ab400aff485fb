"""Programs of the host that are called by name: plugn, systemctl and the like."""

import subprocess
from collections.abc import Mapping, Sequence

from dokku_registryd import errors


def run(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        RegistrydError: It is not there, or ended badly; with the last thing it said.
    """
    try:
        done = subprocess.run(
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise errors.RegistrydError(f"{argv[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1].strip() if said else f"status {done.returncode}"
        raise errors.RegistrydError(f"{' '.join(argv[:3])}: {reason}")
    return done.stdout


def show(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a program that talks to the person who watches.

    Raises:
        RegistrydError: It ended badly; it has said why.
    """
    done = subprocess.run(argv, env=environ, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise errors.RegistrydError(f"it ended with status {done.returncode}")


def succeeds(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Tell whether a program ends well; whatever it prints is ignored."""
    try:
        run(argv, environ)
    except errors.RegistrydError:
        return False
    return True
