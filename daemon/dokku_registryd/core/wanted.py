"""The wanted set: which image references must exist on this host, and the gaps in it.

Nothing here asks why a name is missing. A prune, a `docker rmi`, a new disk and an
event that we never saw all look the same: a wanted name that no image carries.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dokku_registryd.core import images, properties, reference
from dokku_registryd.core.releases import DeployedRelease, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """All that decides what one app needs."""

    policy: properties.AppPolicy
    deployed: DeployedRelease | None = None
    releases: tuple[Release, ...] = ()
    """The ledger's rows of this app, newest first: all, or those that matter here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One reference that must exist."""

    app: str
    reference: str
    source: str
    """The deployed reference: where a pull would get the image from."""
    image_id: str = ""
    """What the Engine called the image; empty where nobody recorded it."""
    digest: str = ""
    """What the registry has confirmed; empty where nobody recorded it."""
    may_pull: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The names and image IDs that are on this host."""

    names: Mapping[str, str]
    """Reference, as the Engine prints it, to image ID."""
    image_ids: frozenset[str]
    apps: Mapping[str, str] = field(default_factory=dict)
    """Image ID to the app that it was built for, where a label says so."""
    name_counts: Mapping[str, int] = field(init=False)
    """Image ID to how many names it has."""

    def __post_init__(self) -> None:
        """Count once what is asked of every app."""
        object.__setattr__(self, "name_counts", Counter(self.names.values()))

    @classmethod
    def of(cls, listing: Iterable[images.LocalImage]) -> "Observed":
        """Build it from one listing of the Engine."""
        listed = list(listing)
        return cls(
            names={
                name: image.image_id for image in listed for name in image.references
            },
            image_ids=frozenset(image.image_id for image in listed),
            apps={image.image_id: image.app for image in listed if image.app},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retag:
    """The image is still here: give it its name back. No network is needed."""

    wanted: Wanted
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The image is gone: fetch it, by digest where one is recorded."""

    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The name may not be pulled, and its image is not here."""

    wanted: Wanted


Gap = Retag | Pull | Lost


def deployed_of(state: AppState) -> DeployedRelease | None:
    """Return the release that an app runs, recorded by us or implied by Dokku's files.

    An app that was switched to push-on-release and never released has none: Dokku's
    own plugin would invent number 1 here.
    """
    if state.deployed is not None:
        return state.deployed
    policy = state.policy
    if not policy.push_on_release or policy.last_number < 1:
        return None
    return DeployedRelease(
        server=policy.server,
        image_repo=policy.image_repo,
        number=policy.last_number,
    )


def wanted_of(state: AppState, schedulers: Sequence[str]) -> list[Wanted]:
    """Return the references that one app needs on this host.

    Args:
        state: The app.
        schedulers: Those that keep images on this host.
    """
    deployed = deployed_of(state)
    if deployed is None or not state.policy.push_on_release or not state.policy.heal:
        return []
    release = release_of(state, deployed)
    if release is not None and release.scheduler not in schedulers:
        return []
    app = state.policy.app
    source = deployed.reference
    pullable = (source, deployed.local_reference)
    digest = _digest_of(state, release) if release else ""
    by_retag = (f"dokku/{app}:{deployed.number}", f"dokku/{app}:latest")
    return [
        Wanted(
            app=app,
            reference=name,
            source=source,
            image_id=release.image_id if release else "",
            digest=digest,
            may_pull=name in pullable,
        )
        for name in dict.fromkeys((*pullable, *by_retag))
    ]


def _digest_of(state: AppState, release: Release) -> str:
    """Return under which digest the registry has a release, by whatever number.

    A release of an image that was pushed before may go on while the registry is away:
    only its number is late, and its content is there already.
    """
    known = (
        older.digest
        for older in state.releases
        if older.image_id == release.image_id
        and older.repository == release.repository
        and older.digest
    )
    return release.digest or next(known, "")


def release_of(state: AppState, deployed: DeployedRelease) -> Release | None:
    """Return the ledger's row of the deployed release, if there is one."""
    for release in state.releases:
        if release.reference == deployed.reference:
            return release
    return None


def gaps(wanted: Iterable[Wanted], observed: Observed) -> list[Gap]:
    """Return what is missing and how each piece can come back."""
    return [
        _gap(entry, observed)
        for entry in wanted
        if engine_name(entry.reference) not in observed.names
    ]


def engine_name(name: str) -> str:
    """Return a reference as the Engine lists it: Docker Hub's host is left out."""
    host, slash, path = name.partition("/")
    is_on_hub = slash and host in reference.HUB_HOSTS
    return (path if is_on_hub else name).removeprefix("library/")


def _gap(entry: Wanted, observed: Observed) -> Gap:
    image_id = entry.image_id or observed.names.get(engine_name(entry.source), "")
    if image_id in observed.image_ids:
        return Retag(wanted=entry, image_id=image_id)
    return Pull(wanted=entry) if entry.may_pull else Lost(wanted=entry)
