"""Rollbacks: which release an app would run again, and why it may not.

Without a number it is the latest that ran before and is not gone. If the app runs a
rollback already, that counts as the release that it repeats: a second rollback goes
further back, never to the release that the first one replaced.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import deploys
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import (
    DeployedRelease,
    Release,
    ReleaseState,
)

LOCAL: Final = "docker-local"


class RefusedError(errors.RegistrydError):
    """A rollback is not possible. The message has the reason and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about an app before a rollback."""

    policy: dokku_policy.AppPolicy
    releases: Sequence[Release]
    """Its releases, newest first."""
    sources: Mapping[str, str]
    """By the job of a release that repeats another one, the job of that one."""
    deployed: DeployedRelease | None
    """What it runs."""
    is_companion: bool
    """Whether Dokku's own registry plugin is in charge."""
    gone: frozenset[str] = frozenset()
    """The jobs of releases that are known to be neither here nor in a registry."""
    abandoned: frozenset[str] = frozenset()
    """The jobs of releases whose deploy was killed: what runs next ends them first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A rollback that is possible."""

    source: Release
    """The release that the app would run again."""
    runs: DeployedRelease
    """What it runs now."""
    repository: str
    """Where the release would go."""

    @property
    def is_named_only(self) -> bool:
        """Whether the repository has the manifest, so that nothing is sent."""
        return self.repository == self.source.repository


def plan(facts: Facts, number: int | None) -> Plan:
    """Return the rollback to a number, or to what ran before.

    Raises:
        RefusedError: It is not possible.
    """
    app = facts.policy.app
    _check_app(facts)
    runs = facts.deployed
    if runs is None or runs.is_local:
        raise RefusedError(
            f"{app} runs nothing that was pushed, so there is nothing to return to."
            f" See: dokku registryd:releases {app}"
        )
    present = _present(facts, runs)
    source = _before(facts, runs, present) if number is None else _find(facts, number)
    if source.number == runs.number or _is_same_image(source, present):
        raise RefusedError(
            f"{app} runs {source.number} already, as {runs.reference}. To start it"
            f" again, run: dokku ps:restart {app}"
        )
    repository = f"{facts.policy.server}{facts.policy.image_repo}"
    return Plan(source=source, runs=runs, repository=repository)


def check_parts(
    source: Release,
    known: completeness.Record | None,
    *,
    is_removed: bool = False,
    is_mirrored: bool = False,
) -> None:
    """Refuse a release whose image is not here, and not whole in a registry.

    Args:
        source: The release.
        known: What is known about its parts in its registry.
        is_removed: Whether a prune has removed it there.
        is_mirrored: Whether the mirror of the app has it, by its digest.

    Raises:
        RefusedError: It is known to lack parts, or a prune has removed it.
    """
    if is_mirrored:
        return
    if is_removed:
        raise RefusedError(
            f"release {source.number} of {source.app} is not on this host, and a prune"
            " has removed it from its registry. Name another one of dokku"
            f" registryd:releases {source.app}"
        )
    if known is None or known.digest != source.digest or not known.lacking:
        return
    raise RefusedError(
        f"release {source.number} of {source.app} is not on this host, and its registry"
        f" lacks {completeness.describe(known.missing, known.lacking)}. Name another"
        f" one of dokku registryd:releases {source.app}"
    )


def check_idle(
    app: str, rows: Sequence[Release], abandoned: Collection[str] = ()
) -> None:
    """Refuse while a release of an app is under way whose deploy may wait for it.

    Args:
        app: The app.
        rows: Its releases.
        abandoned: The jobs of releases whose deploy was killed: what works the spool
            next ends them.

    Raises:
        RefusedError: One is; the text has the command that ends its deploy.
    """
    for row in rows:
        if row.job_id in abandoned:
            continue
        is_under_way = row.state in {ReleaseState.RESERVED, ReleaseState.CONFIRMED}
        if is_under_way and not row.is_deploy_continued and not row.failed_at:
            raise RefusedError(
                f"{app} is being released as {row.number}."
                f" {deploys.way_past(app, row.build)}"
            )


def _check_app(facts: Facts) -> None:
    policy, app = facts.policy, facts.policy.app
    if facts.is_companion:
        raise RefusedError(
            f"cannot roll back {app}: beside Dokku's own registry plugin that plugin"
            " says which release is deployed. Take over with: dokku-registryd install"
        )
    if not policy.push_on_release:
        raise RefusedError(
            f"cannot roll back {app}: its property push-on-release is not true, so a"
            f" release has no number. Set it with: dokku registry:set {app}"
            " push-on-release true"
        )
    if policy.holds.app_reason is not None:
        reason = f" ({policy.holds.app_reason})" if policy.holds.app_reason else ""
        raise RefusedError(
            f"{app} is held{reason}. End that with: dokku registryd:hold {app} --off"
        )
    if policy.scheduler not in {"", LOCAL}:
        raise RefusedError(
            f"cannot roll back {app}: its scheduler is {policy.scheduler}, and a"
            f" rollback follows deploys of {LOCAL} only. Deploy the image of an earlier"
            f" release: dokku git:from-image {app} REFERENCE, with a reference of dokku"
            f" registryd:releases {app}"
        )
    check_idle(app, facts.releases, facts.abandoned)


def _present(facts: Facts, runs: DeployedRelease) -> Release | None:
    return next((row for row in facts.releases if row.goes_by(runs)), None)


def _find(facts: Facts, number: int) -> Release:
    rows = [row for row in facts.releases if row.number == number]
    way_out = f"See: dokku registryd:releases {facts.policy.app}"
    if not rows:
        raise RefusedError(f"{facts.policy.app} has no release {number}. {way_out}")
    confirmed = next((row for row in rows if row.digest), None)
    if confirmed is None:
        reason = f", as it failed: {rows[0].error}" if rows[0].error else ""
        raise RefusedError(
            f"release {number} of {facts.policy.app} was never pushed{reason}."
            f" {way_out}"
        )
    return confirmed


def _before(facts: Facts, runs: DeployedRelease, present: Release | None) -> Release:
    """Return what ran before, and before all that a rollback has left."""
    origin = _origin(facts, present)
    for row in facts.releases:
        is_older = (
            row.number < runs.number
            if origin is None
            else row.sequence < origin.sequence
        )
        is_other = _has_run(row) and not _is_same_image(row, present)
        if is_older and is_other and row.job_id not in facts.gone:
            return row
    if facts.gone:
        raise RefusedError(
            f"all releases that {facts.policy.app} ran before the present one are gone:"
            " they are not on this host, and a prune has removed them from the"
            " registry. Name another one of dokku registryd:releases"
            f" {facts.policy.app}"
        )
    app = facts.policy.app
    if not any(
        _has_run(row) and not _is_same_image(row, present) for row in facts.releases
    ):
        raise RefusedError(
            f"{app} has nothing to go back to: no release with another image than the"
            " one that runs is recorded"
        )
    raise RefusedError(
        f"no release of {app} before the present one is recorded. Name one of dokku"
        f" registryd:releases {app}"
    )


def _origin(facts: Facts, present: Release | None) -> Release | None:
    """Return the build that the present release repeats, if it is recorded."""
    by_job = {row.job_id: row for row in facts.releases}
    seen: set[str] = set()
    while present is not None and present.job_id not in seen:
        seen.add(present.job_id)
        source = by_job.get(facts.sources.get(present.job_id, ""))
        if source is None:
            break
        present = source
    return present


def _has_run(row: Release) -> bool:
    if row.state is not ReleaseState.PUSHED or not row.digest or row.failed_at:
        return False
    # Without a known deploy it counts as live once it is pushed.
    return bool(row.live_at) or not row.build


def _is_same_image(source: Release, present: Release | None) -> bool:
    return present is not None and (
        source.image_id == present.image_id != ""
        or source.digest == present.digest != ""
    )
