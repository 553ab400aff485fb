"""Narrow questions to the ledger's releases.

An app may have tens of thousands of releases, and nobody who works on one of them reads
them all: each question here costs the rows of its answer, by an index of the schema.
What is to be concluded from a row is left to who asks.
"""

from collections.abc import Iterator
from typing import Final

from dokku_registryd.adapters.ledger import releases
from dokku_registryd.core.release.releases import DeployedRelease, Release

_PAGE: Final = 20  # rows; the answer is mostly among the first


class ReleaseLookups(releases.ReleaseRows):
    """What `ports.Ledger` answers about single releases."""

    def latest_release(self, app: str) -> Release | None:
        """Return the release that an app asked for last."""
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
        """Return the latest release of an image that a repository has confirmed."""
        found = self._chosen(
            "WHERE image_id = ? AND server || image_repo = ? AND digest != ''"
            " AND ? IN ('', app) ORDER BY sequence DESC LIMIT 1",
            image_id,
            repository,
            app,
        )
        return found[0] if found else None

    def releases_with_digest(self, digest: str, beside: Release) -> list[Release]:
        """Return what has a digest in the repository of a release, the latest first.

        Apps may share a repository, and its tags with it, so theirs are among them.
        """
        return self._chosen(
            "WHERE server = ? AND image_repo = ? AND digest = ? ORDER BY sequence DESC",
            beside.server,
            beside.image_repo,
            digest,
        )

    def later_releases(self, release: Release) -> list[Release]:
        """Return what its app asked for after a release, the latest first."""
        return self._chosen(
            "WHERE app = ? AND sequence > ? ORDER BY sequence DESC",
            release.app,
            release.sequence,
        )

    def earlier_releases(self, release: Release) -> Iterator[Release]:
        """Give what its app asked for before a release, the latest first.

        They are read as they are taken, so the first few cost no more than that.
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
