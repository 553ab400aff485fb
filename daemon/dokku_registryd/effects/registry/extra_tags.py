"""Extra tags: names in the registry that move from one release to the next.

They move only after the number is confirmed, by putting its manifest under each tag, so
no layer is sent and no name is left on this host. Several of them move in one request
where the registry can do that, otherwise in parallel. Their digests are read and
recorded before the first one moves: if the release or its deploy fails later, they are
moved back.
"""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.dokku import tag_lists
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import tag_templates
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.deploy import precedence, reply_writer
from dokku_registryd.effects.registry import registry_session

_SEVERAL: Final = 2  # a single one takes one request anyway
UNREAD: Final = "?"
"""The registry did not answer: neither a digest nor an absence."""


def note(
    release: Release,
    tags: Iterable[str],
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> None:
    """Record the present digests of extra tags before a release moves them.

    An earlier record stays, even if the tags have moved since. A tag that the registry
    did not answer for is omitted; it is asked again when the tags move.
    """
    known = context.ledger.tag_moves(release.job_id)
    names = [name for name in names_of(release, tags, context) if name not in known]
    if not names:
        return
    image = reference.parse(release.reference)

    def ask(name: str) -> str:
        with contextlib.suppress(errors.TransientError, errors.PermanentError):
            return session.call(partial(digest_of, image.with_tag(name), context)) or ""
        return UNREAD

    with ThreadPoolExecutor(max_workers=context.parallel_tags) as pool:
        found = dict(zip(names, pool.map(ask, names), strict=True))
    told = {name: digest for name, digest in found.items() if digest != UNREAD}
    context.ledger.record_tag_moves(release.job_id, told)


def move(
    release: Release,
    tags: Iterable[str],
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    manifest: images.Manifest | None = None,
) -> None:
    """Put a confirmed release under each extra tag, all at once or in parallel.

    Its manifest is fetched unless it came with the confirmation.

    Raises:
        TransientError: The registry does not answer; some tags may have moved.
        PermanentError: It refuses one; others may have moved.
    """
    names = names_of(release, tags, context)
    if not names:
        return
    precedence.give_way(release.app, release.reference, context)
    image = reference.parse(release.reference)
    if manifest is None:
        manifest = session.call(partial(manifest_of, image, release.digest, context))
    if manifest is None:
        raise errors.RegistryUnavailableError(
            f"the registry confirmed {release.reference}, but does not return it"
        )
    note(release, names, session, context)
    _note_unread(release, names, context)
    for name in names:
        reply.detail(f"Tagging {release.image_repo} as {name} in registry format")
        reply.detail(f"Pushing {release.repository}:{name}")
    moved = _put_at_once(image, names, manifest, session, context)
    with ThreadPoolExecutor(max_workers=context.parallel_tags) as pool:
        # All are started before the first failure is raised.
        targets = [image.with_tag(name) for name in names if name not in moved]
        for result in [
            pool.submit(put, target, manifest, session, context) for target in targets
        ]:
            result.result()


def _put_at_once(
    image: reference.ImageReference,
    names: list[str],
    manifest: images.Manifest,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> frozenset[str]:
    """Return the tags that the registry accepted in one request.

    A refusal is left to the requests for single tags: theirs names the refused one.
    """
    if len(names) < _SEVERAL:
        return frozenset()
    try:
        return session.call(
            lambda auth: context.registry.put_tags(image, manifest, names, auth=auth)
        )
    except (errors.PermanentError, errors.RegistryUnavailableError) as error:
        if backoff.asks_for_pause(error):
            raise
        return frozenset()


def tell_left_out(
    policy: dokku_policy.AppPolicy, reply: reply_writer.ReplyWriter
) -> None:
    """Warn of values that a release ignores; Dokku's plugin continues too."""
    for text in policy.left_out:
        _tell(policy.app, text, reply)


def tell_skipped(
    release: Release,
    policy: dokku_policy.AppPolicy,
    origin: Origin,
    reply: reply_writer.ReplyWriter,
) -> None:
    """Warn of templates that give this release no tag."""
    for text in tag_templates.resolve(policy.extra_tags, release, origin).skipped:
        _tell(release.app, f"push-extra-tags: {text}", reply)


def _tell(app: str, text: str, reply: reply_writer.ReplyWriter) -> None:
    structlog.get_logger().warning("property.ignored", app=app, reason=text)
    reply.warning(text)


def _note_unread(release: Release, names: list[str], context: ports.Context) -> None:
    """Continue if digests cannot be read: a release matters more than undoing it."""
    known = context.ledger.tag_moves(release.job_id)
    unread = [name for name in names if name not in known]
    if not unread:
        return
    structlog.get_logger().warning(
        "tags.unrecorded", app=release.app, reference=release.reference, tags=unread
    )
    context.ledger.record_tag_moves(release.job_id, dict.fromkeys(unread, UNREAD))


def names_of(
    release: Release, tags: Iterable[str], context: ports.Context
) -> list[str]:
    """Return the tags that a release moves, without its own number.

    Args:
        release: The release.
        tags: Tags and templates, which get the values of this release.
        context: Its ledger has what made the release.
    """
    wanted = tuple(tags)
    if any(map(tag_lists.is_template, wanted)):
        origin = context.ledger.origin_of(release.job_id)
        wanted = tag_templates.resolve(wanted, release, origin).tags
    return [tag for tag in wanted if tag != str(release.number)]


def digest_of(
    target: reference.ImageReference,
    context: ports.Context,
    auth: logins.AuthConfig | None,
) -> str | None:
    """Ask for the digest of a tag; None if there is no such tag."""
    return context.registry.digest(target, auth=auth, for_push=True)


def manifest_of(
    image: reference.ImageReference,
    digest: str,
    context: ports.Context,
    auth: logins.AuthConfig | None,
) -> images.Manifest | None:
    """Ask for the manifest of a digest; None if it is gone."""
    target = image.with_digest(digest)
    return context.registry.manifest(target, auth=auth, for_push=True)


def put(
    target: reference.ImageReference,
    manifest: images.Manifest,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> None:
    """Put a manifest under a tag.

    Raises:
        DigestMismatchError: The registry stored something else.
    """
    stored = session.call(
        lambda auth: context.registry.put_manifest(target, manifest, auth=auth)
    )
    if stored != manifest.digest:
        raise errors.DigestMismatchError(
            f"{target.familiar} was put as {manifest.digest}, but the registry"
            f" stored {stored}. Ask the registry's operator why it changes"
            " manifests"
        )
