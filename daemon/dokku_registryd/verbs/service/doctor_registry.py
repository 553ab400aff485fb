"""The checks of `doctor` of one app's registry: its login, and what that may do.

Nothing is uploaded: the permissions of a login are read from its token, if the registry
issues a readable one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dokku_registryd import errors
from dokku_registryd.adapters.auth import resolver
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.dokku import other_plugins
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.job import retries
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding, Level
from dokku_registryd.verbs.service.doctor_context import DoctorContext
from dokku_registryd.verbs.service.doctor_release import ReleaseChecks


def examine(
    around: DoctorContext,
    state: wanted.AppState,
    image: reference.ImageReference,
    release: ReleaseChecks,
) -> Iterator[Finding]:
    """Yield the findings about the registry of an app, and then about its release.

    Args:
        around: The ports, and known answers.
        state: The app's state.
        image: Any reference in its repository.
        release: The checks that need the registry.
    """
    return _RegistryChecks(around, state, image, release).findings()


@dataclass(slots=True)
class _RegistryChecks:
    around: DoctorContext
    state: wanted.AppState
    image: reference.ImageReference
    release: ReleaseChecks

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
            yield from self.release.findings(self.image.domain, login)

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
