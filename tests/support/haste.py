"""Hooks without patience: for tests of what they do when it ends."""

from pathlib import Path

from support.dokku_host import HOOKS, DokkuHost


def hasten(host: DokkuHost) -> None:
    """Let hooks from now on speak at once, and leave a daemon no time after an end."""
    text = (HOOKS / "follow-reply").read_text()
    for line in ("FIRST_WORD=20", "MARGIN=60"):
        assert f"\n{line}\n" in text
        text = text.replace(line, f"{line.partition('=')[0]}=0")
    _replace(_script(host), text)


def give_time(host: DokkuHost) -> None:
    """Let hooks from now on be as patient as they are."""
    _replace(_script(host), (HOOKS / "follow-reply").read_text())


def _script(host: DokkuHost) -> Path:
    return host.plugins / "available" / "registryd" / "follow-reply"


def _replace(script: Path, text: str) -> None:
    """Rewrite a script by one rename: a hook that starts just then reads all of it."""
    if script.read_text() != text:
        beside = script.with_name(f".{script.name}")
        beside.write_text(text)
        beside.rename(script)
