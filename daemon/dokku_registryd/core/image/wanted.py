"""The wanted set: which image references must exist on this host, and the gaps in it.

Nothing here asks why a name is missing. A prune, a `docker rmi`, a new disk and an
event that we never saw all look the same: a wanted name that no image carries. A name
that leads to another image is a gap as well, where nobody but us gives that name: the
next container would run that image.
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
    """All that decides what one app needs."""

    policy: dokku_policy.AppPolicy
    deployed: DeployedRelease | None = None
    releases: tuple[Release, ...] = ()
    """The ledger's rows of this app, newest first."""
    deploying: tuple[DeployedRelease, ...] = ()
    """What deploys were told that have not ended, as far as we know."""


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
    is_exclusive: bool = False
    """Whether another image under this name is somebody else's, and wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The names and image IDs that are on this host."""

    names: Mapping[str, str]
    """Reference, as the Engine prints it, to image ID."""
    image_ids: frozenset[str]
    apps: Mapping[str, str] = field(default_factory=dict)
    """Image ID to the app that it was built for, where a label says so."""
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Image ID to all that names the same content."""
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
            identities={image.image_id: image.identities for image in listed},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retag:
    """The image is still here: give it its name back. No network is needed."""

    wanted: Wanted
    image_id: str
    leads_to: str = ""
    """The ID of another image that has the name; empty where none has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The image is gone: fetch it, by digest where one is recorded."""

    wanted: Wanted
    leads_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The name may not be pulled, and its image is not here."""

    wanted: Wanted
    leads_to: str = ""


Gap = Retag | Pull | Lost


def deployed_of(state: AppState) -> DeployedRelease | None:
    """Return the release that an app runs, recorded by us or implied by Dokku's files.

    An app that was switched to push-on-release and never released has none: Dokku's
    own plugin would invent number 1 here. One that runs a release without a push has
    none either, also where push is on by now.
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

    What is recorded is needed also where push is off by now: until a deploy without a
    push is live, every restart starts it by that name. From then on it starts Dokku's
    own names, of which Dokku's cleanup may take those that it asks for.

    Args:
        state: The app.
        schedulers: Those that keep images on this host.
    """
    if not state.policy.heal:
        return []
    deployed = deployed_of(state)
    # What runs comes first: it has the name that Dokku gives to the latest build.
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
    """Return the names that Dokku asks for of a release without a push.

    A build gives them, and no registry has them.
    """
    recorded, policy = state.deployed, state.policy
    if recorded is None or not recorded.is_local or not recorded.image_id:
        return []
    source = f"{policy.server}{policy.image_repo}:latest"
    try:
        reference.parse(source)
    except errors.InvalidReferenceError:
        return []  # Dokku asks for it in vain: no image can have it.
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
    if release is not None and release.scheduler not in schedulers:
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
    """Return the ledger's row of the deployed release, if there is one.

    Dokku may go by a number that was found to be taken while a deploy used it.
    """
    for release in state.releases:
        if release.reference == deployed.reference:
            return release
    return next((row for row in state.releases if row.goes_by(deployed)), None)


def _is_ours_alone(source: str, state: AppState) -> bool:
    """Tell whether nobody but us gives the deployed name on this host.

    Dokku's own plugin does where it is in charge, and its numbers may come again; then
    there is no record of ours. Dokku itself builds `dokku/APP:N` at `ps:start`. The
    name without the registry is Dokku's habit, and starts nothing: it may be anybody's
    (`redis:7`).
    """
    return state.deployed is not None and not source.startswith(_DOKKUS_OWN)


def gaps(wanted: Iterable[Wanted], observed: Observed) -> list[Gap]:
    """Return what is missing and how each piece can come back."""
    found = (_gap(entry, observed) for entry in wanted)
    return [gap for gap in found if gap is not None]


def engine_name(name: str) -> str:
    """Return a reference as the Engine lists it: Docker Hub's host is left out."""
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
    # What has taken our name was put there by somebody: no tag can prove what is ours.
    if entry.may_pull and (entry.digest or not leads_to):
        return Pull(wanted=entry, leads_to=leads_to)
    return Lost(wanted=entry, leads_to=leads_to)


def _is_same(entry: Wanted, image_id: str, observed: Observed) -> bool:
    """Tell whether an image is the wanted one, or cannot be told from it."""
    ours = {entry.image_id, entry.digest} - {""}
    if not ours:
        return True
    known = observed.identities.get(image_id, frozenset()) | {image_id}
    recorded = observed.identities.get(entry.image_id, frozenset())
    return not known.isdisjoint(ours) or image_id in recorded


def _ours(entry: Wanted, observed: Observed) -> str:
    """Return the ID of the wanted image if it is here, empty if not."""
    if entry.image_id in observed.image_ids:
        return entry.image_id
    if entry.digest:
        for image_id, known in observed.identities.items():
            if entry.digest in known:
                return image_id
    if entry.image_id or entry.digest:
        return ""
    # Nobody recorded what it is: what has the deployed name has the others too.
    return observed.names.get(engine_name(entry.source), "")
