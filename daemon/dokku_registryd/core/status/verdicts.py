"""The first line of `status`: whether all is well, and what is not."""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What may need the operator while the service itself works, in this order.
_CONCERNS = (
    ("failed", "1 release has failed", "{} releases have failed"),
    ("lost", "1 name is lost", "{} names are lost"),
    ("missing", "1 name is missing", "{} names are missing"),
    ("refused", "1 login is refused", "{} logins are refused"),
    ("expiring", "1 login expires soon", "{} logins expire soon"),
    ("incomplete", "1 release is incomplete", "{} releases are incomplete"),
    ("apps", "1 app has no folder", "{} apps have no folder"),
    ("retried", "1 job failed and is retried", "{} jobs failed and are retried"),
    ("silent", "1 registry does not answer", "{} registries do not answer"),
    ("paused", "1 registry is paused", "{} registries are paused"),
    ("rejected", "1 trigger file was rejected", "{} trigger files were rejected"),
    ("outdated", "an older version runs", ""),
    ("boot", "it will not start at the next boot", ""),
)


def concerns(counts: "Mapping[str, float]") -> list[str]:
    """Return what may need the operator, as clauses.

    Args:
        counts: How many there are, by the names of `_CONCERNS`.
    """
    return [
        one if counts[name] == 1 else many.format(int(counts[name]))
        for name, one, many in _CONCERNS
        if counts.get(name)
    ]


def verdict(
    *,
    is_ready: bool | None,
    reasons: "Sequence[str]",
    worries: "Sequence[str]",
    unseen: str = "",
) -> str:
    """Return the health of the service and of what it cares for, in one line.

    Args:
        is_ready: Whether the service is ready; None if that is unknown.
        reasons: Why it is not, or why that is unknown.
        worries: The result of `concerns`.
        unseen: What was not checked, as `unchecked.tell` says it. It counts only while
            the service is ready: otherwise that is what there is to say.
    """
    unseen = f"; {unseen}" if is_ready and unseen else ""
    if is_ready and not worries:
        return f"all is well so far{unseen}" if unseen else "all is well"
    head = {True: "ready", False: "not ready", None: "unknown"}[is_ready]
    said = f"{head}: {'; '.join(reasons)}" if reasons else head
    if not worries:
        return said
    return f"{said}{'. Also' if reasons else ', but'} {_joined(worries)}{unseen}"


def _joined(parts: "Sequence[str]") -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
