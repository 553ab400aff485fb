"""The check of `doctor` for the parts of a release: can its image be pulled?

For a named app the registry is asked now, with GET and HEAD only. For all apps the
result of the latest check counts, because asking for each layer of each app takes long.
"""

import time
from collections.abc import Iterator

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.effects.registry import parts_look


def ask(
    release: Release,
    registry: client.RegistryClient,
    login: AuthConfig | None,
    context: ports.Context,
) -> Iterator[Finding]:
    """Yield the finding about a release, by asking its registry now."""
    image = reference.parse(release.reference)
    reader = parts_look.Reader(
        manifest=lambda target: registry.manifest(target, auth=login),
        has_blob=lambda digest: registry.has_blob(image, digest, auth=login),
        digest=lambda target: registry.digest(target, auth=login),
        platform=lambda: context.engine.facts().platform,
    )
    known = context.ledger.check_of(release.job_id)
    tree = completeness.tree_of(known, release.digest)
    found, reason = parts_look.look(
        image, release.digest, reader, time.monotonic, tree=tree
    )
    if found.missing:
        named = [str(part) for part in found.missing]
        yield _lacking(release, named, len(named), context)
    elif reason:
        yield findings.warn(
            "parts",
            f"cannot tell whether the registry has all of {release.reference}:"
            f" {reason}",
            app=release.app,
        )
    else:
        yield findings.ok(
            "parts",
            f"the registry has all {found.parts} parts of {release.reference}",
            app=release.app,
        )


def recall(release: Release, context: ports.Context) -> Iterator[Finding]:
    """Yield the finding of the latest check, if it found out anything."""
    known = context.ledger.check_of(release.job_id)
    if known is None or known.digest != release.digest:
        return
    if known.standing is completeness.Standing.INCOMPLETE:
        yield _lacking(release, known.missing, known.lacking, context)
    elif known.unread:
        yield findings.warn(
            "parts",
            f"the latest check could not tell whether the registry has all of"
            f" {release.reference}: {known.unread}. Ask again with: dokku"
            f" registryd:doctor {release.app}",
            app=release.app,
        )


def _lacking(
    release: Release,
    named: list[str] | tuple[str, ...],
    lacking: int,
    context: ports.Context,
) -> Finding:
    lacks = completeness.describe(named, lacking)
    return findings.fail(
        "parts",
        f"{release.reference} cannot be pulled: the registry lacks {lacks}."
        f" {_cure(release, context)}",
        app=release.app,
    )


def _cure(release: Release, context: ports.Context) -> str:
    try:
        is_here = context.engine.image(release.image_id) is not None
    except errors.EngineUnavailableError:
        is_here = True  # Another finding says that the Engine does not answer.
    if is_here:
        return f"Send them again with: dokku registryd:push {release.app}"
    return (
        "The image is not on this host, so they cannot be sent again: rebuild the app"
        f" with dokku ps:rebuild {release.app}"
    )
