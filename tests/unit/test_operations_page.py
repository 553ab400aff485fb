"""docs/operations.md: its commands that read the log get JSON alone."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PIPED = re.compile(r"^journalctl .*\|.*$", re.MULTILINE)


def test_the_log_alone_is_read() -> None:
    """By the name of the unit there is plain text of systemd too, and `jq` ends."""
    unit = (_ROOT / "systemd" / "dokku-registryd.service").read_text()
    (name,) = re.findall(r"^SyslogIdentifier=(.+)$", unit, re.MULTILINE)
    pages = [*(_ROOT / "docs").glob("*.md"), _ROOT / "README.md"]
    piped = [line for page in pages for line in _PIPED.findall(page.read_text())]

    assert piped
    assert [line for line in piped if f"journalctl -t {name} -o cat" not in line] == []
