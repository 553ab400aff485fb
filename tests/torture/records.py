"""Records of releases: each live release has one, once, and no other release has."""

import json
from collections.abc import Iterator
from typing import Any

from support import seeding
from torture import settling
from torture.apps import App
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.stored import Stored, Violation


def violations(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """Give what is wrong with the records of apps that leave some."""
    for app in deeds.apps:
        if settling.has_records(host, app):
            yield from _of_app(host, app, stored)


def _of_app(host: TortureHost, app: App, stored: Stored) -> Iterator[Violation]:
    path, deployed = settling.deployed(host, app.name)
    query = "SELECT app, number FROM releases WHERE live_at > 0"
    lived = {
        str(number) for name, number in settling.rows(host, query) if name == app.name
    }
    for number, manifest in stored.manifests[path].items():
        if not number.isdigit():
            continue
        place = f"{path}:{number}"
        found = [_number_of(entry) for entry in _listed(host, path, manifest.digest)]
        if number == deployed and number not in found:
            yield "other", f"{place} runs and has no record"
        if len(found) != len(set(found)):
            yield "duplicated", f"{place} has the records {found}"
        for one in set(found) - lived:
            yield "other", f"{place} has a record of {one}, which never ran"


def _listed(host: TortureHost, path: str, digest: str) -> Iterator[dict[str, Any]]:
    """Give the entries of the list of a manifest whose records are there."""
    listed = seeding.fetch(host.registry, path, digest.replace(":", "-"))
    for entry in json.loads(listed.body)["manifests"] if listed else ():
        record = seeding.fetch(host.registry, path, entry["digest"])
        is_whole = record is not None and (
            json.loads(record.body)["subject"]["digest"] == digest
        )
        if is_whole:
            yield entry


def _number_of(entry: dict[str, Any]) -> str:
    return str(entry["annotations"]["org.opencontainers.image.version"])
