"""What else is in a repository, and needs a number that a prune would remove.

Tags of others are never touched, nor what they lead to: removal by digest removes all
tags of an image, and an index needs the manifests that it names. If the registry
contradicts the clock of this host, nothing goes by its age.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dokku_registryd.core.release import prunes

CLOCK_SECONDS: Final = 86_400.0
"""How far the clocks of host and registry may differ before ages do not count."""
_SHOWN_TAG: Final = 60
"""Characters of a foreign tag that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is in a repository."""

    tags: Mapping[str, str]
    """Each tag and its digest."""
    children: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The digests of the manifests that an index names, by its digest."""
    elsewhere: frozenset[str] = frozenset()
    """The digests that other hosts run, by their release records."""
    clock_ahead: float | None = 0.0
    """How many seconds our clock is ahead of the registry's; None if unknown."""


def settle(entries: Iterable[prunes.Entry], look: Look) -> list[prunes.Entry]:
    """Return a plan that leaves alone what other tags of a repository need.

    Args:
        entries: The plan.
        look: The repository of all that goes.
    """
    found = list(entries)
    while True:
        going = {
            (str(entry.release.number), entry.release.digest)
            for entry in found
            if entry.goes
        }
        named = {
            digest: tag
            for tag, digest in sorted(look.tags.items(), reverse=True)
            if (tag, digest) not in going
        }
        inside = {
            child: tag
            for digest, tag in named.items()
            for child in _below(digest, look.children)
        }
        settled = [_settled(entry, look, named, inside) for entry in found]
        if settled == found:
            return found
        found = settled


def spare_children(digest: str, look: Look, gone: Collection[str]) -> list[str]:
    """Return the manifests below an index that nothing else in a repository needs.

    Args:
        digest: The index, which goes.
        look: Its repository.
        gone: Digests that are gone already.
    """
    return unneeded(_below(digest, look.children), look, {digest, *gone})


def unneeded(
    digests: Iterable[str], look: Look, gone: Collection[str] = ()
) -> list[str]:
    """Return the manifests that no tag of a repository needs.

    Args:
        digests: The manifests, parts of an index that goes or is gone.
        look: Its repository.
        gone: Digests that are gone already; the look may be older.
    """
    others = [one for one in set(look.tags.values()) if one not in gone]
    needed = {
        *others,
        *(child for one in others for child in _below(one, look.children)),
    }
    return [digest for digest in digests if digest not in needed]


def has_untagged(entries: Iterable[prunes.Entry], look: Look) -> bool:
    """Return whether a number that stays has lost its tag, so its parts are unknown."""
    tagged = set(look.tags.values())
    return any(
        not entry.goes and entry.release.digest and entry.release.digest not in tagged
        for entry in entries
    )


def _settled(
    entry: prunes.Entry, look: Look, named: Mapping[str, str], inside: Mapping[str, str]
) -> prunes.Entry:
    if not entry.goes:
        return entry
    reasons = _reasons_to_stay(entry, look, named, inside)
    return replace(entry, kept_by=next(filter(None, reasons), ""))


def _reasons_to_stay(
    entry: prunes.Entry, look: Look, named: Mapping[str, str], inside: Mapping[str, str]
) -> Iterator[str]:
    digest = entry.release.digest
    if entry.has_age:
        yield _doubt_about_time(look.clock_ahead)
    if look.tags.get(str(entry.release.number), digest) != digest:
        yield "another image has its number"
    if digest in look.elsewhere:
        yield "another host runs its image"
    if tag := named.get(digest):
        yield f"the tag {tag[:_SHOWN_TAG]} has its image"
    if tag := inside.get(digest):
        yield f"it is a part of the tag {tag[:_SHOWN_TAG]}"


def _doubt_about_time(ahead: float | None) -> str:
    """Return why ages do not count; empty if they do."""
    if ahead is None:
        return "its age is unknown: the registry does not tell the time"
    if abs(ahead) <= CLOCK_SECONDS:
        return ""
    way = "ahead of" if ahead > 0 else "behind"
    days = abs(ahead) / CLOCK_SECONDS
    return (
        f"its age is unknown: this host's clock is {days:.0f} d {way} that of the"
        " registry"
    )


def _below(digest: str, children: Mapping[str, frozenset[str]]) -> list[str]:
    """Return all manifests below an index, each once."""
    found: dict[str, None] = {}
    level = [digest]
    while level:
        level = [
            child
            for one in level
            for child in sorted(children.get(one, ()))
            if child not in found and child != digest
        ]
        found |= dict.fromkeys(level)
    return list(found)
