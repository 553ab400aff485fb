"""Sending: the Engine hands an image over, and our client uploads it to its registry.

The Engine pushes to the relay, with a unique name and a login for this one push. Our
client uploads the layers, sees the registry's refusals itself, and returns the manifest
to the caller: no number is set yet. If the Engine cannot reach the relay, it pushes
directly, as it would without us.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.effects.registry import extra_tags, registry_session

_Answer = TypeVar("_Answer")

# Errors that end a push on either path; they do not mean an unreachable relay.
_FINAL = (
    errors.CancelledError,
    errors.PreemptedError,
    errors.EngineUnavailableError,
    errors.ExhaustedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One image to upload to its registry."""

    name: str
    """Its name there, with its number; the local image has the name."""
    image_id: str
    on_progress: Callable[[str], None]
    give_way: Callable[[], None]
    wait: Callable[[], object] = lambda: None
    """Returns once the registry may be asked; raises if it must not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """An image whose parts have been uploaded, but which has no number yet."""

    manifest: images.Manifest
    """The manifest that the Engine would have put under the number."""
    evidence: parts.Evidence
    """What the registry has shown to have meanwhile."""


def hand_over(
    errand: Errand, session: registry_session.RegistrySession, context: ports.Context
) -> Handed | None:
    """Upload all parts of an image to its registry, but not under its number.

    Returns:
        The image; None if the Engine has to push directly.

    If an upload has to begin again and its first bytes are gone, the Engine pushes once
    more: it sends only what the registry lacks.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses.
    """
    reason = context.relay.why_not(context.engine.log_in)
    if reason:
        _check_spare(reason, errand, context)
        return None
    try:
        return _try_to_hand_over(errand, session, context)
    except errors.SendAgainError as error:
        structlog.get_logger().warning(
            "upload.repeated", reference=errand.name, error=str(error)
        )
    try:
        return _try_to_hand_over(errand, session, context)
    except errors.SendAgainError as error:
        raise error.reason from error


def _try_to_hand_over(
    errand: Errand, session: registry_session.RegistrySession, context: ports.Context
) -> Handed | None:
    target = reference.parse(errand.name)
    call = _Patient(errand, session)
    with context.relay.open(
        target, context.registry, call, image_id=errand.image_id
    ) as passage:
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
                return Handed(manifest=passage.manifest, evidence=passage.evidence())
    # The Engine pushed to another server on another loopback, or nowhere.
    context.relay.lost()
    _check_spare("the Engine did not reach the relay", errand, context)
    return None


def _check_spare(reason: str, errand: Errand, context: ports.Context) -> None:
    """Raise unless the Engine may push directly."""
    if context.relay.is_required():
        raise errors.TransientError(
            f"cannot push {errand.name}: {reason}, but engine.push_path is relay."
            " Correct one of them"
        )


def push_directly(
    errand: Errand, session: registry_session.RegistrySession, context: ports.Context
) -> str:
    """Let the Engine push directly, and return the digest that it reports."""
    return session.call(
        lambda auth: context.engine.push(
            errand.name,
            auth=auth,
            on_progress=errand.on_progress,
            give_way=errand.give_way,
        ),
        is_paced=False,
    )


def put(
    target: reference.ImageReference,
    manifest: images.Manifest,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> None:
    """Put the uploaded manifest under its number.

    Raises:
        DigestMismatchError: The registry reports another digest.
        TagImmutableError: The number is taken, and cannot be moved.
        RegistryUnavailableError: The registry lacks parts that it reported before.
    """
    try:
        extra_tags.put(target, manifest, session, context)
    except errors.ImageNotFoundError as error:
        raise errors.RegistryUnavailableError(
            f"{error}. The registry had its parts a moment ago; they are checked again"
        ) from error


def take_away(names: Iterable[str], context: ports.Context) -> None:
    """Remove the temporary names of pushes that died before they could."""
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
        # A sweep does it if the Engine is unavailable now.
        with contextlib.suppress(errors.TransientError):
            context.engine.untag(passage.reference)


class _Patient:
    """Implements `ports.Call`: a push may begin before its registry is asked."""

    def __init__(
        self, errand: Errand, session: registry_session.RegistrySession
    ) -> None:
        self._errand = errand
        self._session = session

    def __call__(
        self, operation: Callable[[logins.AuthConfig | None], _Answer]
    ) -> _Answer:
        """Run an operation with the login, once that is allowed."""
        self._errand.wait()
        return self._session.call(operation)


class _Lookout:
    """Checks whether a push is still needed and can still succeed."""

    def __init__(self, errand: Errand, passage: ports.Passage) -> None:
        self._errand = errand
        self._passage = passage
        self._liveness = passage.liveness()

    def look(self) -> None:
        """Return if it may continue; report progress to the waiting hook.

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
