"""The wanted set: which image references must exist on this host, and the gaps in it.

Nothing here asks why a name is missing. A prune, a `docker rmi`, a new disk and an
event that we never saw all look the same: a wanted name that no image carries.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dokku_registryd.core import images, properties, releases
from dokku_registryd.core.releases import DeployedRelease, Release, ReleaseState


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """All that decides what one app needs."""

    policy: properties.AppPolicy
    deployed: DeployedRelease | None = None
    releases: tuple[Release, ...] = ()
    """The ledger's rows of this app, newest first."""


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

    @classmethod
    def of(cls, listing: Iterable[images.LocalImage]) -> "Observed":
        """Build it from one listing of the Engine."""
        listed = list(listing)
        return cls(
            names={
                name: image.image_id for image in listed for name in image.references
            },
            image_ids=frozenset(image.image_id for image in listed),
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
    pullable = (deployed.reference, deployed.local_reference)
    by_retag = (f"dokku/{app}:{deployed.number}", f"dokku/{app}:latest")
    return [
        Wanted(
            app=app,
            reference=name,
            source=deployed.reference,
            image_id=release.image_id if release else "",
            digest=release.digest if release else "",
            may_pull=name in pullable,
        )
        for name in dict.fromkeys((*pullable, *by_retag))
    ]


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


def engine_name(reference: str) -> str:
    """Return a reference as the Engine lists it: Docker Hub's host is left out."""
    return reference.removeprefix("docker.io/").removeprefix("library/")


def _gap(entry: Wanted, observed: Observed) -> Gap:
    image_id = entry.image_id or observed.names.get(engine_name(entry.source), "")
    if image_id in observed.image_ids:
        return Retag(wanted=entry, image_id=image_id)
    return Pull(wanted=entry) if entry.may_pull else Lost(wanted=entry)


def needless(
    state: AppState,
    observed: Observed,
    containers: Iterable[images.LocalContainer],
    needed: frozenset[str],
) -> list[str]:
    """Return the names of superseded releases that may be taken away.

    Of each superseded image one name stays, so that Dokku's own retirement can remove
    it: an image with two names it never removes. An image that a container uses, or
    that any app's wanted set or unconfirmed push needs, keeps all of its names.

    Args:
        state: The app whose releases are looked at.
        observed: What is on this host.
        containers: Every container on this host.
        needed: Image IDs and references that something still needs.
    """
    deployed = deployed_of(state)
    if deployed is None:
        return []
    used = {entry.image_id for entry in containers} | set(needed)
    older = [
        release
        for release in state.releases
        if release.number < deployed.number and release.state in _SETTLED
    ]
    names: list[str] = []
    for release in older[state.policy.keep_releases :]:
        names += _spare_names(release, observed, used)
    return names


_SETTLED = frozenset({ReleaseState.PUSHED, ReleaseState.FAILED, ReleaseState.DROPPED})


def _spare_names(
    release: releases.Release, observed: Observed, used: set[str]
) -> list[str]:
    image_id = release.image_id
    if image_id in used:
        return []
    ours = [
        name
        for name in map(engine_name, release.names)
        if observed.names.get(name) == image_id and name not in used
    ]
    others = [
        name
        for name, owner in observed.names.items()
        if owner == image_id and name not in ours
    ]
    return ours if others else ours[:-1]
