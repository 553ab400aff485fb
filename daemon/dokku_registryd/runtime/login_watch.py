"""The login watch: a thread that checks each login before a deploy needs it.

Each minute it looks for logins that are due, and asks their registries, within a budget
for each. The results are in the ledger: a refused login is not tried again by the next
process either. What a registry does not answer changes nothing.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import expiry
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.notify import login_checks, troubles
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.status import unchecked
from dokku_registryd.effects.registry import login_checks as questions
from dokku_registryd.runtime import turns

TURN_SECONDS: Final = 60.0
"""How often logins that may be due are looked for."""
LIST_SECONDS: Final = 300.0
"""How often the apps are listed, which reads their properties."""
_SALT_BYTES: Final = 4
_Target = tuple[str, str]


class Store(Protocol):
    """The ledger."""

    def login_checks(self) -> list[Check]:
        """Return the latest check of each login."""

    def put_login_check(self, check: Check) -> None:
        """Replace the latest check of a login."""

    def forget_login_check(self, check: Check) -> None:
        """Remove what is known about a login that no app uses any more."""


@dataclass(frozen=True, slots=True)
class Found:
    """A login, and where it comes from."""

    auth: AuthConfig
    is_renewed: bool
    """Whether a credential helper gives it, and so renews it."""


@dataclass(slots=True)
class _Seen:
    """When an app's login was last resolved, and the key of its check."""

    at: float
    key: tuple[str, str, str] | None
    is_open: bool = False
    """Whether a bug has hidden it."""


class LoginWatch(turns.TurnThread):
    """Checks logins until it is stopped.

    Args:
        store: The ledger.
        context: Returns the ports in use.
        locate: Returns the login of an app for a registry; may fail.
        interval_seconds: The setting `registry.login_check_seconds`; 0 means never.
    """

    def __init__(
        self,
        *,
        store: Store,
        context: Callable[[], ports.Context],
        locate: Callable[[str, str], Found | None],
        interval_seconds: float,
    ) -> None:
        super().__init__("login-watch")
        self._store = store
        self._ports = context
        self._locate = locate
        self._seen: dict[_Target, _Seen] = {}
        self._listed: set[_Target] = set()
        self._listed_until = 0.0
        self._troubles: dict[troubles.Key, str] | None = None
        self._unchecked = unchecked.PENDING
        self._interval = interval_seconds

    def reload(
        self,
        *,
        locate: Callable[[str, str], Found | None],
        interval_seconds: float,
    ) -> None:
        """Use other settings from the next turn on."""
        self._locate, self._interval = locate, interval_seconds

    @property
    def troubles(self) -> Mapping[troubles.Key, str] | None:
        """The troubles of logins; None before the first turn."""
        return self._troubles

    @property
    def unchecked(self) -> str:
        """Why logins were not all checked, as `core.status.unchecked` names it."""
        if self.has_died:
            return unchecked.DEAD
        return self._unchecked if self._interval else unchecked.OFF

    def turn(self) -> None:
        """Check the logins that are due.

        Raises:
            RegistrydError: Ledger or apps cannot be read.
        """
        if not self._interval:
            self._forget_all()
            return
        context = self._ports()
        wanted = self._wanted(context)
        self._seen = {key: seen for key, seen in self._seen.items() if key in wanted}
        checks = {check.key: check for check in self._store.login_checks()}
        asked: Counter[str] = Counter()
        silent: set[str] = set()
        for target in sorted(wanted, key=self._age):
            if self._stopping.is_set():
                return
            if self._is_recent(target, checks):
                continue
            app, domain = target
            if domain in silent or asked[domain] >= login_checks.MOST_ASKED:
                continue
            try:
                known = self.ask(
                    partial(self._look, target, checks, context), app=app, domain=domain
                )
            except errors.DefectError:
                asked[domain] += 1
                self._put_off(target, context)
                continue
            if known is None:
                continue
            asked[domain] += 1
            if known.standing is Standing.UNKNOWN:
                silent.add(domain)
        self._forget_unused(wanted, checks)
        self._unchecked = _why_unchecked(wanted - self._seen.keys(), silent, checks)
        if not self._unchecked and any(seen.is_open for seen in self._seen.values()):
            self._unchecked = unchecked.UNANSWERED
        self._troubles = login_checks.find_troubles(
            checks.values(), now=context.clock.now()
        )

    def _seconds(self) -> float:
        return min(TURN_SECONDS, self._interval or TURN_SECONDS)

    def _postpone(self, error: errors.RegistrydError) -> None:
        structlog.get_logger().debug("login.unchecked", error=str(error))

    def _log_crash(self, error: Exception, asked: dict[str, str]) -> None:
        structlog.get_logger().error(
            "login.crashed", error=type(error).__name__, exc_info=True, **asked
        )

    def _put_off(self, target: _Target, context: ports.Context) -> None:
        """Let others go first after a bug; what is known of the login stays."""
        seen = self._seen.get(target)
        self._seen[target] = _Seen(
            context.clock.monotonic(), seen.key if seen else None, is_open=True
        )

    def _forget_all(self) -> None:
        """Forget what is known: nothing would show that a refused login works again."""
        self._troubles = {}
        self._unchecked = unchecked.PENDING
        self._seen.clear()
        for check in self._store.login_checks():
            self._store.forget_login_check(check)

    def _wanted(self, context: ports.Context) -> set[_Target]:
        now = context.clock.monotonic()
        if now >= self._listed_until:
            self._listed = questions.targets(context)
            self._listed_until = now + min(LIST_SECONDS, self._interval)
        return self._listed

    def _forget_unused(
        self, wanted: set[_Target], checks: dict[tuple[str, str, str], Check]
    ) -> None:
        """Forget logins of registries all of whose apps have been looked at."""
        seen = {target for target, one in self._seen.items() if not one.is_open}
        open_domains = {domain for app, domain in wanted - seen}
        used = {seen.key for seen in self._seen.values()}
        for key, check in list(checks.items()):
            if key not in used and check.domain not in open_domains:
                self._store.forget_login_check(check)
                del checks[key]

    def _age(self, target: _Target) -> tuple[float, _Target]:
        seen = self._seen.get(target)
        return (seen.at if seen else 0.0, target)

    def _is_recent(
        self, target: _Target, checks: Mapping[tuple[str, str, str], Check]
    ) -> bool:
        """Return whether a login need not be resolved now; that may start a helper."""
        seen = self._seen.get(target)
        if seen is None:
            return False
        check = checks.get(seen.key) if seen.key else None
        is_refused = check is not None and check.standing is Standing.REFUSED
        wait = self._interval * login_checks.spread(target)
        if is_refused:  # It is expected to change.
            wait = min(TURN_SECONDS / 2, wait)
        return self._ports().clock.monotonic() - seen.at < wait

    def _look(
        self,
        target: _Target,
        checks: dict[tuple[str, str, str], Check],
        context: ports.Context,
    ) -> Check | None:
        """Resolve a login, and ask about it if it is due; return the check if so."""
        app, domain = target
        now, at = context.clock.now(), context.clock.monotonic()
        try:
            found = self._locate(app, domain)
        except errors.RegistrydError as error:
            # The next deploy will fail; no registry has to be asked.
            check = Check(
                domain=domain,
                owner=app,
                username="",
                mark="",
                standing=Standing.REFUSED,
                reason=str(error),
                asked_at=now,
            )
            self._note(target, check, checks, at)
            return None
        if found is None:
            self._seen[target] = _Seen(at, None)
            return None
        auth = found.auth
        known = checks.get((domain, auth.owner, auth.username))
        if not login_checks.is_due(known, auth, now=now, interval=self._interval):
            self._seen[target] = _Seen(at, (domain, auth.owner, auth.username))
            return None
        check = login_checks.after(
            known,
            auth,
            domain=domain,
            salt=secrets.token_hex(_SALT_BYTES),
            answer=questions.ask(domain, auth, context),
            validity=None if found.is_renewed else expiry.of(auth),
            now=now,
        )
        self._note(target, check, checks, at)
        return check

    def _note(
        self,
        target: _Target,
        check: Check,
        checks: dict[tuple[str, str, str], Check],
        at: float,
    ) -> None:
        known = checks.get(check.key)
        was = known.standing if known else Standing.UNKNOWN
        self._store.put_login_check(check)
        checks[check.key] = check
        self._seen[target] = _Seen(at, check.key)
        if check.standing is not was:
            _tell(target, check, was)


def _why_unchecked(
    unseen: set[_Target],
    silent: set[str],
    checks: Mapping[tuple[str, str, str], Check],
) -> str:
    """Return why logins were not all checked; empty if they were."""
    if any(domain not in silent for _, domain in unseen):
        return unchecked.PENDING
    is_open = any(check.is_open for check in checks.values())
    return unchecked.UNANSWERED if unseen or is_open else ""


def _tell(target: _Target, check: Check, was: Standing) -> None:
    """Log a change of a login's standing."""
    app, domain = target
    log = structlog.get_logger()
    login = check.subject
    if check.standing is Standing.REFUSED:
        log.warning(
            "login.refused", app=app, domain=domain, login=login, error=check.reason
        )
    elif check.standing is Standing.EXPIRING:
        log.warning(
            "login.expiry_noticed",
            app=app,
            domain=domain,
            login=login,
            expires_at=check.expires_at,
        )
    elif check.standing is Standing.ACCEPTED and was is not Standing.UNKNOWN:
        log.info("login.restored", app=app, domain=domain, login=login)
