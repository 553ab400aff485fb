"""Adopt: record releases of Dokku's own plugin, and report differences.

`install` does this for every app that pushes, again after each change of mode; it can
be repeated at any time. It changes only the ledger and, if our plugin answers Dokku's
questions, the record behind those answers. If a registry does not answer, its apps are
adopted by what this host knows.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import adoption, numbering, preflight, releases
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.registry import registry_session

_UNSETTLED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


class Adopter:
    """Adopts the apps of one host.

    Args:
        context: The host.
        scheduler_of: Asks Dokku for an app's scheduler.
        is_dry_run: Change nothing.
    """

    def __init__(
        self,
        context: ports.Context,
        *,
        scheduler_of: Callable[[str], str],
        is_dry_run: bool = False,
    ) -> None:
        self._context = context
        self._scheduler_of = scheduler_of
        self._is_dry_run = is_dry_run
        self._silent: dict[str, str] = {}
        """Registries that did not answer, and why: each is asked only once."""
        self._is_named_by_digest = False

    def adopt_all(self) -> list[adoption.Adoption]:
        """Adopt every app with a pushed release, in the order of their names.

        Raises:
            EngineUnavailableError: The Engine does not answer.
            LedgerError: The ledger cannot be used.
        """
        engine = self._context.engine
        self._is_named_by_digest = engine.facts().image_store == "containerd"
        listing = engine.images()
        here = {name: image for image in listing for name in image.references}
        found, unread = app_state.all_states(self._context)
        apps = [
            (state, deployed)
            for state in found
            if (deployed := _deployed_of(state)) is not None
        ]
        with ThreadPoolExecutor(self._context.parallel_tags) as pool:
            looks = pool.map(lambda pair: self._look(pair[0], pair[1], here), apps)
            adopted = [self._adopt(findings) for findings in looks]
        if self._is_dry_run:
            adopted = _with_sharing(adopted, found)
        left = [adoption.unread(app, why) for app, why in unread.items()]
        return sorted([*adopted, *left], key=lambda entry: entry.app)

    def _look(
        self,
        state: wanted.AppState,
        deployed: releases.DeployedRelease,
        here: dict[str, images.LocalImage],
    ) -> adoption.Findings:
        known = wanted.release_of(state, deployed)
        scheduler = known.scheduler if known else self._scheduler_of(state.policy.app)
        image = here.get(wanted.engine_name(deployed.reference))
        return adoption.Findings(
            state=state,
            deployed=deployed,
            scheduler=scheduler,
            keeps_images=scheduler in self._context.schedulers,
            image=image or here.get(wanted.engine_name(deployed.local_reference)),
            is_named_by_digest=self._is_named_by_digest,
            answer=self._ask(state.policy.app, deployed),
        )

    def _ask(self, app: str, deployed: releases.DeployedRelease) -> adoption.Answer:
        try:
            image = reference.parse(deployed.reference)
        except errors.InvalidReferenceError as error:
            return adoption.Answer(
                problem=f"{deployed.reference} is not a valid reference: {error}"
            )
        if image.domain in self._silent:
            return adoption.Answer(problem=self._silent[image.domain])
        session = registry_session.RegistrySession(
            self._context,
            app=app,
            domain=image.domain,
            direction=backoff.Direction.PULL,
            check=registry_session.to_the_end,
        )
        registry = self._context.registry
        has_login = True
        try:
            login = self._context.credentials.resolve(app, image.domain)
            has_login = login is not None
            digest = session.call(lambda auth: registry.digest(image, auth=auth))
        except errors.TransientError as error:
            if not backoff.asks_for_pause(error):  # A pause concerns only one login.
                self._silent[image.domain] = str(error)
            return adoption.Answer(problem=str(error), has_login=has_login)
        except errors.PermanentError as error:
            return adoption.Answer(problem=str(error), has_login=has_login)
        return adoption.Answer(
            digest=digest or "",
            highest=self._highest(image, deployed.number, session),
            has_login=has_login,
        )

    def _highest(
        self,
        image: reference.ImageReference,
        number: int,
        session: registry_session.RegistrySession,
    ) -> int:
        registry = self._context.registry
        return highest(
            number, lambda: session.call(lambda auth: registry.tags(image, auth=auth))
        )

    def _adopt(self, findings: adoption.Findings) -> adoption.Adoption:
        found = adoption.differences(findings)
        if not self._is_dry_run:
            found += self._record(findings)
        return adoption.Adoption(
            app=findings.app,
            reference=findings.deployed.reference,
            is_new=findings.known is None,
            digest=adoption.digest_of(findings),
            differences=found,
        )

    def _record(self, findings: adoption.Findings) -> tuple[str, ...]:
        app, deployed = findings.app, findings.deployed
        is_asked = not self._context.is_companion()
        if is_asked and findings.state.deployed != deployed:
            self._context.deployed.record_deployed(app, deployed)
        if findings.known is not None:
            self._complete(findings.known, findings)
            return ()
        self._context.ledger.adopt(
            adoption.release_of(findings, now=self._context.clock.now())
        )
        if self._context.ledger.release_under(app, deployed) is not None:
            return ()
        difference = (
            f"another app has released {deployed.reference}: set another image-repo"
            " for one of them with dokku registry:set"
        )
        return (difference,)

    def _complete(self, known: releases.Release, findings: adoption.Findings) -> None:
        """Add facts that an earlier adoption could not determine."""
        digest = known.digest or adoption.digest_of(findings)
        image_id = known.image_id
        if not image_id and findings.image is not None:
            image_id = findings.image.image_id
        is_settled = known.state not in _UNSETTLED
        if is_settled and (digest, image_id) != (known.digest, known.image_id):
            self._context.ledger.update_release(
                known.job_id, digest=digest, image_id=image_id
            )


def highest(number: int, list_tags: Callable[[], Iterable[str]]) -> int:
    """Return the highest number near this one in a repository; 0 if unknown.

    Args:
        number: The deployed number.
        list_tags: Returns the tags of the repository; may raise `RegistrydError`.
    """
    try:
        return max(numbering.near(list_tags(), number), default=0)
    except errors.RegistrydError:
        return 0  # Some registries do not list tags, or not for every login.


def _with_sharing(
    adopted: Iterable[adoption.Adoption], states: Iterable[wanted.AppState]
) -> list[adoption.Adoption]:
    """Report apps in one repository; without a dry run the ledger refuses them."""
    policies = {state.policy.app: state.policy for state in states}
    shared = preflight.shared_repositories(policies.values())
    return [
        replace(
            entry,
            differences=(
                *entry.differences,
                preflight.sharing(policies[entry.app], shared[entry.app]),
            ),
        )
        if entry.app in shared
        else entry
        for entry in adopted
    ]


def _deployed_of(state: wanted.AppState) -> releases.DeployedRelease | None:
    """Return an app's deployed release; None if it does not push or never did.

    Dokku's own plugin counts in `tag-version` alone. If that is beyond our record, it
    made a release after ours, unless one of our own releases is in progress.
    """
    if not state.policy.push_on_release:
        return None
    recorded = state.deployed
    if recorded is None:
        return wanted.deployed_of(state)
    is_ours = any(release.state in _UNSETTLED for release in state.releases)
    number = recorded.number
    if recorded.is_local:
        # Our own count has not changed. Without the ledger this is unknown.
        own = (release.number for release in state.releases)
        number = max(own, default=state.policy.last_number)
    if is_ours or state.policy.last_number <= number:
        return None if recorded.is_local else recorded
    return wanted.deployed_of(
        wanted.AppState(policy=state.policy, releases=state.releases)
    )
