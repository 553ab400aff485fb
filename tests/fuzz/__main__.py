"""`make fuzz`: atheris, guided by coverage, on one target after the other."""

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Run one target in this process, or each in a process of its own."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", default="", help="one target only")
    options = parser.parse_args()
    if options.target:
        _fuzz(options.target, options.seconds)
        return 0
    targets = importlib.import_module("fuzz.targets")
    failed = [
        name
        for name in targets.TARGETS
        if subprocess.run(
            [
                sys.executable,
                "-m",
                "fuzz",
                "--target",
                name,
                "--seconds",
                str(options.seconds),
            ],
            check=False,
        ).returncode
    ]
    sys.stdout.write(f"failed: {', '.join(failed) or 'none'}\n")
    return 1 if failed else 0


def _fuzz(name: str, seconds: int) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["dokku_registryd", "fuzz"]):
        targets = importlib.import_module("fuzz.targets")
    with tempfile.TemporaryDirectory(prefix="registryd-fuzz-") as folder:
        for number, seed in enumerate(targets.SEEDS):
            (Path(folder) / str(number)).write_bytes(seed)
        argv = [name, folder, f"-max_total_time={seconds}", "-max_len=2048"]
        atheris.Setup([*argv, f"-artifact_prefix={name}-"], targets.TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
