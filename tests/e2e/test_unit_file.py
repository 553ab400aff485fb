"""The unit file, judged by systemd's own tools and by its readers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dokku_registryd.core.install import paths

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "dokku-registryd.service"
TMPFILES = SYSTEMD / "dokku-registryd.tmpfiles.conf"
# Exposure 1.5 of 10, in tenths.
THRESHOLD = 15

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze without talking to a running systemd."""
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Give a copy that starts a program which exists on every machine."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text()
    program = "/usr/local/bin/dokku-registryd"
    assert text.count(f"ExecStart={program} ") == 1
    copy.write_text(text.replace(program, "/bin/true"))
    return copy


@needs_analyze
def test_unit_is_valid(unit: Path) -> None:
    """Systemd reads the unit without a remark."""
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))

    assert (done.stderr, done.returncode) == ("", 0)


@needs_analyze
def test_remarks_are_noticed(unit: Path) -> None:
    """A directive that systemd does not know makes it remark."""
    unit.write_text(unit.read_text().replace("LimitCORE=", "LimitCores="))

    done = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))

    assert "LimitCores" in done.stderr


@needs_analyze
def test_unit_is_hardened(unit: Path) -> None:
    """What the unit leaves exposed is below the threshold."""
    done = analyze(
        "security",
        "--offline=true",
        f"--threshold={THRESHOLD}",
        "--no-pager",
        str(unit),
    )

    assert done.returncode == 0, done.stdout


def test_every_directive_has_a_reason() -> None:
    """Above each directive stands a comment that is a sentence or a phrase."""
    previous = ""
    for line in UNIT.read_text().splitlines():
        if re.match(r"[A-Za-z]+=", line):
            assert re.fullmatch(r"# [A-Z`].*\.", previous), line
        previous = line


def test_unit_names_the_statuses_that_no_restart_helps() -> None:
    """Systemd does not restart what ended with one of our final statuses."""
    assert "RestartPreventExitStatus=2 78" in UNIT.read_text().splitlines()


def test_unit_is_never_given_up() -> None:
    """A fault that lasts, such as a full disk, leaves no unit that stays failed."""
    lines = UNIT.read_text().splitlines()

    assert "StartLimitIntervalSec=0" in lines
    assert "Restart=on-failure" in lines


def test_unit_bounds_the_memory() -> None:
    """However much memory an answer needs, no other service has to free any."""
    lines = UNIT.read_text().splitlines()

    assert "MemoryMax=1G" in lines
    assert "OOMPolicy=continue" in lines


def test_unit_opens_no_more_than_is_written() -> None:
    """Of Dokku's properties those of the two registry plugins can be written."""
    opened = {
        line.partition("=")[2].removeprefix("-")
        for line in UNIT.read_text().splitlines()
        if line.startswith("ReadWritePaths=")
    }

    usual = paths.Paths()
    _, *folders = usual.property_folders
    helpers = {".docker", ".ecr", ".password-store", ".gnupg"}
    assert opened == {
        *folders,
        usual.data_dir,
        *(f"{usual.dokku_root}/{name}" for name in helpers),
    }


def test_writable_folder_exists_before_the_start() -> None:
    """The data folder that the unit makes writable is made private by tmpfiles."""
    folder = "/var/lib/dokku/data/registryd"
    rules = [
        line.split()
        for line in TMPFILES.read_text().splitlines()
        if not line.startswith("#")
    ]

    assert f"ReadWritePaths={folder}" in UNIT.read_text().splitlines()
    assert rules[0] == ["d", folder, "0700", "dokku", "dokku", "-"]
    for kind, path, mode, user, group, age in rules:
        assert path.startswith(folder)
        assert (kind, mode, user, group, age) == ("d", "0700", "dokku", "dokku", "-")
