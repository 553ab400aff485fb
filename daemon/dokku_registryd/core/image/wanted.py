"""The wanted set: the image references that must exist on this host, and its gaps.

The reason of a missing name does not matter. A prune, a `docker rmi`, a new disk and a
missed event all look the same: no image has a wanted name. A name that points to
another image is a gap as well, if only we tag that name: the next container would run
that image.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.release.releases import DeployedRelease, Release

_DOKKUS_OWN: Final = "dokku/"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """All facts that decide the needs of one app."""

    policy: dokku_policy.AppPolicy
    deployed: DeployedRelease | None = None
    releases: tuple[Release, ...] = ()
    """The ledger's rows of this app, newest first."""
    deploying: tuple[DeployedRelease, ...] = ()
    """The replies to deploys that have not ended, as far as we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One reference that must exist."""

    app: str
    reference: str
    source: str
    """The deployed reference, which a pull would use."""
    image_id: str = ""
    """The Engine's image ID; empty if it was not recorded."""
    digest: str = ""
    """The confirmed digest; empty if it was not recorded."""
    may_pull: bool = True
    is_exclusive: bool = False
    """Whether another image with this name is foreign, and wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The names and image IDs that are on this host."""

    names: Mapping[str, str]
    """Reference, as the Engine prints it, to image ID."""
    image_ids: frozenset[str]
    apps: Mapping[str, str] = field(default_factory=dict)
    """Image ID to the app that it was built for, if a label says so."""
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Image ID to all identifiers of the same content."""
    name_counts: Mapping[str, int] = field(init=False)
    """Image ID to its number of names."""

    def __post_init__(self) -> None:
        """Compute once the values that every app needs."""
        object.__setattr__(self, "name_counts", Counter(self.names.values()))

    @classmethod
    def of(cls, listing: Iterable[images.LocalImage]) -> "Observed":
        """Return the state from one listing of the Engine."""
        listed = list(listing)
        return cls(
            names={
                name: image.image_id for image in listed for name in image.references
            },
            image_ids=frozenset(image.image_id for image in listed),
            apps={image.image_id: image.app for image in listed if image.app},
            identities={image.image_id: image.identities for image in listed},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retag:
    """The image is still here: tag it again. No network is needed."""

    wanted: Wanted
    image_id: str
    leads_to: str = ""
    """The ID of another image with the name; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The image is gone: pull it, by digest if one is recorded."""

    wanted: Wanted
    leads_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The name cannot be pulled, and its image is not here."""

    wanted: Wanted
    leads_to: str = ""


Gap = Retag | Pull | Lost


def deployed_of(state: AppState) -> DeployedRelease | None:
    """Return an app's deployed release, recorded by us or implied by Dokku's files.

    An app with push-on-release that was never released has none: Dokku's own plugin
    would invent number 1 here. An app whose release was not pushed has none either,
    even if push is on now.
    """
    if state.deployed is not None:
        return None if state.deployed.is_local else state.deployed
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

    A recorded release is needed even if push is off now: until a deploy without a push
    is live, every restart starts the recorded one. After that Dokku's own names are
    started, and Dokku's cleanup may remove those of our names that it asks for.

    Args:
        state: The app.
        schedulers: The schedulers that keep images on this host.
    """
    if not state.policy.heal:
        return []
    deployed = deployed_of(state)
    # The deployed release comes first: it has Dokku's name of the latest build.
    shown = [*([deployed] if deployed else []), *state.deploying]
    found = {
        entry.reference: entry
        for told in reversed(shown)
        for entry in _wanted_of(state, told, schedulers)
    }
    listed = sorted(found.values(), key=lambda entry: _place(entry, shown))
    local = _local_names(state)
    own = {entry.reference for entry in local}
    return [*local, *(entry for entry in listed if entry.reference not in own)]


def _local_names(state: AppState) -> list[Wanted]:
    """Return the names that Dokku asks for after a release without a push.

    A build tags them, and no registry has them.
    """
    recorded, policy = state.deployed, state.policy
    if recorded is None or not recorded.is_local or not recorded.image_id:
        return []
    source = f"{policy.server}{policy.image_repo}:latest"
    try:
        reference.parse(source)
    except errors.InvalidReferenceError:
        return []  # Dokku's question fails: no image can have the name.
    return [
        Wanted(
            app=policy.app,
            reference=name,
            source=source,
            image_id=recorded.image_id,
            may_pull=False,
        )
        for name in dict.fromkeys((source, f"{policy.image_repo}:latest"))
    ]


def _place(entry: Wanted, shown: Sequence[DeployedRelease]) -> int:
    return next(
        place for place, told in enumerate(shown) if told.reference == entry.source
    )


def _wanted_of(
    state: AppState, deployed: DeployedRelease, schedulers: Sequence[str]
) -> list[Wanted]:
    release = release_of(state, deployed)
    scheduler = release.scheduler if release else state.policy.scheduler
    if scheduler and scheduler not in schedulers:
        return []
    app = state.policy.app
    source = deployed.reference
    pullable = (source, deployed.local_reference)
    digest = (_digest_of(state, release) if release else "") or deployed.digest
    by_retag = (f"dokku/{app}:{deployed.number}", f"dokku/{app}:latest")
    return [
        Wanted(
            app=app,
            reference=name,
            source=source,
            image_id=release.image_id if release else deployed.image_id,
            digest=digest,
            may_pull=name in pullable,
            is_exclusive=name == source and _is_ours_alone(source, state),
        )
        for name in dict.fromkeys((*pullable, *by_retag))
    ]


def _digest_of(state: AppState, release: Release) -> str:
    """Return the digest of a release in the registry, under any number.

    A release of an already pushed image may continue while the registry is unavailable:
    only its number is delayed, and its content is already there.
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
    """Return the ledger's row of the deployed release, if there is one.

    Dokku may use a number that turned out to be taken while a deploy used it.
    """
    for release in state.releases:
        if release.reference == deployed.reference:
            return release
    return next((row for row in state.releases if row.goes_by(deployed)), None)


def _is_ours_alone(source: str, state: AppState) -> bool:
    """Return whether only we tag the deployed name on this host.

    If Dokku's own plugin is in charge, it tags the name too, and its numbers may recur;
    then we have no record. Dokku itself builds `dokku/APP:N` at `ps:start`. The name
    without the registry starts nothing, so it may belong to another program
    (`redis:7`).
    """
    return state.deployed is not None and not source.startswith(_DOKKUS_OWN)


def gaps(wanted: Iterable[Wanted], observed: Observed) -> list[Gap]:
    """Return the missing references, and how each can be restored."""
    found = (_gap(entry, observed) for entry in wanted)
    return [gap for gap in found if gap is not None]


def engine_name(name: str) -> str:
    """Return a reference as the Engine lists it: without Docker Hub's host."""
    host, slash, path = name.partition("/")
    is_on_hub = slash and host in reference.HUB_HOSTS
    return (path if is_on_hub else name).removeprefix("library/")


def _gap(entry: Wanted, observed: Observed) -> Gap | None:
    leads_to = observed.names.get(engine_name(entry.reference), "")
    if leads_to and (not entry.is_exclusive or _is_same(entry, leads_to, observed)):
        return None
    image_id = _ours(entry, observed)
    if image_id:
        return Retag(wanted=entry, leads_to=leads_to, image_id=image_id)
    # A foreign image has our name: no tag can prove which image is ours.
    if entry.may_pull and (entry.digest or not leads_to):
        return Pull(wanted=entry, leads_to=leads_to)
    return Lost(wanted=entry, leads_to=leads_to)


def _is_same(entry: Wanted, image_id: str, observed: Observed) -> bool:
    """Return whether an image may be the wanted one, by all known facts."""
    ours = {entry.image_id, entry.digest} - {""}
    if not ours:
        return True
    known = observed.identities.get(image_id, frozenset()) | {image_id}
    recorded = observed.identities.get(entry.image_id, frozenset())
    return not known.isdisjoint(ours) or image_id in recorded


def _ours(entry: Wanted, observed: Observed) -> str:
    """Return the ID of the local wanted image; empty if it is missing."""
    if entry.image_id in observed.image_ids:
        return entry.image_id
    if entry.digest:
        for image_id, known in observed.identities.items():
            if entry.digest in known:
                return image_id
    if entry.image_id or entry.digest:
        return ""
    # Its ID was not recorded: the image with the deployed name gets the others too.
    return observed.names.get(engine_name(entry.source), "")
