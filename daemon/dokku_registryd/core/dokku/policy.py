"""The policy of an app, computed from Dokku's properties and ours.

The rules, odd ones included, are those of Dokku 0.38.27 (`plugins/registry`,
functions.go and report.go): the app's values are trimmed, the global ones are not, so
a global `true` followed by a line break means off.
"""

import importlib
import itertools
from dataclasses import dataclass, field
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import (
    computed,
    keeping,
    mirror_property,
    other_plugins,
    tag_lists,
)
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import holds as release_holds
from dokku_registryd.core.release import numbering
from dokku_registryd.core.release.holds import Holds

# A separate module has the part for reports, so that they start fast.
GLOBAL: Final = computed.GLOBAL
CORE: Final = computed.CORE
OURS: Final = computed.OURS
Reader = computed.Reader
server = computed.server
image_repo = computed.image_repo
parse_seconds = keeping.parse_seconds
span = keeping.span

ALL: Final = keeping.ALL
"""The computed `keep-releases` of an app whose superseded releases keep their names."""

_RELEASE: Final = "dokku_registryd.core.release"
_WAIT = "wait"
_BACKGROUND = "background"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPolicy:
    """The effective values of one app's properties."""

    app: str
    push_on_release: bool
    server: str
    """Empty for Docker Hub; otherwise with a trailing slash."""
    image_repo: str
    extra_tags: tuple[str, ...]
    """Tags and templates of tags (`core.release.tag_templates`)."""
    tag_version: str
    """Raw text of Dokku's counter; empty for an app that was never pushed."""
    push_in_background: bool
    push_deadline_seconds: float
    heal: bool
    keep_releases: int
    keep_seconds: float = 0.0
    """How long a superseded release keeps its local names, beyond `keep_releases`."""
    keep_remote: keeping.Keep | None = None
    """Which superseded releases their registry keeps; None for all."""
    holds: Holds = field(default_factory=Holds)
    """The releases that nothing may remove, and whether the app is held."""
    mirror: str = ""
    """The repository of its mirror, with its registry; empty for none."""
    names_kept_by: str = ""
    """Why all superseded releases keep their names; empty if `keep_releases` counts."""
    release_records: bool = False
    """Whether other hosts are told of its releases, by records in the registry."""
    scheduler: str = ""
    """The scheduler of the next deploy; empty if it cannot be read."""
    mistakes: tuple[str, ...] = ()
    """Invalid values, each with its property and a hint."""
    unread: tuple[tuple[str, str], ...] = ()
    """Our unreadable properties, and why; their defaults are used."""
    left_out: tuple[str, ...] = ()
    """Ignored values, each with its property and a hint."""

    @property
    def last_number(self) -> int:
        """The counter as a number; 0 if it is missing or unreadable."""
        return numbering.whole_number(self.tag_version.strip()) or 0

    def require(self, *wanted: str) -> None:
        """Raise if defaults are used for our unreadable properties.

        Raises:
            UnreadableError: One of them exists but cannot be read.
        """
        for name, why in self.unread:
            if name in wanted:
                raise errors.UnreadableError(why)


@dataclass(slots=True)
class _Source:
    """Reads properties of one app and collects their mistakes."""

    app: str
    read: Reader
    mistakes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def core(self, name: str) -> str:
        return self.read(CORE, self.app, name).strip()

    def core_or_global(self, name: str) -> str:
        return self.core(name) or self.read(CORE, GLOBAL, name)

    def ours(self, name: str) -> str:
        # Our own properties must not prevent what Dokku's plugin would do.
        try:
            value = self.read(OURS, self.app, name).strip()
            return value or self.read(OURS, GLOBAL, name).strip()
        except errors.UnreadableError as error:
            self.unread.append((name, str(error)))
            return ""

    def own(self, name: str) -> str:
        """Return a property of ours that has no global value."""
        try:
            return self.read(OURS, self.app, name).strip()
        except errors.UnreadableError as error:
            self.unread.append((name, str(error)))
            return ""


def resolve(app: str, read: Reader, defaults: Defaults) -> AppPolicy:
    """Compute one app's policy.

    Args:
        app: The app's name.
        read: Returns a property's raw text: (plugin folder, app or `--global`, name).
        defaults: The values from the settings.

    Raises:
            UnreadableError: A property that Dokku's own plugin has too is unreadable.
    """
    source = _Source(app, read)
    server_text = read(CORE, app, "server") or read(CORE, GLOBAL, "server")
    place = _without_login(source, "server", server(server_text))
    repository = _without_login(source, "image-repo", _image_repo(source))
    return AppPolicy(
        app=app,
        push_on_release=source.core_or_global("push-on-release") == "true",
        server=place,
        image_repo=repository,
        extra_tags=_extra_tags(source),
        tag_version=_tag_version(source),
        push_in_background=_policy(source, defaults.push_policy) == _BACKGROUND,
        push_deadline_seconds=_deadline(source, defaults.push_deadline_seconds),
        heal=_switch(source, "heal", default=defaults.heal),
        holds=_holds(source),
        keep_releases=(kept := _kept(source, defaults))[0].count,
        keep_seconds=kept[0].seconds,
        mirror=_mirror(source, place, repository),
        names_kept_by=kept[1],
        release_records=_records(source, defaults),
        keep_remote=_kept_remote(source),
        scheduler=other_plugins.selected_scheduler(app, read),
        mistakes=tuple(source.mistakes),
        unread=tuple(source.unread),
        left_out=tuple(source.left_out),
    )


def deadline_seconds(app: str, read: Reader, defaults: Defaults) -> float:
    """Return how long a deploy waits; the default if that is unreadable."""
    return _deadline(_Source(app, read), defaults.push_deadline_seconds)


def own_values(app: str, read: Reader, defaults: Defaults) -> dict[str, str]:
    """Return the effective values of our own properties as text.

    Args:
        app: The app's name, or `--global`.
        read: As for `resolve`.
        defaults: The values from the settings.
    """
    source = _Source(app, read)
    kept, kept_by = _kept(source, defaults)
    kept_remote = _kept_remote(source)
    return {
        "heal": "on" if _switch(source, "heal", default=defaults.heal) else "off",
        "hold": release_holds.render(_holds(source)),
        "keep-releases": ALL if kept_by else str(kept),
        "keep-remote": ALL if kept_remote is None else str(kept_remote),
        "mirror": _shown_mirror(source),
        "push-deadline": span(_deadline(source, defaults.push_deadline_seconds)),
        "push-policy": _policy(source, defaults.push_policy),
        "release-records": "on" if _records(source, defaults) else "off",
    }


def is_numeric(tag: str) -> bool:
    """Return whether a tag could be the number of a release."""
    return tag.isascii() and tag.isdigit()


def _without_login(source: _Source, name: str, value: str) -> str:
    """Remove a login from an address: it is not used there, and reports show it."""
    bare = computed.without_login(value)
    if bare != value:
        source.mistakes.append(
            f"{name}: {bare} contains a login. Set it again without the part before"
            f" the @, with dokku registry:set {source.app} {name}, and log in with"
            f" dokku registry:login"
        )
    return bare


def _image_repo(source: _Source) -> str:
    try:
        return image_repo(source.app, source.read)
    except errors.UnreadableError:
        raise
    except errors.RegistrydError as error:
        source.mistakes.append(f"image-repo-template: {error}")
        return f"dokku/{source.app}"


def _extra_tags(source: _Source) -> tuple[str, ...]:
    whole = source.core_or_global("push-extra-tags")
    texts = [text.strip() for text in tag_lists.split(whole)]
    tags = dict.fromkeys(text for text in texts if text)
    for template in filter(tag_lists.is_template, list(tags)):
        # Most apps have none, and its import takes longer than all other properties.
        templates = importlib.import_module(f"{_RELEASE}.tag_templates")
        if objection := templates.objection(template, source.app):
            source.left_out.append(f"push-extra-tags: {objection}")
            del tags[template]
    for tag in itertools.filterfalse(tag_lists.is_template, tags):
        if not reference.is_tag(tag):
            source.mistakes.append(f"push-extra-tags: {tag!r} is not a valid tag")
    if numbers := [tag for tag in tags if is_numeric(tag)]:
        # Dokku's own plugin would overwrite the release of that number.
        source.left_out.append(
            f"push-extra-tags: {', '.join(numbers)} ignored, as numbers are the tags of"
            f" releases; use v{numbers[0]} instead"
        )
    return tuple(tag for tag in tags if not is_numeric(tag))


def _tag_version(source: _Source) -> str:
    raw = source.read(CORE, source.app, "tag-version")
    text = raw.strip()
    is_number = text.isascii() and text.isdigit()
    if is_number and numbering.whole_number(text) is None:
        # Dokku's message; a release refuses a text that is not a number the same way.
        source.mistakes.append(
            f"tag-version: Unable to convert existing tag version ({text}) to integer:"
            f' strconv.Atoi: parsing "{text}": value out of range'
        )
    return raw


def _policy(source: _Source, default: str) -> str:
    value = source.ours("push-policy") or default
    if value not in {_WAIT, _BACKGROUND}:
        source.mistakes.append(f"push-policy: {value!r} is neither wait nor background")
        return default
    return value


def _deadline(source: _Source, default: float) -> float:
    text = source.ours("push-deadline")
    seconds = parse_seconds(text) if text else default
    if seconds is None:
        source.mistakes.append(f"push-deadline: {text!r} is not a duration such as 15m")
        return default
    return seconds


def _switch(source: _Source, name: str, *, default: bool) -> bool:
    text = source.ours(name)
    if text not in {"", "on", "off"}:
        source.mistakes.append(f"{name}: {text!r} is neither on nor off")
        return default
    return default if not text else text == "on"


def _holds(source: _Source) -> Holds:
    found, mistake = release_holds.parse(source.own("hold"))
    if mistake:
        source.mistakes.append(
            f"hold: {mistake!r} begins with neither all nor a number"
        )
    return found


def _mirror(source: _Source, place: str | None, image_repo: str) -> str:
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


def _mirror_text(source: _Source) -> tuple[str, bool]:
    """Return the property, and whether it is the global one."""
    try:
        own = source.read(OURS, source.app, "mirror").strip()
        if own or source.app == GLOBAL:
            return own, False
        return source.read(OURS, GLOBAL, "mirror").strip(), True
    except errors.UnreadableError as error:
        source.unread.append(("mirror", str(error)))
        return "", False


def _shown_mirror(source: _Source) -> str:
    text, is_shared = _mirror_text(source)
    if not is_shared or not text or text == mirror_property.OFF:
        return computed.without_login(text) or mirror_property.OFF
    try:
        return _mirror(source, None, _image_repo(source)) or mirror_property.OFF
    except errors.UnreadableError:
        return computed.without_login(text)


def _records(source: _Source, defaults: Defaults) -> bool:
    return _switch(source, "release-records", default=defaults.release_records)


def _kept(source: _Source, defaults: Defaults) -> tuple[keeping.Keep, str]:
    """Return which superseded releases keep their names, and why all of them do."""
    text = source.ours("keep-releases")
    kept = keeping.parse(text) if text else None
    if kept is not None:
        return kept, ""
    if text:
        source.mistakes.append(
            f"keep-releases: {text!r} is neither a number nor an age such as 30d"
        )
    kept_by = other_plugins.cleanup_off_by(
        source.app, source.read, by_variable=defaults.skip_cleanup
    )
    return keeping.Keep(defaults.keep_releases), kept_by


def _kept_remote(source: _Source) -> keeping.Keep | None:
    """Return which superseded releases a registry keeps; None for all."""
    text = source.ours("keep-remote")
    kept = keeping.parse(text) if text not in {"", ALL} else None
    if kept is None and text not in {"", ALL}:
        # A deploy need not wait for its correction, since nothing goes meanwhile.
        source.left_out.append(
            f"keep-remote: {text!r} ignored, as it is neither a number nor an age such"
            " as 30d, nor all"
        )
    return kept
