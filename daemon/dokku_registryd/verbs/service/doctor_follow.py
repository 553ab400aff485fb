"""The check of `doctor` for followed repositories: would a look succeed now?

No finding here is a failure: no deploy needs what is followed.
"""

from collections.abc import Iterator

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import followed_names, following
from dokku_registryd.core.release.follow_turns import Known
from dokku_registryd.core.status import findings, follow_state
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.effects import follow, follow_look
from dokku_registryd.effects.registry import registry_session

_CHECK = "follow"


def examine(context: ports.Context, *, is_served: bool) -> Iterator[Finding]:
    """Yield the findings; none if nothing is followed.

    Args:
        context: The host.
        is_served: Whether the service runs.
    """
    try:
        said = follow.followed(context)
        names = said.repositories
        owners = follow.owners(context) if names else {}
    except errors.RegistrydError as error:
        yield findings.warn(_CHECK, str(error))
        return
    for part in said.wrong:
        yield findings.warn(
            _CHECK,
            f"{part[:80]!r} is not SERVER/REPOSITORY, or one too many, and is ignored."
            " Correct it with: dokku registryd:set --global follow VALUE",
        )
    if names and not is_served:
        yield findings.warn(_CHECK, "the service does not run, so nothing is pulled")
    kept = _kept(context)
    if kept and said.doubt and not said.wrong:
        yield findings.warn(_CHECK, said.doubt)
    silent: set[str] = set()
    for name in names:
        domain = reference.parse(name).domain
        if domain in silent:
            continue
        try:
            yield _look(name, owners.get(name, ""), kept, context)
        except errors.RegistrydError as error:
            if isinstance(error, errors.TransientError):
                silent.add(domain)
            yield findings.warn(_CHECK, f"{name}: {error}")


def _look(
    name: str, owner: str, kept: frozenset[str], context: ports.Context
) -> Finding:
    found = follow_look.look(
        name,
        owner,
        Known(),
        context,
        is_full=True,
        check=registry_session.to_the_end,
    )
    seen = following.seen_of(found.records, context.host)
    reason = found.problem or follow_state.why_nothing(seen, context.host)
    if reason:
        return findings.warn(_CHECK, f"{name}: {reason}")
    wanted = {followed_names.name_of(name, record) for record in seen.records}
    lacking = len(wanted - kept)
    if lacking:
        return findings.warn(
            _CHECK,
            f"{name}: {lacking} of {len(wanted)} releases of other hosts lack here. The"
            " service pulls them when no other job uses a registry: see dokku"
            " registryd:status",
        )
    return findings.ok(_CHECK, f"{name}: all {len(wanted)} of other hosts are here")


def _kept(context: ports.Context) -> frozenset[str]:
    """Return the names that are here; none if the Engine does not say."""
    try:
        listed = context.engine.images()
    except errors.RegistrydError:
        return frozenset()  # A finding of the host.
    return frozenset(one.name for one in followed_names.kept_of(listed))
