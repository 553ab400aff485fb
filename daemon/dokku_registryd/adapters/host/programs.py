"""Programs of the host that are run by name, such as plugn and systemctl."""

import subprocess
from collections.abc import Mapping, Sequence

from dokku_registryd import errors


def run(
    argv: Sequence[str], environ: Mapping[str, str], *, seconds: float | None = None
) -> str:
    """Run a program to its end and return what it printed.

    Args:
        argv: The program and its arguments.
        environ: Its environment.
        seconds: After this time it is killed; None waits forever.

    Raises:
        RegistrydError: It is missing, failed, or takes too long; with its last line of
            output.
    """
    try:
        done = subprocess.run(
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise errors.RegistrydError(f"{argv[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise errors.RegistrydError(f"{argv[0]}: no answer in {seconds:g} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1].strip() if said else f"status {done.returncode}"
        raise errors.RegistrydError(f"{' '.join(argv[:3])}: {reason}")
    return done.stdout


def show(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a program whose output is shown to the user.

    Raises:
        RegistrydError: It failed; it has printed why.
    """
    done = subprocess.run(argv, env=environ, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise errors.RegistrydError(f"it exited with status {done.returncode}")


def succeeds(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether a program succeeds; its output is ignored."""
    try:
        run(argv, environ)
    except errors.RegistrydError:
        return False
    return True
