"""Release records: which host runs which release, written beside it there.

A record is an OCI artifact without content whose subject is the released manifest. All
that it says is in its annotations, so a list of referrers shows it without a further
request. Other hosts, and other programs, may write such records: what is read is
checked and cut.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.dokku import app_names
from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.registry import referrers
from dokku_registryd.core.release import numbering
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.text import foreign_text, terminal_text

ARTIFACT_TYPE: Final = "application/vnd.dokku-registryd.release.v1"
AGAIN_SECONDS: Final = 86_400.0
"""The time to the next attempt after a registry has refused a record."""
NEWEST: Final = 10
"""Numbers of a repository whose records are read."""
_CREATED: Final = "org.opencontainers.image.created"
_VERSION: Final = "org.opencontainers.image.version"
_REVISION: Final = "org.opencontainers.image.revision"
_APP: Final = "com.dokku.app-name"  # as in the labels of Dokku's images
_HOST: Final = "com.dokku.registryd.host"
_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_MOST_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """What one record says."""

    host: str
    app: str
    number: int
    created_at: float
    """When the release went live there, in seconds since the epoch."""
    revision: str = ""
    digest: str = ""
    """The digest of the release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """The ledger's row about the record of one release."""

    job_id: str
    digest: str
    """The digest of the record; empty if the registry has refused it."""
    at: float
    """Seconds since the epoch."""

    def is_due(self, now: float) -> bool:
        """Return whether to try again."""
        return not self.digest and not 0.0 <= now - self.at < AGAIN_SECONDS


def annotations_of(release: Release, origin: Origin, host: str) -> dict[str, str]:
    """Return what the record of a release says; the same at each attempt."""
    at = release.live_at or release.pushed_at or release.created_at
    found = {
        _CREATED: dt.datetime.fromtimestamp(at, dt.UTC).strftime(_FORMAT),
        _VERSION: str(release.number),
        _APP: release.app,
        _HOST: host,
    }
    if origin.revision:
        found[_REVISION] = origin.revision
    return found


def artifact_of(subject: Manifest, annotations: Mapping[str, str]) -> Manifest:
    """Return the record of a release, with the manifest of its image as subject."""
    return referrers.artifact(subject, ARTIFACT_TYPE, annotations)


def parse(annotations: Mapping[str, str], digest: str) -> ReleaseRecord | None:
    """Return what a record says; None if it lacks host, app, number or time."""
    app = annotations.get(_APP, "")
    host = _clean(annotations.get(_HOST, ""))
    number = numbering.whole_number(annotations.get(_VERSION, ""))
    at = _time_of(annotations.get(_CREATED, ""))
    if not (host and number and at and app_names.is_app_name(app)):
        return None
    return ReleaseRecord(
        host=host,
        app=app,
        number=number,
        created_at=at,
        revision=_clean(annotations.get(_REVISION, "")),
        digest=digest,
    )


def latest(records: Iterable[ReleaseRecord]) -> list[ReleaseRecord]:
    """Return the latest record of each app on each host, sorted by app and host."""
    found: dict[tuple[str, str], ReleaseRecord] = {}
    for record in records:
        place = (record.app, record.host)
        known = found.get(place)
        if known is None or _age(record) > _age(known):
            found[place] = record
    return [found[place] for place in sorted(found)]


def _age(record: ReleaseRecord) -> tuple[float, int]:
    return (record.created_at, record.number)


def _time_of(text: str) -> float:
    """Return seconds since the epoch; 0 if the text is not such a time."""
    if not _TIME.fullmatch(text):
        return 0.0
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _clean(text: str) -> str:
    return foreign_text.shorten(terminal_text.printable(text), first=_MOST_TEXT)
