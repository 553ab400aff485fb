"""Checks of `doctor` of the release that an app runs: could a heal bring it back?"""

from collections.abc import Iterator
from dataclasses import dataclass

from dokku_registryd import errors
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.release import adoption, releases
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding, Level
from dokku_registryd.effects import adopt
from dokku_registryd.verbs.service import doctor_parts
from dokku_registryd.verbs.service.doctor_context import DoctorContext


@dataclass(slots=True)
class ReleaseChecks:
    """The checks of one app's release.

    Attributes:
        around: The ports, and known answers.
        state: The app's state.
        is_named: Whether only this app is checked, so that it may take longer.
        is_gone: Whether the image was found neither on this host nor in the registry.
    """

    around: DoctorContext
    state: wanted.AppState
    is_named: bool
    is_gone: bool = False

    @property
    def app(self) -> str:
        """The app's name."""
        return self.state.policy.app

    def findings(self, domain: str, login: AuthConfig | None) -> Iterator[Finding]:
        """Yield the findings.

        Args:
            domain: The registry that was asked before.
            login: The login there.
        """
        deployed = wanted.deployed_of(self.state)
        if deployed is None:
            yield findings.ok("release", "no release yet", app=self.app)
            return
        name = deployed.reference
        row = wanted.release_of(self.state, deployed)
        recorded = (row.digest if row else "") or deployed.digest
        try:
            image = reference.parse(name)
            if image.domain != domain:
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
