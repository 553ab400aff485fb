"""The names that an app had over time: apps are renamed, and names are reused.

An order that changes what an app runs (`kinds.ORDERED`) has the app's name at that
time. A waiting release moves with its app to a new name, which another app may have
used before. So an order counts for the release only if the release's app had that name
at the time of the order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dokku_registryd.core.job.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job that changed what an app runs, or will change it."""

    sequence: int
    """Its sequence number among all jobs of the ledger."""
    kind: Kind
    app: str
    other: str = ""
    """The new name of a rename."""
    build: str = ""
    """The deploy that it belongs to, if its hook named it."""
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """A name that an app had, between two sequence numbers of jobs."""

    app: str
    after: int
    before: int | None = None
    """None for the present name."""

    def covers(self, order: Order) -> bool:
        """Return whether an order is about the app that had the name then."""
        if order.app != self.app or order.sequence <= self.after:
            return False
        return self.before is None or order.sequence < self.before


def callings(app: str, renames: Iterable[Order], *, since: int) -> list[Calling]:
    """Return the names that an app has had, the present one first.

    Args:
        app: Its present name.
        renames: The completed renames; others have not moved anything.
        since: The oldest sequence number of interest.
    """
    found: list[Calling] = []
    before: int | None = None
    for rename in sorted(renames, key=lambda order: order.sequence, reverse=True):
        if rename.other != app or rename.sequence <= since:
            continue
        found.append(Calling(app=app, after=rename.sequence, before=before))
        app, before = rename.app, rename.sequence
    return [*found, Calling(app=app, after=since, before=before)]
