"""The kinds of work, and all rules that hold for the jobs of one: a row each.

What a job of a kind does is a row in `runtime/execution.py`; what the hooks and the
daemon write down to ask for one is in `core/hook/triggers.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """What happened, or what somebody asks for."""

    RELEASE = "release"
    """Dokku released an image that is to be pushed; a hook waits for the answer."""
    LOCAL = "local"
    """Dokku released an image with push off: nothing of ours is deployed any more."""
    RECORDED = "recorded"
    """Dokku's own plugin has pushed a release under the number `tag`."""
    CANCELLED = "cancelled"
    """The deploy that waited for the release trigger `job` was broken off."""
    DEPLOYED = "deployed"
    """Containers of the new release run."""
    DESTROYED = "destroyed"
    """The app is gone."""
    RENAMED = "renamed"
    """The app `app` is called `other` from now on."""
    HEAL = "heal"
    """Look at one app's images now."""
    PUSH = "push"
    """Make sure that the registry has the app's deployed release."""
    ABANDONED = "abandoned"
    """Folders of an app were left that no longer exists; made by a sweep only."""
    SETTLE = "settle"
    """Find out how deploys of an app have ended; made by the daemon only."""
    SWEEP = "sweep"
    """Look at the whole host; made by the daemon only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for every job of one kind. All flags are off unless a row says so."""

    fields: tuple[str, ...] = ()
    """Keys that its trigger file must have; none: only the daemon asks for it."""
    optional: tuple[str, ...] = ()
    """Keys that it may have: hooks of an older version leave them out."""
    is_level: bool = False
    """It looks at the state anew when it runs: a newer one of the app replaces it."""
    is_awaited: bool = False
    """A hook or a person follows its reply."""
    is_exclusive: bool = False
    """Nothing else of the app may run beside it, no delivery either."""
    is_ordered: bool = False
    """It changes what Dokku runs: its place among the others of the app counts."""
    asks_for_later: bool = False
    """It asks which orders of the app were accepted after it, so those are kept."""
    is_background: bool = False
    """The daemon does it for itself, and it may wait for a registry."""
    is_preempting: bool = False
    """A heal of the app that runs gives up for it."""
    is_disowning: bool = False
    """A push of the app that runs gives up for it: what it pushes is nobody's
    afterwards, or goes on under another name."""
    is_remote: bool = False
    """It speaks to the app's registry, or to the helper that keeps its login."""
    is_sending: bool = False
    """Its good end shows that the registry takes what it is sent."""
    is_renewing: bool = False
    """After it the app needs other images than before."""
    is_dropping: bool = False
    """All that waits for the app ends with it."""
    outlives_app: bool = False
    """It is done also where the app was destroyed since."""
    is_tried_for_ever: bool = False
    """Nobody waits for it, and the state stays wrong until it succeeds."""
    has_own_lane: bool = False
    """It is about the whole host, not about an app; it is not recorded."""


RULES: Final[Mapping[Kind, Rules]] = MappingProxyType(
    {
        Kind.RELEASE: Rules(
            fields=("app", "image", "scheduler"),
            optional=("build", "waiter"),
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
            # Called otherwise, since a program that reads `build` may not know it here.
            optional=("deploy",),
            is_ordered=True,
            is_tried_for_ever=True,
        ),
        Kind.RECORDED: Rules(
            fields=("app", "scheduler", "tag"),
            is_ordered=True,
            is_remote=True,
            is_renewing=True,
            is_tried_for_ever=True,
        ),
        Kind.CANCELLED: Rules(fields=("app", "job"), is_tried_for_ever=True),
        Kind.DEPLOYED: Rules(
            fields=("app", "tag"), optional=("build",), is_level=True, is_renewing=True
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
        Kind.ABANDONED: Rules(
            is_exclusive=True,
            asks_for_later=True,
            is_disowning=True,
            is_remote=True,
            is_tried_for_ever=True,
        ),
        Kind.SETTLE: Rules(is_background=True, is_tried_for_ever=True),
        Kind.SWEEP: Rules(is_level=True, has_own_lane=True),
    }
)


ORDERED: Final = frozenset(kind for kind, rules in RULES.items() if rules.is_ordered)
ASKING: Final = frozenset(kind for kind, rules in RULES.items() if rules.asks_for_later)
