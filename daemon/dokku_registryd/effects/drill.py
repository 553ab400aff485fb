"""Drill: ask registries whether the deployed images would come back on an empty host.

It only reads: no image is pulled, nothing is recorded, and the Engine is asked for its
settings alone. A registry that does not answer is asked once, not once for each app.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins, ways_out
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness, drills
from dokku_registryd.core.release.completeness import Look, Number, Record
from dokku_registryd.core.release.drills import Answer, Login, Mirror, Verdict
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.registry import parts_look

_TRUE = "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A deployed release to ask for."""

    deployed: DeployedRelease
    image: reference.ImageReference
    release: Release | None
    record: Record | None
    answer: Answer
    """What is known before anything is asked."""
    mirror: str = ""
    """The repository of its mirror, with its registry; empty for none."""

    @property
    def digest(self) -> str:
        return self.answer.digest

    @property
    def host(self) -> str:
        return reference.normalize_domain(self.image.domain)


class Drill:
    """Asks about the apps of one host.

    Args:
        context: The host.
        only: The one app to ask about, without regard to budgets; None for all.
    """

    def __init__(self, context: ports.Context, *, only: str | None = None) -> None:
        self._context = context
        self._only = only
        self._lock = threading.Lock()
        self._silent: dict[str, str] = {}
        """Registries that did not answer, and why."""
        self._budget = drills.Budget((), 0.0)

    def run(self) -> list[Answer]:
        """Return the answers, sorted by app.

        Raises:
            EngineUnavailableError: The Engine does not tell its settings.
            TransientError: The apps cannot be listed.
        """
        self._context.engine.facts()  # They decide how each registry is reached.
        found = list(self._targets())
        targets = [entry for entry in found if isinstance(entry, _Target)]
        answers = [entry for entry in found if isinstance(entry, Answer)]
        now = self._context.clock.now()
        self._budget = drills.Budget(
            [(one.host, one.record) for one in targets if one.record is not None], now
        )
        with ThreadPoolExecutor(self._context.parallel_tags, "drill") as pool:
            answers += pool.map(self._ask_both, targets)
        return sorted(answers, key=lambda answer: answer.app)

    def _targets(self) -> Iterator[_Target | Answer]:
        context = self._context
        states, unread = app_state.all_states(context)
        known = set(unread)
        for app, reason in unread.items():
            if self._only in {None, app}:
                yield Answer(app=app, verdict=Verdict.UNKNOWN, reason=reason)
        for state in states:
            known.add(state.policy.app)
            if self._only in {None, state.policy.app}:
                yield from self._target(state)
        for app in context.properties.apps():
            if app not in known and self._only in {None, app} and self._runs(app):
                yield self._never_released(app)

    def _never_released(self, app: str) -> Answer:
        """Return the answer for an app that was deployed, but never with a number."""
        try:
            policy = app_state.policy_of(self._context, app)
        except errors.UnreadableError as error:
            return Answer(app=app, verdict=Verdict.UNKNOWN, reason=str(error))
        return drills.unreleased(app) if policy.push_on_release else drills.local(app)

    def _runs(self, app: str) -> bool:
        """Return whether Dokku has deployed an app."""
        try:
            return self._context.properties.get("common", app, "deployed") == _TRUE
        except errors.UnreadableError:
            return True

    def _target(self, state: wanted.AppState) -> Iterator[_Target | Answer]:
        app, deployed = state.policy.app, wanted.deployed_of(state)
        if deployed is None:
            if state.policy.push_on_release and state.deployed is not None:
                yield drills.unpushed(app, "")
            elif self._runs(app):
                yield self._never_released(app)
            return
        release = wanted.release_of(state, deployed)
        digest = (release.digest if release else "") or deployed.digest
        if (
            release is not None
            and not digest
            and release.state is not ReleaseState.PUSHED
        ):
            yield drills.unpushed(app, deployed.reference)
            return
        answer = Answer(
            app=app,
            verdict=Verdict.UNKNOWN,
            reference=deployed.reference,
            digest=digest,
        )
        try:
            image = reference.parse(deployed.reference)
        except errors.InvalidReferenceError as error:
            yield replace(answer, verdict=Verdict.NO, reason=str(error))
            return
        record = self._context.ledger.check_of(release.job_id) if release else None
        yield _Target(
            deployed=deployed,
            image=image,
            release=release,
            record=record,
            answer=answer,
            mirror=state.policy.mirror if digest else "",
        )

    def _ask_both(self, target: _Target) -> Answer:
        answer = self._ask(target)
        if not target.mirror:
            return answer
        return drills.mirrored(answer, self._ask_mirror(target), target.mirror)

    def _ask_mirror(self, target: _Target) -> Mirror:
        """Ask the second registry for each part, by the digest of the release."""
        app, digest = target.answer.app, target.digest
        try:
            image = reference.parse(f"{target.mirror}@{digest}")
            there = replace(target, image=image)
            login = self._context.credentials.resolve(app, image.domain)
            if there.host in self._silent or self._is_paused(there, login):
                return Mirror.UNKNOWN
            if self._context.registry.digest(image, auth=login) is None:
                return Mirror.LACKING
            if not self._may_ask(there):
                return Mirror.UNKNOWN
            look, reason = self._look(there, login)
        except (errors.AuthenticationError, errors.AccessDeniedError):
            return Mirror.REFUSED
        except (
            errors.TransientError,
            errors.PermanentError,
            errors.InvalidReferenceError,
        ):
            return Mirror.UNKNOWN
        return drills.of_mirror(look, reason)

    def _ask(self, target: _Target) -> Answer:
        answer = target.answer
        silent = self._silent.get(target.host)
        if silent is not None:
            return drills.unasked(answer, silent)
        login = None
        try:
            login = self._context.credentials.resolve(answer.app, target.image.domain)
            if self._is_paused(target, login):
                return drills.unasked(answer, completeness.LIMITED)
            found = self._look_up(target, login)
        except (errors.AuthenticationError, errors.AccessDeniedError) as error:
            is_denied = isinstance(error, errors.AccessDeniedError)
            cure = ways_out.log_in(
                answer.app, target.host, None if is_denied else login
            )
            return drills.refused(answer, ways_out.without(str(error)), cure)
        except errors.TransientError as error:
            if not backoff.asks_for_pause(error):
                self._silent[target.host] = str(error)
            return drills.unasked(answer, str(error))
        except errors.PermanentError as error:
            return drills.unasked(answer, str(error))
        accepted = Login.ACCEPTED if login is not None else Login.ANONYMOUS
        answer = replace(answer, login=accepted)
        return self._judge(replace(target, answer=answer), found, login)

    def _look_up(self, target: _Target, login: logins.AuthConfig | None) -> str | None:
        """Return the digest under the number; empty if it is of another kind."""
        try:
            return self._context.registry.digest(target.image, auth=login)
        except errors.ForeignManifestError:
            return ""

    def _judge(
        self, target: _Target, found: str | None, login: logins.AuthConfig | None
    ) -> Answer:
        if found is None:
            number = Number.GONE
        else:
            is_kept = found and found == (target.digest or found)
            number = Number.KEPT if is_kept else Number.MOVED
        answer = drills.counted(target.answer, number, is_proved=bool(target.digest))
        if answer.verdict is Verdict.NO:
            return answer
        if not target.digest:
            return drills.unproved(answer)
        now = self._context.clock.now()
        record = target.record
        if (
            record is not None
            and number is Number.KEPT
            and self._only is None
            and drills.is_fresh(record, target.digest, now)
        ):
            return drills.recalled(answer, record)
        if not self._may_ask(target):
            return drills.unasked(answer, drills.BUDGET_USED)
        look, reason = self._look(target, login)
        return drills.looked(answer, look, reason, now)

    def _may_ask(self, target: _Target) -> bool:
        """Return whether the registry may be asked for each part; reserve it."""
        with self._lock:
            return self._only is not None or self._budget.take(
                target.host, target.record, target.digest
            )

    def _look(
        self, target: _Target, login: logins.AuthConfig | None
    ) -> tuple[Look, str]:
        return parts_look.look(
            target.image,
            target.digest,
            self._reader(target, login),
            self._context.clock.monotonic,
            tree=completeness.tree_of(target.record, target.digest),
        )

    def _reader(
        self, target: _Target, login: logins.AuthConfig | None
    ) -> parts_look.Reader:
        registry, image = self._context.registry, target.image

        def is_scarce() -> bool:
            left = registry.allowance(image.domain, auth=login)
            return self._only is None and left is not None and left.is_scarce

        return parts_look.Reader(
            manifest=partial(registry.manifest, auth=login),
            has_blob=lambda digest: registry.has_blob(image, digest, auth=login),
            digest=partial(registry.digest, auth=login),
            is_scarce=is_scarce,
            platform=lambda: self._context.engine.facts().platform,
        )

    def _is_paused(self, target: _Target, login: logins.AuthConfig | None) -> bool:
        key = backoff.key_of(
            domain=target.host,
            owner=None if login is None else login.owner,
            username="" if login is None else login.username,
            direction=backoff.Direction.PULL,
        )
        pause = self._context.ledger.pause_of(key)
        return pause is not None and pause.remaining(self._context.clock.now()) > 0.0
