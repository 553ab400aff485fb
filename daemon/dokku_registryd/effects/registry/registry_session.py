"""An app's access to one registry, with one fresh login before a refusal counts.

It also enforces the pause of a registry that asked for fewer requests, for all jobs
that the registry counts together (`core.registry.backoff`), and spaces the requests of
an attempt at one that serves it, but refuses a burst (`core.registry.pacing`).
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins, ways_out
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.image import reference
from dokku_registryd.core.job.jobs import Job
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.registry import pacer

Answer = TypeVar("Answer")


def to_the_end() -> None:
    """The `check` of requests that nothing ends early.

    They are few, and a user waits for them, or they undo what was done.
    """


def of_release(
    release: Release,
    job: Job,
    policy: dokku_policy.AppPolicy,
    context: ports.Context,
    *,
    check: Callable[[], object],
) -> "RegistrySession":
    """Return a release's access to its registry; a waiting deploy may ask now and then.

    The rest of a release that the registry has confirmed (such as extra tags) ignores
    pauses: the registry serves it already, and Dokku waits for it.
    """
    waiter = None
    if not release.is_deploy_continued:
        waiter = backoff.Waiter(
            waited_seconds=job.waited_seconds(
                now=context.clock.now(), monotonic=context.clock.monotonic()
            ),
            deadline_seconds=policy.push_deadline_seconds,
        )
    return RegistrySession(
        context,
        app=release.app,
        domain=reference.parse(release.reference).domain,
        direction=backoff.Direction.PUSH,
        waiter=waiter,
        is_under_way=release.state is not ReleaseState.RESERVED,
        check=check,
    )


class RegistrySession:
    """Calls a registry or the Engine with an app's login for one domain.

    It resolves the login on use, and once more after a refusal: tokens of some
    registries live for hours only, and the operator may just have logged in.
    Thread-safe.

    Args:
        context: The host.
        app: The app whose login is used.
        domain: The registry.
        direction: Push or pull, for all requests of the attempt.
        check: Raises if the attempt should end. It is called several times a second
            while a request waits, by several threads.
        waiter: The deploy that waits for it, if any.
        is_under_way: Whether the registry has already served this attempt's purpose,
            so that it ignores pauses.
        is_aside: Whether no deploy needs its requests. They keep to pauses, but what is
            answered to so many of them begins or ends none for deploys.
    """

    def __init__(
        self,
        context: ports.Context,
        *,
        app: str,
        domain: str,
        direction: backoff.Direction,
        check: Callable[[], object],
        waiter: backoff.Waiter | None = None,
        is_under_way: bool = False,
        is_aside: bool = False,
    ) -> None:
        self._context = context
        self._app = app
        self._domain = reference.normalize_domain(domain)
        self._direction = direction
        self._waiter = waiter
        self._is_under_way = is_under_way
        self._is_aside = is_aside
        self._refusal: errors.TransientError | None = None
        self._auth: logins.AuthConfig | None = None
        self._is_resolved = False
        self._trouble: errors.AuthenticationError | None = None
        self._lock = threading.Lock()
        self._probing = threading.Lock()
        self._pacer = pacer.Pacer(
            context.clock,
            check=check,
            tell=self._tell_slow,
        )

    def call(
        self,
        operation: Callable[[logins.AuthConfig | None], Answer],
        *,
        is_paced: bool = True,
    ) -> Answer:
        """Run an operation with the login; retry with a fresh one if it is refused.

        Args:
            operation: What to do. It may run several times.
            is_paced: Whether it is one request of ours, which may be repeated after a
                moment; the Engine waits as it likes.

        Raises:
            AuthenticationError: A freshly resolved login is refused too, or the login
                is unreadable and the registry requires one.
            HeldBackError: The registry is paused, and was not asked.
        """
        if self._is_under_way:
            return self._ask(operation, is_paced=is_paced)
        key = self._key()
        if self._check(key) is None:
            return self._ask(operation, is_paced=is_paced)
        with self._probing:
            # Other requests of this attempt wait for the one answer.
            if self._refusal is not None:
                raise self._refusal
            answer = self._ask(operation, is_paced=is_paced)
            if not self._is_aside:
                self._context.ledger.end_pause(key)
        return answer

    def _ask(
        self,
        operation: Callable[[logins.AuthConfig | None], Answer],
        *,
        is_paced: bool,
    ) -> Answer:
        try:
            if is_paced:
                answer = self._pacer.run(lambda: self._call(operation))
            else:
                answer = self._call(operation)
        except errors.TransientError as error:
            if backoff.asks_for_pause(error):
                # A limit on pulls does not delay other requests of a push.
                if backoff.direction_of(error, self._direction) is self._direction:
                    self._refusal = error
                if not self._is_aside:
                    self._begin_pause(error)
            raise
        self._is_under_way = True
        return answer

    def _call(self, operation: Callable[[logins.AuthConfig | None], Answer]) -> Answer:
        try:
            return self._try(operation)
        except (errors.AuthenticationError, errors.AccessDeniedError) as error:
            if self._trouble is not None:
                raise self._trouble from error
            said = ways_out.complete(str(error), self._app, self._domain, self._auth)
            if said == str(error):
                raise
            raise errors.AuthenticationError(said, status=error.status) from error

    def _try(self, operation: Callable[[logins.AuthConfig | None], Answer]) -> Answer:
        try:
            return operation(self._resolve())
        except errors.AuthenticationError:
            return operation(self._resolve(refresh=True))

    def _check(self, key: backoff.Key) -> backoff.Pause | None:
        """Return the latest pause, over or not; raise if it blocks this request."""
        known = self._context.ledger.pause_of(key)
        now = self._context.clock.now()
        remaining = known.remaining(now) if known else 0.0
        if known is None or not remaining:
            return known
        if self._waiter is not None:
            probe_in = self._waiter.seconds_to_probe(known, now)
            if not probe_in:
                return known
        else:
            probe_in = remaining
        error = errors.HeldBackError(known.held_back(self._app, now))
        # Jobs that wait for the same end must not all retry at the same moment.
        wait = remaining + self._context.delay(known.failures, error)
        error.retry_after = wait if self._waiter is None else min(wait, probe_in)
        raise error

    def _begin_pause(self, error: errors.TransientError) -> None:
        direction = backoff.direction_of(error, self._direction)
        key = replace(self._key(), direction=direction)
        now = self._context.clock.now()
        known = self._context.ledger.pause_of(key)
        failures = backoff.failures_after(known, now=now)
        pause = backoff.begin(
            known,
            key=key,
            app=self._app,
            error=error,
            delay=self._context.delay(failures, error),
            now=now,
        )
        self._context.ledger.set_pause(pause)
        structlog.get_logger().warning(
            "registry.paused",
            domain=key.domain,
            app=self._app,
            login=key.login,
            direction=key.direction.value,
            delay_seconds=round(pause.seconds, 1),
            failures=pause.failures,
            error=str(error),
        )

    def _tell_slow(self, error: errors.TransientError) -> None:
        structlog.get_logger().info(
            "registry.slowed", domain=self._domain, app=self._app, error=str(error)
        )

    def _key(self) -> backoff.Key:
        auth = self._resolve()
        return backoff.key_of(
            domain=self._domain,
            owner=None if auth is None else auth.owner,
            username="" if auth is None else auth.username,
            direction=self._direction,
        )

    def _resolve(self, *, refresh: bool = False) -> logins.AuthConfig | None:
        """Return the login; None if it is unreadable, as the registry may need none."""
        with self._lock:
            if refresh or not self._is_resolved:
                self._trouble, self._auth = None, None
                try:
                    self._auth = self._context.credentials.resolve(
                        self._app, self._domain
                    )
                except errors.AuthenticationError as error:
                    self._trouble = error
                self._is_resolved = True
            return self._auth
