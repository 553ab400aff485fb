"""What `status` does not judge: checks that wait, are off, or got no answer."""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What is checked, and why it may not be; stable names for scripts.
LOGINS = "logins"
REGISTRIES = "registries"
PENDING = "pending"
"""The first round has not ended yet."""
OFF = "off"
"""The settings say never."""
UNANSWERED = "unanswered"
"""At least one registry has told nothing that counts."""
DEAD = "dead"
"""A bug has ended the thread that checks."""

_SAID = {
    PENDING: "not checked yet",
    UNANSWERED: "without an answer",
    OFF: "never checked",
    DEAD: "no longer checked, since a bug ended the thread (see the log, restart)",
}
_SETTINGS = {
    LOGINS: "registry.login_check_seconds",
    REGISTRIES: "registry.reach_check_seconds",
}


def tell(entries: "Sequence[tuple[str, str]]") -> str:
    """Return what was not checked, as clauses; empty if all was.

    Args:
        entries: What, and why; a newer service may know more of both.
    """
    return "; ".join(_clauses(entries))


def _clauses(entries: "Sequence[tuple[str, str]]") -> "Iterator[str]":
    for why in dict.fromkeys(why for _, why in entries):
        found = [_name(what, why) for what, each in entries if each == why]
        yield f"{_SAID.get(why, f'not checked ({why})')}: {' and '.join(found)}"


def _name(what: str, why: str) -> str:
    setting = _SETTINGS.get(what)
    return f"{what} ({setting} is 0)" if why == OFF and setting else what
