"""What the next turn of the follower would do, without a change."""

from collections.abc import Mapping
from dataclasses import dataclass

from dokku_registryd import errors, ports
from dokku_registryd.core.release import followed_names, following
from dokku_registryd.core.release.follow_turns import Known
from dokku_registryd.core.release.following import Plan, Seen
from dokku_registryd.core.status import follow_state
from dokku_registryd.effects import follow, follow_look
from dokku_registryd.effects.registry import registry_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What other hosts run, and what would change here."""

    plan: Plan
    problems: Mapping[str, str]
    """By repository, why its records cannot be read, or why there are none."""
    doubt: str
    """Why more may be followed than is understood; empty if it is all."""
    unread: frozenset[str]
    """The repositories that could not be read."""


def look(context: ports.Context) -> Preview:
    """Read all followed repositories, and compare them with the names here.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        UnreadableError: The property cannot be read.
        TransientError: The apps cannot be listed.
    """
    kept = list(followed_names.kept_of(context.engine.images()))
    said = follow.followed(context)
    names = said.repositories
    owners = follow.owners(context) if names else {}
    seen: dict[str, Seen | None] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            found = follow_look.look(
                name,
                owners.get(name, ""),
                Known(),
                context,
                is_full=True,
                check=registry_session.to_the_end,
            )
        except errors.EngineUnavailableError:
            raise
        except errors.RegistrydError as error:
            seen[name], problems[name] = None, str(error)
            continue
        seen[name] = one = following.seen_of(
            found.records, context.host, is_partial=bool(found.problem)
        )
        if reason := found.problem or follow_state.why_nothing(one, context.host):
            problems[name] = reason
    return Preview(
        plan=following.plan(
            seen, kept, keep=context.most_followed, is_all=not said.doubt
        ),
        problems=problems,
        doubt=said.doubt if seen or kept else "",
        unread=frozenset(name for name, one in seen.items() if one is None),
    )
