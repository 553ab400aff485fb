"""The policy of an app, computed from Dokku's properties and ours.

The rules, odd ones included, are those of Dokku 0.38.27 (`plugins/registry`,
functions.go and report.go): the app's values are trimmed, the global ones are not, so
a global `true` followed by a line break means off.
"""

from dataclasses import dataclass, field
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import (
    computed,
    core_properties,
    keeping,
    other_plugins,
    own_properties,
)
from dokku_registryd.core.dokku.property_source import Source
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
Defaults = own_properties.Defaults
parse_seconds = keeping.parse_seconds
span = keeping.span

ALL: Final = keeping.ALL
"""The computed `keep-releases` of an app whose superseded releases keep their names."""


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


def resolve(app: str, read: Reader, defaults: Defaults) -> AppPolicy:
    """Compute one app's policy.

    Args:
        app: The app's name.
        read: Returns a property's raw text: (plugin folder, app or `--global`, name).
        defaults: The values from the settings.

    Raises:
            UnreadableError: A property that Dokku's own plugin has too is unreadable.
    """
    source = Source(app, read)
    server_text = read(CORE, app, "server") or read(CORE, GLOBAL, "server")
    place = core_properties.without_login(source, "server", server(server_text))
    repository = core_properties.without_login(
        source, "image-repo", core_properties.image_repo(source)
    )
    return AppPolicy(
        app=app,
        push_on_release=source.core_or_global("push-on-release") == "true",
        server=place,
        image_repo=repository,
        extra_tags=core_properties.extra_tags(source),
        tag_version=core_properties.tag_version(source),
        push_in_background=own_properties.is_in_background(source, defaults),
        push_deadline_seconds=own_properties.deadline(source, defaults),
        heal=own_properties.heal(source, defaults),
        holds=own_properties.holds(source),
        keep_releases=(kept := own_properties.kept(source, defaults))[0].count,
        keep_seconds=kept[0].seconds,
        mirror=own_properties.mirror(source, place, repository),
        names_kept_by=kept[1],
        release_records=own_properties.records(source, defaults),
        keep_remote=own_properties.kept_remote(source),
        scheduler=other_plugins.selected_scheduler(app, read),
        mistakes=tuple(source.mistakes),
        unread=tuple(source.unread),
        left_out=tuple(source.left_out),
    )


def deadline_seconds(app: str, read: Reader, defaults: Defaults) -> float:
    """Return how long a deploy waits; the default if that is unreadable."""
    return own_properties.deadline(Source(app, read), defaults)


def own_values(app: str, read: Reader, defaults: Defaults) -> dict[str, str]:
    """Return the effective values of our own properties as text.

    Args:
        app: The app's name, or `--global`.
        read: As for `resolve`.
        defaults: The values from the settings.
    """
    source = Source(app, read)
    kept, kept_by = own_properties.kept(source, defaults)
    kept_remote = own_properties.kept_remote(source)
    return {
        "follow": own_properties.followed(source),
        "heal": "on" if own_properties.heal(source, defaults) else "off",
        "hold": release_holds.render(own_properties.holds(source)),
        "keep-releases": ALL if kept_by else str(kept),
        "keep-remote": ALL if kept_remote is None else str(kept_remote),
        "mirror": own_properties.shown_mirror(source),
        "push-deadline": span(own_properties.deadline(source, defaults)),
        "push-policy": own_properties.push_policy(source, defaults),
        "release-records": "on" if own_properties.records(source, defaults) else "off",
    }
