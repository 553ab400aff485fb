"""What an app was called when: names of apps change hands.

An order that changes what an app runs (`kinds.ORDERED`) names the app as it was
called then. A release that waits goes along with its app to a new name, where another
app may have been released, destroyed or renamed before. So an order counts against the
release only while the app of the release had the name that the order gives.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dokku_registryd.core.job.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order that changed what an app runs, or is to change it."""

    sequence: int
    """Its place among all jobs of the ledger."""
    kind: Kind
    app: str
    other: str = ""
    """The new name, of a rename."""
    build: str = ""
    """The deploy that it belongs to, where its hook has said so."""
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """A name that an app had, between two places in the order of jobs."""

    app: str
    after: int
    before: int | None = None
    """None for the name that it has now."""

    def covers(self, order: Order) -> bool:
        """Tell whether an order is about the app that had the name then."""
        if order.app != self.app or order.sequence <= self.after:
            return False
        return self.before is None or order.sequence < self.before


def callings(app: str, renames: Iterable[Order], *, since: int) -> list[Calling]:
    """Return what the app that has a name now was called, the latest name first.

    Args:
        app: Its present name.
        renames: The renames that were carried out; others have given nothing away.
        since: The place in the order of jobs that is looked back to.
    """
    found: list[Calling] = []
    before: int | None = None
    for rename in sorted(renames, key=lambda order: order.sequence, reverse=True):
        if rename.other != app or rename.sequence <= since:
            continue
        found.append(Calling(app=app, after=rename.sequence, before=before))
        app, before = rename.app, rename.sequence
    return [*found, Calling(app=app, after=since, before=before)]
