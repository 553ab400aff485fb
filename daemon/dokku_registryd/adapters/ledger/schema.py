"""The ledger's tables, as migration scripts from each version to the next."""

# A job may end while another process lists ended jobs.
AHEAD_SECONDS = 60.0

# The jobs that were accepted after a job; none if that is unknown.
ASKED_AFTER = (
    "SELECT job_id FROM jobs WHERE sequence >"
    " (SELECT sequence FROM jobs WHERE job_id = ?)"
)

_JOBS = """
    CREATE TABLE jobs (
        sequence INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        app TEXT NOT NULL,
        image TEXT NOT NULL,
        scheduler TEXT NOT NULL,
        other TEXT NOT NULL,
        tag TEXT NOT NULL,
        accepted_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        retry_at REAL NOT NULL DEFAULT 0,
        last_error TEXT NOT NULL DEFAULT '',
        ending TEXT,
        reference TEXT NOT NULL DEFAULT '',
        image_id TEXT NOT NULL DEFAULT '',
        digest TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '',
        finished_at REAL NOT NULL DEFAULT 0
    );
    CREATE INDEX jobs_unfinished ON jobs (sequence) WHERE ending IS NULL;
    CREATE INDEX jobs_of_app ON jobs (app, sequence);
"""
_RELEASES = """
    CREATE TABLE releases (
        sequence INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE,
        app TEXT NOT NULL,
        number INTEGER NOT NULL,
        image_id TEXT NOT NULL,
        server TEXT NOT NULL,
        image_repo TEXT NOT NULL,
        scheduler TEXT NOT NULL,
        state TEXT NOT NULL,
        is_accepted INTEGER NOT NULL DEFAULT 0,
        digest TEXT NOT NULL DEFAULT '',
        created_at REAL NOT NULL,
        pushed_at REAL NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        previous_number INTEGER NOT NULL DEFAULT 0,
        UNIQUE (app, number),
        UNIQUE (server, image_repo, number)
    );
    CREATE INDEX releases_of_image ON releases (image_id);
"""

# Version 1 was edited once after it had been committed. These are its releases before
# that, and the script to convert them: their order is that of their numbers.
FIRST_DRAFT = _JOBS + _RELEASES.replace(
    "sequence INTEGER PRIMARY KEY,\n        job_id TEXT NOT NULL UNIQUE",
    "job_id TEXT PRIMARY KEY",
).replace("        previous_number INTEGER NOT NULL DEFAULT 0,\n", "")
_OF_DRAFT = (
    "job_id, app, number, image_id, server, image_repo, scheduler, state,"
    " is_accepted, digest, created_at, pushed_at, error"
)
FROM_FIRST_DRAFT = f"""
    DROP INDEX releases_of_image;
    ALTER TABLE releases RENAME TO drafted;
    {_RELEASES}
    INSERT INTO releases ({_OF_DRAFT})
        SELECT {_OF_DRAFT} FROM drafted ORDER BY created_at, number;
    DROP TABLE drafted;
"""  # noqa: S608 - constants

# One script per version, in order; never edit a committed one. A ledger whose tables
# are not exactly those of these scripts counts as damaged.
MIGRATIONS = (
    _JOBS + _RELEASES,
    """
    CREATE TABLE pauses (
        domain TEXT PRIMARY KEY,
        not_before REAL NOT NULL,
        seconds REAL NOT NULL,
        failures INTEGER NOT NULL,
        reason TEXT NOT NULL
    );
    ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN is_running INTEGER NOT NULL DEFAULT 0;
    """,
    # Metrics query these often, and most releases of a host are neither.
    """
    CREATE INDEX releases_unpushed ON releases (created_at)
        WHERE state NOT IN ('pushed', 'dropped');
    """,
    # The deploy of a release, its waiter, when it went live, and the digests of extra
    # tags before it moved them.
    """
    ALTER TABLE jobs ADD COLUMN build TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN waiter TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN job TEXT NOT NULL DEFAULT '';
    ALTER TABLE releases ADD COLUMN build TEXT NOT NULL DEFAULT '';
    ALTER TABLE releases ADD COLUMN live_at REAL NOT NULL DEFAULT 0;
    CREATE TABLE tag_moves (
        job_id TEXT NOT NULL,
        tag TEXT NOT NULL,
        previous TEXT NOT NULL,
        PRIMARY KEY (job_id, tag)
    );
    """,
    "ALTER TABLE releases ADD COLUMN failed_at REAL NOT NULL DEFAULT 0;",
    # A pause applies to one login in one direction. Older ones are dropped: the refused
    # login was not recorded, and the host will refuse again if necessary.
    """
    DROP TABLE pauses;
    CREATE TABLE pauses (
        domain TEXT NOT NULL,
        owner TEXT NOT NULL,
        username TEXT NOT NULL,
        direction TEXT NOT NULL,
        app TEXT NOT NULL,
        not_before REAL NOT NULL,
        seconds REAL NOT NULL,
        failures INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (domain, owner, username, direction)
    );
    CREATE INDEX releases_of_app ON releases (app, sequence);
    """,
    # Whether extra tags of a release were restored, since its deploy seemed to fail.
    """
    ALTER TABLE releases ADD COLUMN is_taken_back INTEGER NOT NULL DEFAULT 0;
    """,
    # Whether the registry has all parts of a release; a row only if that was found out.
    """
    CREATE TABLE checks (
        job_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        parts INTEGER NOT NULL,
        complete_at REAL NOT NULL,
        checked_at REAL NOT NULL,
        missing TEXT NOT NULL,
        lacking INTEGER NOT NULL,
        unread TEXT NOT NULL,
        PRIMARY KEY (job_id)
    );
    CREATE INDEX checks_by_time ON checks (checked_at);
    CREATE INDEX checks_lacking ON checks (job_id) WHERE lacking > 0;
    """,
    # Metrics and `status` query failed jobs often, and few jobs fail.
    "CREATE INDEX jobs_failed ON jobs (finished_at) WHERE ending = 'failed';",
    # The troubles that operators are told of, what each channel was told, and what
    # registries answered to logins. Plugins are told of jobs that end from now on.
    """
    CREATE TABLE troubles (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        number INTEGER NOT NULL,
        began_at REAL NOT NULL,
        ended_at REAL NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (kind, subject)
    );
    CREATE TABLE channels (
        name TEXT NOT NULL,
        since REAL NOT NULL,
        sent_at REAL NOT NULL,
        burst INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        error TEXT NOT NULL,
        PRIMARY KEY (name)
    );
    CREATE TABLE tellings (
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        number INTEGER NOT NULL,
        is_over INTEGER NOT NULL,
        PRIMARY KEY (channel, kind, subject)
    );
    CREATE TABLE logins (
        domain TEXT NOT NULL,
        owner TEXT NOT NULL,
        username TEXT NOT NULL,
        mark TEXT NOT NULL,
        standing TEXT NOT NULL,
        reason TEXT NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        PRIMARY KEY (domain, owner, username)
    );
    ALTER TABLE jobs ADD COLUMN is_announced INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX jobs_unannounced ON jobs (sequence) WHERE is_announced = 0;
    """,
    # What a registry has under the number of a release, the parts of a complete one, so
    # that they need not be read again, and the questions that a check has cost.
    """
    ALTER TABLE checks ADD COLUMN number TEXT NOT NULL DEFAULT '';
    ALTER TABLE checks ADD COLUMN tree TEXT NOT NULL DEFAULT '';
    ALTER TABLE checks ADD COLUMN is_here INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE checks ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE checks ADD COLUMN reads INTEGER NOT NULL DEFAULT 0;
    DROP INDEX checks_lacking;
    CREATE INDEX checks_amiss ON checks (job_id) WHERE lacking > 0 OR number != '';
    """,
    # What made a release; a row only if something of it is known.
    """
    CREATE TABLE origins (
        job_id TEXT NOT NULL,
        revision TEXT NOT NULL,
        branch TEXT NOT NULL,
        source TEXT NOT NULL,
        deployer TEXT NOT NULL,
        began_at REAL NOT NULL,
        from_app TEXT NOT NULL,
        from_number INTEGER NOT NULL,
        PRIMARY KEY (job_id)
    );
    """,
    # What Dokku tells of the reason for a release, until its number is reserved.
    """
    ALTER TABLE jobs ADD COLUMN source TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN deployer TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN revision TEXT NOT NULL DEFAULT '';
    """,
    # Which release another one repeats, and the image that had the name of the app's
    # latest build before.
    """
    CREATE TABLE repeats (
        job_id TEXT NOT NULL,
        source TEXT NOT NULL,
        latest_before TEXT,
        PRIMARY KEY (job_id)
    );
    """,
    # Whether the mirror of an app has a release; a row once it is wanted there.
    """
    CREATE TABLE copies (
        job_id TEXT NOT NULL,
        target TEXT NOT NULL,
        digest TEXT NOT NULL,
        wanted_at REAL NOT NULL,
        copied_at REAL NOT NULL,
        failures INTEGER NOT NULL,
        retry_at REAL NOT NULL,
        error TEXT NOT NULL,
        PRIMARY KEY (job_id)
    );
    CREATE INDEX copies_lacking ON copies (wanted_at) WHERE copied_at = 0;
    """,
    # Which live releases other hosts were told of.
    """
    CREATE TABLE release_records (
        job_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (job_id)
    );
    """,
    # The releases that a prune removes from their registry, and where it may.
    """
    CREATE TABLE removals (
        job_id TEXT NOT NULL,
        asked_at REAL NOT NULL,
        removed_at REAL NOT NULL,
        children TEXT NOT NULL,
        PRIMARY KEY (job_id)
    );
    CREATE TABLE consents (
        repository TEXT NOT NULL,
        agreed_at REAL NOT NULL,
        pruned_at REAL NOT NULL,
        PRIMARY KEY (repository)
    );
    CREATE INDEX releases_of_digest ON releases (digest) WHERE digest != '';
    """,
    # On which machine an operator has agreed: a copy of the data on another one asks
    # again. Of older consents that is unknown.
    "ALTER TABLE consents ADD COLUMN host TEXT NOT NULL DEFAULT '';",
)

# Releases whose mirror does not have them yet.
LACKING_COPIES = (
    "FROM copies JOIN releases ON releases.job_id = copies.job_id"
    " WHERE copies.copied_at = 0 ORDER BY copies.wanted_at, releases.sequence"
)

# Releases that still have the digest that was found to be amiss.
AMISS = (
    "FROM checks JOIN releases ON releases.job_id = checks.job_id"
    " AND releases.digest = checks.digest"
    " WHERE (checks.lacking > 0 OR checks.number != '')"
    " ORDER BY releases.app, releases.sequence DESC"
)


def needs_operator(alias: str) -> str:
    """Return the condition that a failed release job leaves something to do.

    A rollback or promotion (it has the job that it repeats) whose deploy never went on
    leaves nothing: what ran before runs, and its caller was told.
    """
    return (
        f"({alias}.job = '' OR EXISTS (SELECT 1 FROM releases AS made"  # noqa: S608 - constants
        f" WHERE made.job_id = {alias}.job_id AND made.is_accepted))"
    )


# Failed releases, until a later job shows that it does not matter any more: the
# registry has what the app runs, or the app is not pushed by us, or is gone.
FAILED = (
    "FROM jobs LEFT JOIN releases ON releases.job_id = jobs.job_id"  # noqa: S608 - constants
    " WHERE jobs.ending = 'failed' AND jobs.kind = 'release'"
    f" AND {needs_operator('jobs')} AND NOT EXISTS"
    " (SELECT 1 FROM jobs AS later WHERE later.app = jobs.app"
    " AND later.sequence > jobs.sequence AND (later.kind = 'release'"
    " AND (later.ending IN ('done', 'skipped')"
    f" OR later.ending = 'failed' AND {needs_operator('later')})"
    " OR later.kind IN ('push', 'local', 'recorded', 'destroyed', 'renamed')"
    " AND later.ending IN ('done', 'skipped')))"
    " ORDER BY jobs.finished_at DESC, jobs.sequence DESC"
)
