"""The images that one app needs on its host, and those that it has left there.

They follow from the app's files and releases, so they may be cached as long as these do
not change. They are small, however many releases the app has had: of superseded ones
only those with local images are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokku_registryd.core.image import images, leftovers, spares, wanted
from dokku_registryd.core.release import mirrors
from dokku_registryd.core.release.releases import Release, ReleaseState

_UNCONFIRMED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Need:
    """The needs of one app, and its leftovers."""

    entries: tuple[wanted.Wanted, ...] = ()
    """The references that must exist here."""
    unconfirmed: tuple[str, ...] = ()
    """IDs of images whose push is not done."""
    images: tuple[str, ...] = ()
    """IDs of the local images of its releases."""
    left: tuple[leftovers.Leftover, ...] = ()
    """The names of these images that superseded releases left."""
    pushed: Release | None = None
    """The deployed release, if its digest is recorded."""
    superseded: tuple[spares.Spare, ...] = ()
    """The local images of superseded releases."""
    mirrored: tuple[mirrors.Wanted, ...] = ()
    """The releases that its mirror should have."""
    is_recorded: bool = False
    """Whether other hosts are told of it, by a record in the registry."""
    is_known: bool = True
    """False if the app's files cannot be read."""


NOTHING = Need()
"""The needs of the many apps that are never pushed."""


def need_of(
    state: wanted.AppState, schedulers: Sequence[str], here: frozenset[str]
) -> Need:
    """Compute the needs of one app.

    Args:
        state: The app.
        schedulers: The schedulers that keep images on this host.
        here: The IDs of the images on this host. A release whose image is gone is
            omitted: `unclaimed_images` finds images that come back.
    """
    unconfirmed = dict.fromkeys(
        release.image_id for release in state.releases if release.state in _UNCONFIRMED
    )
    images_here = dict.fromkeys(
        release.image_id for release in state.releases if release.image_id in here
    )
    left = leftovers.leftovers_of(state, schedulers)
    deployed = wanted.deployed_of(state)
    pushed = wanted.release_of(state, deployed) if deployed else None
    return Need(
        entries=tuple(wanted.wanted_of(state, schedulers)),
        unconfirmed=tuple(unconfirmed),
        images=tuple(images_here),
        left=tuple(entry for entry in left if entry.image_id in here),
        pushed=pushed if pushed is not None and pushed.digest else None,
        superseded=tuple(
            one for one in spares.spares_of(state) if one.image_id in here
        ),
        mirrored=mirrors.wanted_of(state),
        is_recorded=state.policy.release_records,
    )


def unknown(releases: Iterable[Release], here: frozenset[str]) -> Need:
    """Return the needs of an app with unreadable files: all of its images.

    Args:
        releases: The app's releases.
        here: The IDs of the images on this host.
    """
    found = dict.fromkeys(
        release.image_id for release in releases if release.image_id in here
    )
    return Need(unconfirmed=tuple(found), images=tuple(found), is_known=False)


def needed(
    needs: Iterable[Need], containers: Iterable[images.LocalContainer]
) -> frozenset[str]:
    """Return the image IDs and names that an app or a container needs."""
    found: set[str] = set()
    for need in needs:
        found.update(need.unconfirmed)
        for entry in need.entries:
            found.add(wanted.engine_name(entry.reference))
            found.add(entry.image_id)
    for container in containers:
        found.add(wanted.engine_name(container.image))
        found.add(container.image_id)
    return frozenset(found - {""})


def unclaimed_images(
    found: Iterable[Need], observed: wanted.Observed, needed: frozenset[str]
) -> set[str]:
    """Return the IDs of images that may belong to a release unknown to the cache.

    A release has a number as tag, and needed images stay anyway. This leaves few images
    of a host, so asking the ledger for their releases is cheap.
    """
    known = {image_id for need in found for image_id in need.images}
    return {
        image_id
        for name, image_id in observed.names.items()
        if image_id not in needed
        and image_id not in known
        and name.rpartition(":")[2].isdigit()
    }
