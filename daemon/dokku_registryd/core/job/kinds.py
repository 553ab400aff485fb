"""The kinds of jobs, and the rules of each kind: one row each.

`runtime/execution.py` has the effect of each kind; `core/hook/triggers.py` has the
format in which hooks and the daemon request one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """The kind of a trigger or job."""

    RELEASE = "release"
    """Dokku released an image that must be pushed, or the release of another job is
    repeated; a hook or a user waits for the reply."""
    LOCAL = "local"
    """Dokku released an image with push-on-release off: ours is no longer deployed."""
    RECORDED = "recorded"
    """Dokku's own plugin has pushed a release under the number `tag`."""
    CANCELLED = "cancelled"
    """The deploy that waited for the release trigger `job` was interrupted."""
    DEPLOY_FAILED = "deploy-failed"
    """The deploy `build` has failed, as the command that ran it knows."""
    DEPLOYED = "deployed"
    """Containers of the new release run."""
    DESTROYED = "destroyed"
    """The app was destroyed."""
    RENAMED = "renamed"
    """The app `app` was renamed to `other`."""
    HEAL = "heal"
    """Restore one app's missing images."""
    PUSH = "push"
    """Ensure that the registry has the app's deployed release."""
    PRUNE = "prune"
    """Remove numbers from the app's registry; its tag says whether a user agrees."""
    ABANDONED = "abandoned"
    """A destroyed app has left folders; created by a sweep only."""
    SETTLE = "settle"
    """Find out how deploys of an app have ended; created by the daemon only."""
    VERIFY = "verify"
    """Check that the registry has all parts of a release; created by a sweep only."""
    MIRROR = "mirror"
    """Copy releases of an app to its mirror; created by the daemon only."""
    PUBLISH = "publish"
    """Put a record of an app's live release beside it; created by a sweep only."""
    FOLLOW = "follow"
    """Keep `image`, which another host runs, under the name `tag`; created by the
    daemon only."""
    SWEEP = "sweep"
    """Compare the whole host with the wanted state; created by the daemon only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one kind. All flags are off unless a row sets them."""

    fields: tuple[str, ...] = ()
    """Required keys of its trigger file; none if only the daemon creates it."""
    optional: tuple[str, ...] = ()
    """Optional keys: hooks of an older version omit them."""
    is_level: bool = False
    """It reads the state when it runs: a newer one of the app supersedes it."""
    is_awaited: bool = False
    """A hook or user follows its reply."""
    is_exclusive: bool = False
    """No other job of the app may run at the same time, not even a background push."""
    is_ordered: bool = False
    """It changes what Dokku runs: its order among the app's jobs matters."""
    asks_for_later: bool = False
    """It reads which orders of the app were accepted after it, so those are kept."""
    is_background: bool = False
    """The daemon does it on its own, and it may wait for a registry."""
    is_last: bool = False
    """All other jobs go before it, and no two of these run at the same time."""
    is_foreign: bool = False
    """It is for other hosts: jobs that come last for this host's releases go first."""
    gives_way: bool = False
    """It ends between two requests as soon as a job waits that goes before it."""
    is_preempting: bool = False
    """It preempts a running heal of the app."""
    is_disowning: bool = False
    """It preempts a running push of the app, whose result is not needed afterwards, or
    which continues under another name."""
    is_remote: bool = False
    """It asks the app's registry, or the helper that stores its login."""
    is_sending: bool = False
    """Its success shows that the registry accepts pushes."""
    is_renewing: bool = False
    """After it the app needs other images than before."""
    is_dropping: bool = False
    """It ends all waiting jobs of the app."""
    outlives_app: bool = False
    """It runs even if the app was destroyed meanwhile."""
    is_tried_for_ever: bool = False
    """No hook waits for it, and the state stays wrong until it succeeds."""
    has_own_lane: bool = False
    """It concerns the whole host, not one app; it is not recorded."""


_ORIGIN: Final = ("source", "deployer", "revision")
"""What Dokku tells of the reason for a release."""

RULES: Final[Mapping[Kind, Rules]] = MappingProxyType(
    {
        Kind.RELEASE: Rules(
            fields=("app", "image", "scheduler"),
            optional=("build", "job", "waiter", *_ORIGIN),
            is_awaited=True,
            is_ordered=True,
            asks_for_later=True,
            is_preempting=True,
            is_remote=True,
            is_sending=True,
            is_renewing=True,
        ),
        Kind.LOCAL: Rules(
            fields=("app",),
            # Another name, since a program that reads `build` may not know it here.
            optional=("deploy",),
            is_ordered=True,
            is_tried_for_ever=True,
        ),
        Kind.RECORDED: Rules(
            fields=("app", "scheduler", "tag"),
            optional=_ORIGIN,
            is_ordered=True,
            is_remote=True,
            is_renewing=True,
            is_tried_for_ever=True,
        ),
        Kind.CANCELLED: Rules(fields=("app", "job"), is_tried_for_ever=True),
        Kind.DEPLOYED: Rules(
            fields=("app", "tag"), optional=("build",), is_level=True, is_renewing=True
        ),
        Kind.DEPLOY_FAILED: Rules(
            fields=("app", "build"),
            is_awaited=True,
            is_exclusive=True,
            is_remote=True,
            is_tried_for_ever=True,
        ),
        Kind.DESTROYED: Rules(
            fields=("app",),
            is_exclusive=True,
            is_ordered=True,
            asks_for_later=True,
            is_preempting=True,
            is_disowning=True,
            is_remote=True,
            is_dropping=True,
            outlives_app=True,
            is_tried_for_ever=True,
        ),
        Kind.RENAMED: Rules(
            fields=("app", "other"),
            is_exclusive=True,
            is_ordered=True,
            asks_for_later=True,
            is_preempting=True,
            is_disowning=True,
            outlives_app=True,
            is_tried_for_ever=True,
        ),
        Kind.HEAL: Rules(
            fields=("app",),
            is_level=True,
            is_awaited=True,
            is_background=True,
            is_remote=True,
            is_tried_for_ever=True,
        ),
        Kind.PUSH: Rules(
            fields=("app",),
            is_level=True,
            is_awaited=True,
            is_exclusive=True,
            is_remote=True,
            is_sending=True,
        ),
        Kind.PRUNE: Rules(
            fields=("app", "tag"),
            is_awaited=True,
            is_exclusive=True,
            is_background=True,
            gives_way=True,
            is_remote=True,
        ),
        Kind.ABANDONED: Rules(
            is_exclusive=True,
            asks_for_later=True,
            is_disowning=True,
            is_remote=True,
            is_tried_for_ever=True,
        ),
        Kind.SETTLE: Rules(is_background=True, is_tried_for_ever=True),
        # One at a time needs no share of its registry, so it is not remote.
        Kind.VERIFY: Rules(is_background=True, is_last=True),
        # It ends as soon as another job waits, so it is not remote either.
        Kind.MIRROR: Rules(is_background=True, is_last=True),
        Kind.PUBLISH: Rules(is_background=True, is_last=True),
        Kind.FOLLOW: Rules(
            is_background=True, is_last=True, is_foreign=True, is_tried_for_ever=True
        ),
        Kind.SWEEP: Rules(is_level=True, has_own_lane=True),
    }
)


ORDERED: Final = frozenset(kind for kind, rules in RULES.items() if rules.is_ordered)
ASKING: Final = frozenset(kind for kind, rules in RULES.items() if rules.asks_for_later)
ANNOUNCED: Final = frozenset({Kind.RELEASE, Kind.PUSH})
"""Kinds whose end other plugins of Dokku are told."""
