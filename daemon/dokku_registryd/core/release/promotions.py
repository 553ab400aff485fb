"""Promotions: which release of one app another app would run, and why it may not."""

from collections.abc import Sequence
from dataclasses import dataclass

from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.release import completeness, rollbacks
from dokku_registryd.core.release.releases import (
    DeployedRelease,
    Release,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about both apps before a promotion."""

    policy: dokku_policy.AppPolicy
    """Of the app that would run the release."""
    releases: Sequence[Release]
    """Its releases, newest first."""
    deployed: DeployedRelease | None
    """What it runs."""
    source: str
    """The app whose release it would run."""
    source_releases: Sequence[Release]
    """Its releases, newest first."""
    source_deployed: DeployedRelease | None
    """What it runs."""
    is_companion: bool
    """Whether Dokku's own registry plugin is in charge."""
    is_deployed: bool
    """Whether Dokku has ever deployed the app that would run the release."""
    abandoned: frozenset[str] = frozenset()
    """The jobs of its releases whose deploy was killed: what runs next ends them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A promotion that is possible."""

    source: Release
    """The release of the one app."""
    app: str
    """The app that would run it."""
    runs: DeployedRelease | None
    """What that app runs now; None for nothing, or for nothing that was pushed."""
    repository: str
    """Where the release would go."""
    is_first: bool
    """Whether Dokku has never deployed the app."""

    @property
    def is_copied(self) -> bool:
        """Whether it goes to another repository."""
        return self.repository != self.source.repository


def plan(facts: Facts, number: int | None) -> Plan:
    """Return the promotion of a release, or of the one that the source app runs.

    Raises:
        RefusedError: It is not possible.
    """
    app = facts.policy.app
    _check_target(facts)
    source = _running(facts) if number is None else _find(facts, number)
    runs = facts.deployed
    if runs is not None and runs.is_local:
        runs = None
    present = runs and next((row for row in facts.releases if row.goes_by(runs)), None)
    if present and present.digest == source.digest:
        raise rollbacks.RefusedError(
            f"{app} runs {source.digest} already, as {present.reference}. To start it"
            f" again, run: dokku ps:restart {app}"
        )
    return Plan(
        source=source,
        app=app,
        runs=runs,
        repository=f"{facts.policy.server}{facts.policy.image_repo}",
        is_first=not facts.is_deployed,
    )


def check_parts(
    plan: Plan,
    known: completeness.Record | None,
    *,
    is_here: bool,
    is_removed: bool,
    is_mirrored: bool = False,
) -> None:
    """Refuse a release of which no registry has all that is needed.

    Args:
        plan: The promotion.
        known: What is known about the parts of the release.
        is_here: Whether its image is on this host.
        is_removed: Whether a prune has removed it from its registry.
        is_mirrored: Whether the mirror of its app has it, by its digest.

    Raises:
        RefusedError: It could not be copied, or not be pulled.
    """
    source = plan.source
    if is_mirrored or (is_here and not plan.is_copied):
        return
    way_out = f"Name another one of dokku registryd:releases {source.app}"
    if is_removed:
        raise rollbacks.RefusedError(
            f"a prune has removed release {source.number} of {source.app} from its"
            f" registry. {way_out}"
        )
    if known is None or known.digest != source.digest or not known.lacking:
        return
    raise rollbacks.RefusedError(
        f"the registry lacks {completeness.describe(known.missing, known.lacking)} of"
        f" release {source.number} of {source.app}. {way_out}"
    )


def _check_target(facts: Facts) -> None:
    policy, app = facts.policy, facts.policy.app
    if app == facts.source:
        raise rollbacks.RefusedError(
            f"cannot promote {app} to itself. To run an earlier release of it again,"
            f" run: dokku registryd:rollback {app}"
        )
    if facts.is_companion:
        raise rollbacks.RefusedError(
            f"cannot promote to {app}: beside Dokku's own registry plugin that plugin"
            " says which release is deployed. Take over with: dokku-registryd install"
        )
    if not policy.push_on_release:
        raise rollbacks.RefusedError(
            f"cannot promote to {app}: its property push-on-release is not true, so a"
            f" release has no number. Set it with: dokku registry:set {app}"
            " push-on-release true"
        )
    if policy.holds.app_reason is not None:
        reason = f" ({policy.holds.app_reason})" if policy.holds.app_reason else ""
        raise rollbacks.RefusedError(
            f"{app} is held{reason}. End that with: dokku registryd:hold {app} --off"
        )
    if policy.scheduler not in {"", rollbacks.LOCAL}:
        raise rollbacks.RefusedError(
            f"cannot promote to {app}: its scheduler is {policy.scheduler}, and only"
            f" {rollbacks.LOCAL} starts a given release. Deploy the image instead:"
            f" dokku git:from-image {app} REFERENCE, with a reference of dokku"
            f" registryd:releases {facts.source}"
        )
    rollbacks.check_idle(app, facts.releases, facts.abandoned)


def _running(facts: Facts) -> Release:
    runs = facts.source_deployed
    rows = [row for row in facts.source_releases if runs and row.goes_by(runs)]
    if not rows:
        raise rollbacks.RefusedError(
            f"{facts.source} runs nothing that was pushed. Name a release of"
            f" dokku registryd:releases {facts.source}"
        )
    return _confirmed(facts, rows)


def _find(facts: Facts, number: int) -> Release:
    rows = [row for row in facts.source_releases if row.number == number]
    if not rows:
        raise rollbacks.RefusedError(
            f"{facts.source} has no release {number}. See: dokku registryd:releases"
            f" {facts.source}"
        )
    return _confirmed(facts, rows)


def _confirmed(facts: Facts, rows: Sequence[Release]) -> Release:
    found = next((row for row in rows if row.digest), None)
    if found is None:
        raise rollbacks.RefusedError(
            f"release {rows[0].number} of {facts.source} is not in its registry. Push"
            f" it with: dokku registryd:push {facts.source}"
        )
    return found
