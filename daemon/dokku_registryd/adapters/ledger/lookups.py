"""Lookups of single releases in the ledger.

An app may have tens of thousands of releases, so code for one release must not read
them all: each lookup here reads only its result, by an index of the schema. The callers
interpret the rows.
"""

from collections.abc import Iterator
from typing import Final

from dokku_registryd.adapters.ledger import releases
from dokku_registryd.core.release.releases import DeployedRelease, Release

_PAGE: Final = 20  # rows; the result is usually among the first


class ReleaseLookups(releases.ReleaseRows):
    """The lookups of single releases in `ports.Ledger`."""

    def latest_release(self, app: str) -> Release | None:
        """Return the latest requested release of an app."""
        found = self._chosen("WHERE app = ? ORDER BY sequence DESC LIMIT 1", app)
        return found[0] if found else None

    def release_under(self, app: str, deployed: DeployedRelease) -> Release | None:
        """Return an app's release of this repository and number."""
        found = self._chosen(
            "WHERE app = ? AND number = ? AND server || image_repo = ?",
            app,
            deployed.number,
            f"{deployed.server}{deployed.image_repo}",
        )
        return found[0] if found else None

    def release_with_digest(
        self, image_id: str, repository: str, *, app: str = ""
    ) -> Release | None:
        """Return the latest release of an image that a repository has confirmed.

        One that a prune has removed, or may have, is none.
        """
        found = self._chosen(
            "WHERE image_id = ? AND server || image_repo = ? AND digest != ''"
            " AND ? IN ('', app)"
            " AND job_id NOT IN (SELECT job_id FROM removals)"
            " ORDER BY sequence DESC LIMIT 1",
            image_id,
            repository,
            app,
        )
        return found[0] if found else None

    def releases_with_digest(self, digest: str, beside: Release) -> list[Release]:
        """Return the releases with a digest in a release's repository, latest first.

        Apps may share a repository and its tags, so their releases are included.
        """
        return self._chosen(
            "WHERE server = ? AND image_repo = ? AND digest = ? ORDER BY sequence DESC",
            beside.server,
            beside.image_repo,
            digest,
        )

    def later_releases(self, release: Release) -> list[Release]:
        """Return the app's requests after a release, the latest first."""
        return self._chosen(
            "WHERE app = ? AND sequence > ? ORDER BY sequence DESC",
            release.app,
            release.sequence,
        )

    def earlier_releases(self, release: Release) -> Iterator[Release]:
        """Yield the app's requests before a release, the latest first.

        They are read on demand, so the first few are cheap.
        """
        before = release.sequence
        while True:
            page = self._chosen(
                "WHERE app = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
                release.app,
                before,
                _PAGE,
            )
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1].sequence
