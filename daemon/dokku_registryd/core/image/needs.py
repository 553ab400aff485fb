"""What one app needs of its host, and what it has left there.

It follows from the app's files and releases, so it may be remembered for as long as
those stay as they are. It is little, however many releases the app has had: what is
kept in mind of superseded ones is bounded by the images that are here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokku_registryd.core.image import images, leftovers, wanted
from dokku_registryd.core.release.releases import Release, ReleaseState

_UNCONFIRMED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Need:
    """What one app needs, and what it does not need any more."""

    entries: tuple[wanted.Wanted, ...] = ()
    """The references that must exist here."""
    unconfirmed: tuple[str, ...] = ()
    """IDs of images whose push is not done."""
    images: tuple[str, ...] = ()
    """IDs of the images of its releases, as far as they are here."""
    left: tuple[leftovers.Leftover, ...] = ()
    """What superseded releases left of these images."""


NOTHING = Need()
"""What the many apps need that are never pushed."""


def need_of(
    state: wanted.AppState, schedulers: Sequence[str], here: frozenset[str]
) -> Need:
    """Work out what one app needs.

    Args:
        state: The app.
        schedulers: Those that keep images on this host.
        here: The IDs of the images on this host. Of a release whose image is gone
            nothing is kept in mind: `unclaimed_images` finds images that come back.
    """
    unconfirmed = dict.fromkeys(
        release.image_id for release in state.releases if release.state in _UNCONFIRMED
    )
    images_here = dict.fromkeys(
        release.image_id for release in state.releases if release.image_id in here
    )
    left = leftovers.leftovers_of(state, schedulers)
    return Need(
        entries=tuple(wanted.wanted_of(state, schedulers)),
        unconfirmed=tuple(unconfirmed),
        images=tuple(images_here),
        left=tuple(entry for entry in left if entry.image_id in here),
    )


def unknown(releases: Iterable[Release], here: frozenset[str]) -> Need:
    """Return what an app needs of which the files cannot be read: all that it has.

    Args:
        releases: The app's releases.
        here: The IDs of the images on this host.
    """
    found = dict.fromkeys(
        release.image_id for release in releases if release.image_id in here
    )
    return Need(unconfirmed=tuple(found), images=tuple(found))


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
    """Return the IDs of images that may be of some release that nobody has in mind.

    A release has a number for a tag, and what is needed stays anyhow. Hardly any image
    of a host is left, so it is worth a question to the ledger whose it is.
    """
    known = {image_id for need in found for image_id in need.images}
    return {
        image_id
        for name, image_id in observed.names.items()
        if image_id not in needed
        and image_id not in known
        and name.rpartition(":")[2].isdigit()
    }
