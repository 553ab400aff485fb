"""Sending: the Engine hands an image over, and our hands bring it into its registry.

It pushes to the relay, by a name that nobody else has and with a login that is good for
this one push. So layers go on by our client, refusals are heard at first hand, and the
manifest comes back to whoever asked: nothing has the number yet. Where the Engine does
not reach the relay it pushes by itself, as it would without us.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference
from dokku_registryd.effects.registry import extra_tags, registry_session

# What ends a push whatever the way, and is no sign that the relay was not reached.
_FINAL = (
    errors.CancelledError,
    errors.PreemptedError,
    errors.EngineUnavailableError,
    errors.ExhaustedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One image that is to get into its registry."""

    name: str
    """Its name there, with its number; the image has it on this host."""
    image_id: str
    on_progress: Callable[[str], None]
    give_way: Callable[[], None]


def hand_over(
    errand: Errand, session: registry_session.RegistrySession, context: ports.Context
) -> images.Manifest | None:
    """Bring all parts of an image into its registry, but none under its number.

    Returns:
        The manifest that the Engine would have put under the number; None where the
        Engine has to push by itself.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses.
    """
    reason = context.relay.why_not(context.engine.log_in)
    if reason:
        _check_spare(reason, errand, context)
        return None
    target = reference.parse(errand.name)
    with context.relay.open(target, context.registry, session.call) as passage:
        context.engine.tag(errand.image_id, passage.reference)
        try:
            _push(errand, passage, context)
        except errors.RegistrydError as error:
            if passage.failure is not None:
                raise passage.failure from error
            if passage.is_reached or isinstance(error, _FINAL):
                raise
        else:
            if passage.failure is not None:
                raise passage.failure
            if passage.manifest is not None:
                return passage.manifest
    # It went to somebody else on another loopback, or nowhere.
    context.relay.lost()
    _check_spare("the Engine did not come to the relay", errand, context)
    return None


def _check_spare(reason: str, errand: Errand, context: ports.Context) -> None:
    """Return if the Engine may push by itself."""
    if context.relay.is_required():
        raise errors.TransientError(
            f"cannot push {errand.name}: {reason}, and engine.push_path asks for the"
            " relay. Correct one of them"
        )


def push_directly(
    errand: Errand, session: registry_session.RegistrySession, context: ports.Context
) -> str:
    """Let the Engine push by itself, and return the digest that it reports."""
    return session.call(
        lambda auth: context.engine.push(
            errand.name,
            auth=auth,
            on_progress=errand.on_progress,
            give_way=errand.give_way,
        )
    )


def put(
    target: reference.ImageReference,
    manifest: images.Manifest,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> None:
    """Put what was handed over under its number.

    Raises:
        DigestMismatchError: The registry says that it stored something else.
        TagImmutableError: The number is taken, and may not move.
        RegistryUnavailableError: The registry lacks what it said it had.
    """
    try:
        extra_tags.put(target, manifest, session, context)
    except errors.ImageNotFoundError as error:
        raise errors.RegistryUnavailableError(
            f"{error}. Its parts were there a moment ago, and are looked for again"
        ) from error


def take_away(names: Iterable[str], context: ports.Context) -> None:
    """Take names of pushes away that did not live to do it themselves."""
    for name in names:
        if not context.relay.is_open(name):
            context.engine.untag(name)


def _push(errand: Errand, passage: ports.Passage, context: ports.Context) -> None:
    try:
        context.engine.push(
            passage.reference,
            auth=passage.login,
            on_progress=errand.on_progress,
            give_way=_Lookout(errand, passage).look,
            shown=passage.shown,
            liveness=passage.liveness,
        )
    finally:
        # A sweep does it where the Engine is away just now.
        with contextlib.suppress(errors.TransientError):
            context.engine.untag(passage.reference)


class _Lookout:
    """Looks whether a push is still needed, and may still succeed."""

    def __init__(self, errand: Errand, passage: ports.Passage) -> None:
        self._errand = errand
        self._passage = passage
        self._liveness = passage.liveness()

    def look(self) -> None:
        """Return if it goes on; let whoever waits know that bytes still move.

        Raises:
            RegistrydError: Why it ends.
        """
        self._errand.give_way()
        if self._passage.failure is not None:
            raise self._passage.failure
        liveness = self._passage.liveness()
        if liveness != self._liveness:
            self._liveness = liveness
            self._errand.on_progress("")
