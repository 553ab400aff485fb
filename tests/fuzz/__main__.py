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
    parser.add_argument("--corpus", default="", help="its folder of beginnings")
    options = parser.parse_args()
    if options.target:
        _fuzz(options.target, options.seconds, options.corpus)
        return 0
    targets = importlib.import_module("fuzz.targets")
    failed = []
    for name in targets.TARGETS:
        # Its process ends without any tidying up, so the folder is ours.
        with tempfile.TemporaryDirectory(prefix="registryd-fuzz-") as corpus:
            command = [sys.executable, "-m", "fuzz", "--target", name]
            command += ["--seconds", str(options.seconds), "--corpus", corpus]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    sys.stdout.write(f"failed: {', '.join(failed) or 'none'}\n")
    return 1 if failed else 0


def _fuzz(name: str, seconds: int, corpus: str) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["dokku_registryd", "fuzz"]):
        targets = importlib.import_module("fuzz.targets")
    for number, seed in enumerate(targets.SEEDS):
        (Path(corpus) / str(number)).write_bytes(seed)
    argv = [name, corpus, f"-max_total_time={seconds}", "-max_len=2048"]
    atheris.Setup([*argv, f"-artifact_prefix={name}-"], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
