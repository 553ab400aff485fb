"""`history`: the jobs that have an outcome, with reason and duration."""

import time

from dokku_registryd.adapters.ledger import peek
from dokku_registryd.verbs import closed_folder, data_folder, identity, output
from dokku_registryd.verbs.service import job_facts

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    import argparse

_LIMIT = 20


def perform(arguments: "argparse.Namespace", out: output.Output) -> int:
    """Print the jobs of one app or of all, newest first.

    Raises:
        ClosedFolderError: The data folder is closed to this user.
        LedgerError: The ledger cannot be read.
    """
    data_dir = data_folder.locate(arguments)
    complaint = identity.become_owner(data_dir, arguments.environ)
    if complaint:
        out.error(complaint)
    closed_folder.require_access(data_dir)
    now = time.time()
    rows = peek.history(
        f"{data_dir}/ledger.sqlite3",
        now=now,
        # As an option of Dokku's command it is a text.
        limit=int(arguments.limit or _LIMIT),
        app=arguments.app or "",
        only_failed=arguments.failed,
    )
    found = [job_facts.past(row, now) for row in rows]
    if arguments.format == "json":
        out.json(found)
        return 0
    if not found:
        kind = "failed" if arguments.failed else "finished"
        out.line(f"No {kind} jobs{f' of {arguments.app}' if arguments.app else ''}.")
    for entry in found:
        took = output.duration(job_facts.seconds(entry["took_seconds"]))
        what = f"{entry['intent']} {entry['app']}"
        if entry["reference"]:
            what += f" as {entry['reference']}"
        out.line(job_facts.line(entry, f"{what}: {entry['outcome']} after {took}"))
        if entry["detail"]:
            out.line(f"      {entry['detail']}")
    return 0
