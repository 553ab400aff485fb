"""The app checks of `doctor`: would a push and a pull work now?

The checks of one app depend on each other, so they run in order and stop at the first
failure; apps are checked in parallel. Nothing is uploaded: the permissions of a login
are read from its token, if the registry issues a readable one.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from dokku_registryd import errors, ports
from dokku_registryd.adapters.auth import resolver
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.dokku import other_plugins
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.job import outcomes, retries
from dokku_registryd.core.release import adoption, preflight, releases
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding, Level
from dokku_registryd.effects import adopt
from dokku_registryd.effects.app import app_state
from dokku_registryd.verbs.service import (
    doctor_mirror,
    doctor_names,
    doctor_parts,
    doctor_properties,
)

_PARALLEL = 8
_TOTAL_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class DoctorContext:
    """The ports and clients of the checks, and known answers of registries."""

    context: ports.Context
    registry: client.RegistryClient
    credentials: resolver.AuthConfigs
    is_healing: bool
    """Whether the service runs."""
    config_root: Path
    """Dokku's folder of properties."""
    sharing: Mapping[str, str] = field(default_factory=dict)
    """What is said of each app that shares its repository."""
    _pings: dict[tuple[str, AuthConfig | None], errors.RegistrydError | None] = field(
        default_factory=dict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ping(
        self, domain: str, login: AuthConfig | None
    ) -> errors.RegistrydError | None:
        """Return why a registry refuses a login; None if it accepts it.

        The answer is cached, so apps that share a login rarely ask twice.
        """
        key = (domain, login)
        with self._lock:
            if key in self._pings:
                return self._pings[key]
        refusal = _refusal(functools.partial(self.registry.ping, domain, auth=login))
        with self._lock:
            self._pings[key] = refusal
        return refusal


def examine(around: DoctorContext, *, only: str | None) -> Iterator[Finding]:
    """Yield the findings about one app, or about all apps."""
    # Missing apps are findings of the host.
    every = list(around.context.properties.root().apps)
    apps = [only] if only else every
    around.sharing = _sharing(around.context, every)
    pool = ThreadPoolExecutor(_PARALLEL, "doctor")
    asked = {name: pool.submit(_look, around, name, bool(only)) for name in apps}
    wait(asked.values(), _TOTAL_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for name, future in asked.items():
        if future.done() and not future.cancelled():
            yield from future.result()
        else:
            yield findings.warn(
                "app",
                f"not checked within {_TOTAL_SECONDS:g} s. Check it alone with: dokku"
                f" registryd:doctor {name}",
                app=name,
            )


def _sharing(context: ports.Context, apps: Iterable[str]) -> dict[str, str]:
    policies = {}
    for app in apps:
        # The checks of the app report what cannot be read.
        with contextlib.suppress(errors.RegistrydError):
            policies[app] = app_state.policy_of(context, app)
    shared = preflight.shared_repositories(policies.values())
    return {
        app: preflight.sharing(policies[app], others) for app, others in shared.items()
    }


def _look(around: DoctorContext, app: str, is_named: bool) -> list[Finding]:  # noqa: FBT001 - given to a pool
    try:
        return list(_app(around, app, is_named=is_named))
    except errors.RegistrydError as error:
        return [findings.fail("app", str(error), app=app)]
    except Exception as error:  # noqa: BLE001 - the other apps are checked anyway
        kind = type(error).__name__
        return [
            findings.fail(
                "app",
                f"not checked because of a bug in dokku-registryd ({kind}). Please"
                " report it",
                app=app,
            )
        ]


def _app(around: DoctorContext, app: str, *, is_named: bool) -> Iterator[Finding]:
    for path in around.context.deploying.odd(app):
        yield findings.warn(
            "deploy",
            f"{path} is not a regular file and is ignored. Remove it",
            app=app,
        )
    state = app_state.state_of(around.context, app)
    policy = state.policy
    if not policy.push_on_release:
        yield from doctor_properties.about_switch(around.context, app, is_named)
        yield from doctor_names.examine(
            around.context, state, is_healing=around.is_healing
        )
        return
    yield from doctor_properties.about_release(
        around.context, state, around.config_root
    )
    if app in around.sharing:
        yield findings.warn("repository", around.sharing[app], app=app)
    try:
        image = reference.parse(f"{policy.server}{policy.image_repo}:1")
    except errors.InvalidReferenceError:
        return  # Reported above.
    checks = _AppChecks(around, state, image, is_named)
    found = list(checks.findings())
    yield from doctor_names.examine(
        around.context, state, is_healing=around.is_healing, is_gone=checks.is_gone
    )
    yield from found
    yield from doctor_mirror.examine(
        state,
        around.context,
        credentials=around.credentials,
        registry=around.registry,
        ping=around.ping,
    )


@dataclass(slots=True)
class _AppChecks:
    """The registry checks of one app."""

    around: DoctorContext
    state: wanted.AppState
    image: reference.ImageReference
    is_named: bool
    is_gone: bool = False
    """Whether the image was found neither on this host nor in the registry."""

    @property
    def app(self) -> str:
        return self.state.policy.app

    def findings(self) -> Iterator[Finding]:
        found, trouble = None, ""
        try:
            found = self.around.credentials.locate(self.app, self.image.domain)
        except errors.RegistrydError as error:
            trouble = str(error)
        login = found.auth if found else None
        refusal = self.around.ping(self.image.domain, login)
        if isinstance(refusal, errors.UnresolvedHostError):
            # No login for a wrong name would help.
            yield self._nameless(refusal)
            return
        is_anonymous = found is None and not trouble
        if is_anonymous and isinstance(refusal, errors.AuthenticationError):
            yield self._lacking(needs=True)
            return
        if trouble:
            tell = findings.fail if refusal else findings.warn
            yield tell("login", trouble, app=self.app)
        else:
            yield self._login(found)
            yield from self._pull_secret(found)
        if refusal:
            if not trouble:
                said = self._refused(refusal, login)
                yield findings.fail("registry", said, app=self.app)
            return
        yield findings.ok(
            "registry",
            f"{self.image.domain} answers and accepts "
            + ("the login" if login else "anonymous requests"),
            app=self.app,
        )
        allowed = self._repository(login)
        yield allowed
        if allowed.level is not Level.FAIL:
            yield from self._release(login)

    def _refused(self, refusal: errors.RegistrydError, login: AuthConfig | None) -> str:
        return ways_out.complete(str(refusal), self.app, self.image.domain, login)

    def _nameless(self, refusal: errors.UnresolvedHostError) -> Finding:
        cure = retries.server_cure(self.app, refusal)
        return findings.fail("registry", f"{refusal}. {cure}", app=self.app)

    def _login(self, found: resolver.Located | None) -> Finding:
        if found is None:
            return self._lacking(needs=False)
        whose = "the global auth config" if found.is_global else "the app's auth config"
        place = f"docker-credential-{found.helper}, named in " if found.helper else ""
        who = f"user {found.auth.username!r}" if found.auth.username else "a token"
        return findings.ok("login", f"{who} from {place}{whose}", app=self.app)

    def _lacking(self, *, needs: bool) -> Finding:
        """Return that there is no login, and whether the registry has asked for one."""
        domain = self.image.domain
        way = (
            f"Log in with: {ways_out.log_in(self.app, domain, None)}"
            f" {ways_out.WITHOUT_TERMINAL}"
        )
        if needs:
            said = f"none for {domain}, which requires one. {way}"
            return findings.fail("login", said, app=self.app)
        return findings.warn("login", f"none for {domain}. {way}", app=self.app)

    def _pull_secret(self, found: resolver.Located | None) -> Iterator[Finding]:
        """Yield a warning if the nodes of a cluster get no password."""
        on_cluster = self.state.policy.scheduler == other_plugins.CLUSTER
        if found is None or not found.helper or not on_cluster:
            return
        read = self.around.context.properties.get
        if not other_plugins.has_own_pull_secret(self.app, read):
            yield findings.warn(
                "login",
                f"docker-credential-{found.helper} has it, so the nodes of the cluster"
                " get no password: Dokku makes their pull secret from config.json. Log"
                " the app in with a config.json that names no helper, or name a secret"
                f" with: dokku scheduler-k3s:set {self.app}"
                f" {other_plugins.PULL_SECRETS} NAME",
                app=self.app,
            )

    def _repository(self, login: AuthConfig | None) -> Finding:
        name = self.image.repository
        try:
            actions = self.around.registry.actions(self.image, auth=login)
        except errors.RegistrydError as error:
            said = self._refused(error, login)
            return findings.fail("repository", said, app=self.app)
        if actions is None:
            return findings.ok(
                "repository",
                f"{name}: only a push can show whether the login may push",
                app=self.app,
            )
        lacking = [action for action in ("pull", "push") if action not in actions]
        if lacking:
            return findings.fail(
                "repository",
                f"{name}: the login may not {' or '.join(lacking)}. Grant it in the"
                " registry, or log in as another user with: "
                + ways_out.log_in_as_other(self.app, self.image.domain),
                app=self.app,
            )
        return findings.ok("repository", f"{name}: may pull and push", app=self.app)

    def _release(self, login: AuthConfig | None) -> Iterator[Finding]:
        deployed = wanted.deployed_of(self.state)
        if deployed is None:
            yield findings.ok("release", "no release yet", app=self.app)
            return
        name = deployed.reference
        row = wanted.release_of(self.state, deployed)
        recorded = (row.digest if row else "") or deployed.digest
        try:
            image = reference.parse(name)
            if image.domain != self.image.domain:
                found = self.around.credentials.locate(self.app, image.domain)
                login = found.auth if found else None
            digest = self.around.registry.digest(image, auth=login)
        except errors.RegistrydError as error:
            if isinstance(error, errors.PermanentError) and self._is_presumed(row):
                yield findings.warn(
                    "release",
                    f"{name} counts as confirmed because the registry accepted the"
                    " push, but this login may not read it, so a heal cannot restore"
                    f" it: {error}",
                    app=self.app,
                )
            else:
                said = ways_out.complete(str(error), self.app, image.domain, login)
                yield findings.fail("release", said, app=self.app)
            return
        compared = self._compare(name, digest, recorded, self._lost(deployed))
        yield compared
        if digest is not None:
            yield from self._numbers(deployed.number, image, login)
        if compared.level is not Level.OK or row is None or not row.digest:
            return
        context = self.around.context
        if self.is_named:
            yield from doctor_parts.ask(row, self.around.registry, login, context)
        else:
            yield from doctor_parts.recall(row, context)

    def _is_presumed(self, row: releases.Release | None) -> bool:
        """Return whether only the push itself confirmed a release."""
        record = self.around.context.ledger.job(row.job_id) if row else None
        ended = record.outcome if record else None
        return ended is not None and ended.detail.startswith(outcomes.UNSEEN)

    def _lost(self, deployed: releases.DeployedRelease) -> str:
        """Return what is to be done if the registry lacks the image too, as `adopt`.

        It is empty if the image is here.
        """
        context = self.around.context
        row = wanted.release_of(self.state, deployed)
        names = [deployed.reference, deployed.local_reference]
        names += [row.image_id] if row and row.image_id else []
        scheduler = row.scheduler if row else self.state.policy.scheduler
        try:
            found = (context.engine.image(name) for name in names)
            local = next((one for one in found if one is not None), None)
        except errors.EngineUnavailableError:
            return ""  # Unknown; another finding reports the Engine.
        return adoption.about_image(
            adoption.Findings(
                state=self.state,
                deployed=deployed,
                scheduler=scheduler,
                keeps_images=scheduler in context.schedulers,
                image=local,
                is_named_by_digest=False,
                answer=adoption.Answer(),
            )
        )

    def _numbers(
        self, number: int, image: reference.ImageReference, login: AuthConfig | None
    ) -> Iterator[Finding]:
        """Yield a warning if others have pushed higher numbers, as `adopt` does."""
        own = {str(row.number) for row in self.state.releases}
        highest = adopt.highest(
            number,
            lambda: [
                tag
                for tag in self.around.registry.tags(image, auth=login)
                if tag not in own
            ],
        )
        if highest:
            text = adoption.about_highest(number, highest)
            yield findings.warn("release", text, app=self.app)

    def _compare(
        self, name: str, digest: str | None, recorded: str, lost: str
    ) -> Finding:
        if digest is None and lost:
            self.is_gone = True
            return findings.fail("release", lost, app=self.app)
        if digest is None:
            return findings.fail(
                "release",
                f"{name} is not in the registry. Push it with: dokku registryd:push"
                f" {self.app}",
                app=self.app,
            )
        if not recorded:
            return findings.warn(
                "release",
                f"{name} is in the registry, but its digest is not recorded, so a heal"
                " cannot verify the image that it pulls. Record it with:"
                " dokku-registryd adopt",
                app=self.app,
            )
        if digest != recorded:
            return findings.fail(
                "release",
                f"{name} is {digest} in the registry, but {recorded} was pushed. Find"
                " out who else pushes to it; a heal pulls by the recorded digest",
                app=self.app,
            )
        return findings.ok(
            "release",
            f"{name} is in the registry with the recorded digest",
            app=self.app,
        )


def _refusal(question: Callable[[], None]) -> errors.RegistrydError | None:
    try:
        question()
    except errors.RegistrydError as error:
        return error
    return None
