"""Reads what made a release, for `core.release.origins`. No release fails by it."""

import contextlib
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import app_config, policy
from dokku_registryd.core.image.images import LocalImage
from dokku_registryd.core.job import jobs
from dokku_registryd.core.release import origins

_DIGITS: Final = 16  # of the microseconds in the name of a trigger file


def origin_of(
    job: jobs.Job, image: LocalImage | None, context: ports.Context
) -> origins.Origin:
    """Return what made the release of a job; what cannot be read is unknown."""
    trigger = job.trigger
    record = context.builds.facts(job.app, trigger.build)
    source = trigger.source or record.source
    asked_at = _asked_at(job)
    branch = _branch(job.app, context)
    rows, known = context.ledger.releases(job.app), context.ledger.origins(job.app)
    return origins.decide(
        origins.Facts(
            source=source,
            deployer=trigger.deployer,
            told_revision=trigger.revision,
            app_revision=context.properties.commit(job.app, at=asked_at),
            repository_revision=context.properties.branch_commit(
                job.app,
                origins.deployed_branch(branch),
                # Dokku has read it after the begin.
                at=min(asked_at, record.began_at or asked_at),
            ),
            latest_revision=origins.latest(rows, known),
            carried_revision=origins.carried(rows, known)
            if source in origins.REDEPLOYS
            else None,
            labels=dict(image.labels) if image is not None else {},
            source_image=_property(job.app, "source-image", context),
            branch=branch,
            began_at=record.began_at,
        )
    )


def _asked_at(job: jobs.Job) -> float:
    """Return when the hook has asked: a later deploy may have changed files since."""
    microseconds = job.job_id.partition(".")[0]
    is_time = microseconds.isdigit() and len(microseconds) == _DIGITS
    return int(microseconds) / 1e6 if is_time else job.accepted_at


def _branch(app: str, context: ports.Context) -> str | None:
    """Return the branch that Dokku deploys; empty if none is set, None if unknown."""
    for owner in (app, policy.GLOBAL):
        try:
            found = context.properties.get(
                app_config.GIT, owner, "deploy-branch"
            ).strip()
        except errors.MissingFolderError:
            continue
        except errors.UnreadableError:
            return None
        if found:
            return found
    return ""


def _property(app: str, name: str, context: ports.Context) -> str:
    """Return a property of Dokku's Git plugin."""
    with contextlib.suppress(errors.UnreadableError):
        return context.properties.get(app_config.GIT, app, name).strip()
    return ""
