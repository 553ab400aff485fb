"""Why a pull failed: which parts of the image its registry lacks.

An Engine only says that something is not found, or that it cannot be read.
"""

from collections.abc import Callable

from dokku_registryd import errors, ports
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import completeness
from dokku_registryd.effects.registry import checks


def explain(
    error: errors.RegistrydError,
    entry: wanted.Wanted,
    state: wanted.AppState,
    context: ports.Context,
    give_way: Callable[[], None],
) -> errors.RegistrydError:
    """Return the error of a failed pull, with the parts that the registry lacks.

    The registry is asked if it has answered the Engine that something is missing. One
    that does not answer now may have all parts, even if it lacked one days ago.

    Raises:
        PreemptedError: Another job of the app goes first.
    """
    is_absent = isinstance(error, errors.ImageNotFoundError)
    if not is_absent and not isinstance(error, errors.IncompleteImageError):
        return error
    if _is_removed(entry, state, context):
        return errors.ImageNotFoundError(
            f"cannot restore {entry.source}: a prune has removed it from its registry."
            f" Rebuild the app with dokku ps:rebuild {entry.app}"
        )
    lacks = _lacks(entry, state, context, give_way)
    if lacks:
        return errors.ImageNotFoundError(
            f"cannot restore {entry.source}: the registry lacks {lacks}. Rebuild the"
            f" app with dokku ps:rebuild {entry.app}"
        )
    if not is_absent:
        return error
    return errors.ImageNotFoundError(
        f"cannot restore {entry.source}: the registry no longer has"
        f" {entry.digest or 'this tag'}. Rebuild the app with"
        f" dokku ps:rebuild {entry.app}"
    )


def _is_removed(
    entry: wanted.Wanted, state: wanted.AppState, context: ports.Context
) -> bool:
    removals = context.ledger.removals(entry.app)
    return any(
        row.reference == entry.source
        and row.job_id in removals
        and removals[row.job_id].is_over
        for row in state.releases
    )


def _lacks(
    entry: wanted.Wanted,
    state: wanted.AppState,
    context: ports.Context,
    give_way: Callable[[], None],
) -> str:
    """Return the parts that the registry lacks; empty if unknown, or if all of them."""
    if not entry.digest:
        return ""
    pulled = (entry.source, entry.digest)
    rows = (row for row in state.releases if (row.reference, row.digest) == pulled)
    release = next(rows, None)
    if release is None:
        return ""
    before = context.ledger.check_of(release.job_id)
    known = checks.ask_again(release, before, context, give_way)
    if known is None or known.digest != entry.digest or known.unread:
        return ""
    if not known.lacking or known.missing[0].endswith(entry.digest):
        return ""
    return completeness.describe(known.missing, known.lacking)
