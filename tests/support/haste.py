"""Hooks without patience: for tests of what they do when it ends."""

from support.dokku_host import DokkuHost


def hasten(host: DokkuHost) -> None:
    """Let a hook speak at once, and leave a daemon no time behind its deadline."""
    script = host.plugins / "available" / "registryd" / "follow-reply"
    text = script.read_text()
    for line in ("FIRST_WORD=20", "MARGIN=60"):
        assert f"\n{line}\n" in text
        text = text.replace(line, f"{line.partition('=')[0]}=0")
    script.write_text(text)
