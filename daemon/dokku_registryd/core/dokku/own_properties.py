"""Our own properties: each with its default, and what an invalid value means.

An invalid value of ours never prevents what Dokku's own plugin would do: its default
applies, and reports show the mistake.
"""

from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import (
    computed,
    core_properties,
    follow_property,
    keeping,
    mirror_property,
    other_plugins,
)
from dokku_registryd.core.dokku.property_source import Source
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import holds as release_holds
from dokku_registryd.core.release.holds import Holds

_WAIT: Final = "wait"
_BACKGROUND: Final = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The values that apply if neither app nor host set our property."""

    push_policy: str = _WAIT
    push_deadline_seconds: float = 900
    heal: bool = True
    keep_releases: int = 0
    release_records: bool = False
    skip_cleanup: bool = False
    """Whether the variable `DOKKU_SKIP_CLEANUP` is `true`."""


def push_policy(source: Source, defaults: Defaults) -> str:
    """Return whether deploys wait for the push, or it goes on in the background."""
    value = source.ours("push-policy") or defaults.push_policy
    if value not in {_WAIT, _BACKGROUND}:
        source.mistakes.append(f"push-policy: {value!r} is neither wait nor background")
        return defaults.push_policy
    return value


def is_in_background(source: Source, defaults: Defaults) -> bool:
    """Return whether deploys continue before the push."""
    return push_policy(source, defaults) == _BACKGROUND


def deadline(source: Source, defaults: Defaults) -> float:
    """Return how many seconds a deploy waits for the push."""
    text = source.ours("push-deadline")
    seconds = keeping.parse_seconds(text) if text else defaults.push_deadline_seconds
    if seconds is None:
        source.mistakes.append(f"push-deadline: {text!r} is not a duration such as 15m")
        return defaults.push_deadline_seconds
    return seconds


def heal(source: Source, defaults: Defaults) -> bool:
    """Return whether missing images are restored."""
    return _switch(source, "heal", default=defaults.heal)


def holds(source: Source) -> Holds:
    """Return the releases that nothing may remove."""
    found, mistake = release_holds.parse(source.own("hold"))
    if mistake:
        source.mistakes.append(
            f"hold: {mistake!r} begins with neither all nor a number"
        )
    return found


def mirror(source: Source, place: str | None, image_repo: str) -> str:
    """Return the repository of the mirror; empty for none.

    An unusable value never fails a release, which needs no mirror.

    Args:
        source: The properties.
        place: The registry of the app, which may not be its own mirror; None for any.
        image_repo: The repository of the app.
    """
    text, is_shared = _mirror_text(source)
    if not text or text == mirror_property.OFF:
        return ""
    bare = computed.without_login(text)
    try:
        found = mirror_property.repository_of(bare, image_repo, is_shared=is_shared)
    except errors.InvalidReferenceError as error:
        source.left_out.append(
            f"mirror: {bare!r} is not SERVER/REPOSITORY: {error}. Releases are not"
            " copied"
        )
        return ""
    if bare != text:
        source.left_out.append(
            f"mirror: {bare} contains a login, which is not used. Log in with dokku"
            " registry:login"
        )
    if place is not None and _is_same(found, f"{place}{image_repo}"):
        source.left_out.append(
            f"mirror: {found} is the repository of the app itself. Name another one"
        )
        return ""
    return found


def shown_mirror(source: Source) -> str:
    """Return the mirror as reports show it."""
    text, is_shared = _mirror_text(source)
    if not is_shared or not text or text == mirror_property.OFF:
        return computed.without_login(text) or mirror_property.OFF
    try:
        repository = core_properties.image_repo(source)
        return mirror(source, None, repository) or mirror_property.OFF
    except errors.UnreadableError:
        return computed.without_login(text)


def records(source: Source, defaults: Defaults) -> bool:
    """Return whether releases are recorded in their registry."""
    return _switch(source, "release-records", default=defaults.release_records)


def followed(source: Source) -> str:
    """Return the repositories that the host follows; `off` for none."""
    try:
        text = source.read(computed.OURS, computed.GLOBAL, follow_property.NAME)
    except errors.UnreadableError as error:
        source.unread.append((follow_property.NAME, str(error)))
        return follow_property.OFF
    found, _ = follow_property.parse(text)
    return ",".join(found) or follow_property.OFF


def kept(source: Source, defaults: Defaults) -> tuple[keeping.Keep, str]:
    """Return which superseded releases keep their names, and why all of them do."""
    text = source.ours("keep-releases")
    found = keeping.parse(text) if text else None
    if found is not None:
        return found, ""
    if text:
        source.mistakes.append(
            f"keep-releases: {text!r} is neither a number nor an age such as 30d"
        )
    kept_by = other_plugins.cleanup_off_by(
        source.app, source.read, by_variable=defaults.skip_cleanup
    )
    return keeping.Keep(defaults.keep_releases), kept_by


def kept_remote(source: Source) -> keeping.Keep | None:
    """Return which superseded releases a registry keeps; None for all."""
    text = source.ours("keep-remote")
    found = keeping.parse(text) if text not in {"", keeping.ALL} else None
    if found is None and text not in {"", keeping.ALL}:
        # A deploy need not wait for its correction, since nothing goes meanwhile.
        source.left_out.append(
            f"keep-remote: {text!r} ignored, as it is neither a number nor an age such"
            " as 30d, nor all"
        )
    return found


def _switch(source: Source, name: str, *, default: bool) -> bool:
    text = source.ours(name)
    if text not in {"", "on", "off"}:
        source.mistakes.append(f"{name}: {text!r} is neither on nor off")
        return default
    return default if not text else text == "on"


def _mirror_text(source: Source) -> tuple[str, bool]:
    """Return the property, and whether it is the global one."""
    try:
        own = source.read(computed.OURS, source.app, "mirror").strip()
        if own or source.app == computed.GLOBAL:
            return own, False
        return source.read(computed.OURS, computed.GLOBAL, "mirror").strip(), True
    except errors.UnreadableError as error:
        source.unread.append(("mirror", str(error)))
        return "", False


def _is_same(mirror: str, repository: str) -> bool:
    """Return whether both are one repository, however its registry is spelled."""
    try:
        places = [reference.parse(mirror), reference.parse(repository)]
    except errors.InvalidReferenceError:
        return mirror == repository
    return places[0].path == places[1].path and (
        reference.normalize_domain(places[0].domain)
        == reference.normalize_domain(places[1].domain)
    )
