"""`fleet`: which hosts run which releases, by the records in the registries."""

import argparse
from collections.abc import Sequence

from dokku_registryd.effects import fleet
from dokku_registryd.effects.fleet import Listing
from dokku_registryd.verbs import output, preparation, reading

_FAILED = 1


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Print what the records of other hosts and of this one say.

    Returns:
        0; 1 if some registry could not be read.

    Raises:
        EngineUnavailableError: The Engine does not tell how registries are reached.
    """
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    with reading.context(settings) as context:
        found = fleet.look(context, only=arguments.app)
    if arguments.format == "json":
        out.json(_as_json(found))
    else:
        _tell(found, context.clock.now(), out)
    for listing in found:
        if listing.problem:
            out.error(f"{listing.app}: {listing.problem}")
    return _FAILED if any(listing.problem for listing in found) else 0


def _tell(found: Sequence[Listing], now: float, out: output.Output) -> None:
    rows: list[tuple[str, ...]] = [
        (
            record.app,
            record.host,
            str(record.number),
            output.age(now - record.created_at),
            record.revision[:12] or "-",
            record.digest.removeprefix("sha256:")[:12],
            listing.repository,
        )
        for listing in found
        for record in listing.records
    ]
    if not rows:
        out.line(
            "No records. A host writes them if release-records is on: dokku"
            " registryd:set --global release-records on"
        )
        return
    heads = ("APP", "HOST", "NUMBER", "AGE", "REVISION", "DIGEST", "REPOSITORY")
    for line in preparation.Table(heads, rows).lines():
        out.line(line)


def _as_json(found: Sequence[Listing]) -> list[dict[str, object]]:
    return [
        {
            "app": record.app,
            "host": record.host,
            "number": record.number,
            "created_at": record.created_at,
            "revision": record.revision,
            "digest": record.digest,
            "repository": listing.repository,
        }
        for listing in found
        for record in listing.records
    ]
