"""Checks the words of the texts in this repository: `word_list.py FOLDER...`.

The texts are plain technical English, for readers whose first language is another one.
Each entry below names a word that such readers stumble over, and a plain replacement.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = {
    r"anew": "again",
    r"whoever": "the actor, such as the client, the hook, the user",
    r"whatever": "the thing itself, or 'any', or 'regardless of'",
    r"for ever": "forever",
    r"besides": "also, in addition to, other than",
    r"nobody": "the actor: no client, no process, no user",
    r"anybody": "the actor: any user, any client",
    r"everybody": "the actors: all users, all clients",
    r"vouch\w*": "guarantee, or say what was checked",
    r"somebody": "the actor: another user, another client, another process",
    r"(?<!there )is no (?!longer|more\b)": "is not a, or invalid",
}
"""By word, as a regular expression, the plain words to use instead."""
ALLOWED = {
    "core/gotemplate/": "texts of Go's packages, quoted",
    "tests/vectors/": "texts of other programs, quoted",
    "tests/support/word_list.py": "the list itself",
    "CHANGELOG.md": "released entries are not rewritten",
}
"""By the beginning or a part of a path, why its files are not checked."""
QUOTED = {
    r"['\"`]nobody['\"`]|\bApp nobody\b|\buser nobody\b": "the user `nobody`",
    r"\b[A-Z_]*(?:NO|SOME)BODY\b": "constants for user IDs",
}
"""By regular expression, why a part of a line is not checked."""
_WORDS = {re.compile(rf"\b{word}\b", re.IGNORECASE): to for word, to in WORDS.items()}


def find(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, word and replacement of each match in a text.

    Words that a line break separates are found too.
    """
    for quoted in QUOTED:
        text = re.sub(quoted, lambda found: "-" * len(found.group()), text)
    for word, replacement in _WORDS.items():
        for match in word.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield line, match.group().strip(), replacement


def main(folders: list[str]) -> int:
    """Print the matches in tracked files below some folders; return 1 if any."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    is_clean = True
    for name in filter(None, listed.split("\0")):
        if any(part in name for part in ALLOWED):
            continue
        try:
            text = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for line, word, replacement in sorted(find(text)):
            is_clean = False
            print(f"{name}:{line}: '{word}': write {replacement}")  # noqa: T201
    return 0 if is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
