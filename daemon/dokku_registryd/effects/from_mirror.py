"""The image of a heal from the app's mirror, if its registry does not give it.

Only the recorded digest counts, so a mirror can never give another image. The names on
this host stay those of the registry.
"""

from collections.abc import Callable

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.registry import backoff
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import registry_session

# They are about this host or this job, so another registry does not help.
_OWN = (
    errors.EngineUnavailableError,
    errors.ExhaustedError,
    errors.PreemptedError,
    errors.CancelledError,
    errors.UnreadableError,
)


def pull(
    refusal: errors.RegistrydError,
    entry: wanted.Wanted,
    mirror: str,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    give_way: Callable[[], None],
) -> images.LocalImage | None:
    """Pull an image from the app's mirror; return None if that is not possible.

    Args:
        refusal: Why the registry did not give it.
        entry: What is missing.
        mirror: The repository of the mirror; empty for none.
        context: The host.
        reply: For the user.
        give_way: Raises if another job of the app goes first.

    Raises:
        PreemptedError: Another job of the app goes first.
        EngineUnavailableError: The Engine does not answer.
    """
    if not mirror or not entry.digest or isinstance(refusal, _OWN):
        return None
    target = f"{mirror}@{entry.digest}"
    reply.warning(str(refusal))
    reply.detail(f"Pulling {target} from the mirror")
    session = registry_session.RegistrySession(
        context,
        app=entry.app,
        domain=reference.parse(target).domain,
        direction=backoff.Direction.PULL,
        check=give_way,
    )
    try:
        image = session.call(
            lambda auth: context.engine.pull(target, auth=auth, give_way=give_way),
            is_paced=False,
        )
    except _OWN:
        raise
    except (errors.TransientError, errors.PermanentError) as error:
        reply.warning(str(error))
        return None
    structlog.get_logger().warning(
        "heal.mirrored",
        app=entry.app,
        reference=entry.source,
        target=mirror,
        digest=entry.digest,
        error=str(refusal),
    )
    return image


def forget_name(entry: wanted.Wanted, mirror: str, context: ports.Context) -> None:
    """Remove the mirror's digest from an image that has its own names now.

    The image would stay on the disk for it when it loses all of these.
    """
    context.engine.untag(f"{mirror}@{entry.digest}")
