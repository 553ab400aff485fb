"""Adopting an app: from what somebody else released to a row of the ledger.

Dokku's own plugin records a number and nothing else. What that number stands for is
seen on three sides, in the properties, in the Engine and in the registry; where they
disagree, somebody should know before it matters.
"""

from dataclasses import dataclass

from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry says of one number."""

    problem: str = ""
    """Why nothing can be said, where that is so."""
    digest: str = ""
    """What the number stands for; empty where there is no such number."""
    highest: int = 0
    """The highest number in the repository that is near, as far as it tells."""
    has_login: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One app from all sides."""

    state: wanted.AppState
    deployed: DeployedRelease
    scheduler: str
    keeps_images: bool
    """Whether this scheduler keeps images on this host."""
    image: images.LocalImage | None
    """What carries the deployed reference here."""
    is_named_by_digest: bool
    """Whether an image's ID is the digest of its manifest, as containerd has it."""
    answer: Answer

    @property
    def app(self) -> str:
        """The app's name."""
        return self.state.policy.app

    @property
    def local_digest(self) -> str:
        """What the image on this host is called in its registry; empty if unknown."""
        if self.image is None:
            return ""
        repository = wanted.engine_name(self.deployed.reference.rpartition(":")[0])
        own = self.image.image_id if self.is_named_by_digest else ""
        return self.image.digest_in(repository) or own

    @property
    def known(self) -> Release | None:
        """The ledger's row, if there is one already."""
        return wanted.release_of(self.state, self.deployed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What became of one app, and what somebody should look at."""

    app: str
    reference: str
    """Empty where it could not be read what the app runs."""
    is_new: bool
    """The ledger did not have it before."""
    digest: str = ""
    differences: tuple[str, ...] = ()


def unread(app: str, why: str) -> Adoption:
    """Return what becomes of an app of which a file cannot be read: nothing."""
    return Adoption(
        app=app,
        reference="",
        is_new=False,
        differences=(f"{why}; not adopted. Repeat it with dokku-registryd adopt",),
    )


def digest_of(findings: Findings) -> str:
    """Return the digest to be recorded: what a later pull must bring back.

    Where this host and the registry disagree, what the app runs is what counts: a pull
    must never take what somebody else put under the tag. A number that the registry
    lacks has no digest, since nothing was ever confirmed.
    """
    answer = findings.answer
    if not answer.problem and not answer.digest:
        return ""
    return findings.local_digest or answer.digest


def release_of(findings: Findings, *, now: float) -> Release:
    """Return the row for the ledger."""
    deployed = findings.deployed
    return Release(
        job_id=f"adopted-{findings.app}-{deployed.number}-{int(now)}",
        app=findings.app,
        number=deployed.number,
        image_id=findings.image.image_id if findings.image else "",
        server=deployed.server,
        image_repo=deployed.image_repo,
        scheduler=findings.scheduler,
        state=ReleaseState.PUSHED,
        digest=digest_of(findings),
        created_at=now,
        pushed_at=now,
    )


def differences(findings: Findings) -> tuple[str, ...]:
    """Return what the sides disagree on, each with what follows or what to do."""
    return tuple(
        text
        for text in (
            *(f"property {text}" for text in _about_properties(findings)),
            _about_login(findings) or findings.answer.problem,
            _about_image(findings),
            *_about_number(findings),
            _about_ledger(findings),
        )
        if text
    )


def _about_properties(findings: Findings) -> tuple[str, ...]:
    policy = findings.state.policy
    return (*policy.mistakes, *policy.left_out)


def _about_login(findings: Findings) -> str:
    if findings.answer.has_login:
        return ""
    domain = reference.parse(findings.deployed.reference).domain
    return f"no login for {domain}: dokku registry:login {findings.app} {domain} USER"


def _about_image(findings: Findings) -> str:
    answer, target = findings.answer, findings.deployed.reference
    if findings.image is not None or not findings.keeps_images:
        return ""
    if answer.digest:
        return f"{target} is not on this host: the service brings it back"
    where = "not on this host"
    if not answer.problem:
        where = "neither on this host nor in the registry"
    return f"{target} is {where}: dokku ps:rebuild {findings.app}"


def _about_number(findings: Findings) -> list[str]:
    answer, number = findings.answer, findings.deployed.number
    if answer.problem:
        return []
    found = []
    if not answer.digest and findings.image is not None:
        hint = f"dokku-registryd push {findings.app}"
        found.append(f"the registry has no number {number}: {hint}")
    elif answer.digest and findings.local_digest not in {"", answer.digest}:
        found.append(
            f"number {number} is {_short(findings.local_digest)} on this host and"
            f" {_short(answer.digest)} in the registry, where somebody put another"
            f" image: dokku ps:rebuild {findings.app}"
        )
    if answer.highest > number:
        found.append(
            f"Dokku counts to {number}, the registry to {answer.highest}: the next"
            f" release gets the first number above {number} that is free"
        )
    return found


def _about_ledger(findings: Findings) -> str:
    known, answer = findings.known, findings.answer
    if known is None or not known.digest or not answer.digest:
        return ""
    if known.digest == answer.digest or findings.local_digest not in {
        "",
        answer.digest,
    }:
        return ""  # The same, or said above.
    return (
        f"number {known.number} is {_short(known.digest)} in the ledger and"
        f" {_short(answer.digest)} in the registry: dokku ps:rebuild {findings.app}"
    )


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
