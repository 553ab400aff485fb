"""The local names of images that this host keeps for releases of other hosts.

Such a name says whose release it is, so that the Engine's own list is the only record
of what is kept: nothing has to agree with it after a crash. Its host is one that no
name service resolves (RFC 2606, `invalid`), so that neither a push nor a pull by
mistake leaves the machine, and no registry can give it. Names of hosts and apps are
foreign texts: they are cut, and their hashes tell them apart. A tag is never a number,
so no name looks like a release of this host.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.image.images import LocalImage
from dokku_registryd.core.release.release_records import ReleaseRecord

HOST: Final = "followed.dokku-registryd.invalid"
_SHORT: Final = 12  # characters of a digest in a tag
_MARK: Final = 10  # characters of a hash
_MOST_SHOWN: Final = 40  # characters of one foreign text
_OTHER = re.compile(r"[^a-z0-9]+", re.ASCII)
_NAME = re.compile(
    rf"{re.escape(HOST)}/[a-z0-9-]+-(?P<repository>[0-9a-f]{{{_MARK}}})"
    rf"/[a-z0-9-]+-(?P<place>[0-9a-f]{{{_MARK}}})"
    rf":(?P<number>[0-9]{{1,19}})-(?P<digest>[0-9a-f]{{{_SHORT}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One name of this kind on this host."""

    name: str
    repository: str
    """The mark of the repository."""
    place: str
    """The mark of app and host in it."""
    number: int
    image_id: str = ""
    others: tuple[str, ...] = ()
    """The other names of the image, of any owner."""
    digests: tuple[str, ...] = ()
    """The Engine's names of the image by digest: `repository@digest`."""


def name_of(repository: str, record: ReleaseRecord) -> str:
    """Return the name under which the release of another host is kept.

    Args:
        repository: The followed repository, with its registry.
        record: The release; its digest is one of SHA-2.
    """
    short = record.digest.partition(":")[2][:_SHORT]
    shown = f"{_plain(record.host)}-{_plain(record.app)}"
    return (
        f"{HOST}/{_plain(repository)}-{mark_of_repository(repository)}"
        f"/{shown}-{mark_of_place(record)}:{record.number}-{short}"
    )


def mark_of_repository(repository: str) -> str:
    """Return what all names of a followed repository have in common."""
    return _mark(repository)


def mark_of_place(record: ReleaseRecord) -> str:
    """Return what all releases of an app on one host have in common."""
    return _mark(record.app, record.host)


def kept_of(listed: Iterable[LocalImage]) -> Iterator[Kept]:
    """Yield the names of this kind in a listing of the Engine."""
    for image in listed:
        for name in image.references:
            found = _NAME.fullmatch(name)
            if found is not None:
                yield Kept(
                    name=name,
                    repository=found["repository"],
                    place=found["place"],
                    number=int(found["number"]),
                    image_id=image.image_id,
                    others=tuple(one for one in image.references if one != name),
                    digests=image.repo_digests,
                )


def _plain(text: str) -> str:
    return _OTHER.sub("-", text.lower()).strip("-")[:_MOST_SHOWN].strip("-") or "x"


def _mark(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:_MARK]
