"""Adopting an app: recording a release of another program in the ledger.

Dokku's own plugin records only a number. Its image is determined from properties, the
Engine and the registry; if they disagree, the operator is told.
"""

from dataclasses import dataclass

from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry's answer about one number."""

    problem: str = ""
    """Why the registry could not be asked; empty if it answered."""
    digest: str = ""
    """The digest of the number's manifest; empty if there is no such number."""
    highest: int = 0
    """The highest number near this one in the repository, if the registry lists it."""
    has_login: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The facts about one app from all sources."""

    state: wanted.AppState
    deployed: DeployedRelease
    scheduler: str
    keeps_images: bool
    """Whether this scheduler keeps images on this host."""
    image: images.LocalImage | None
    """The image with the deployed reference on this host."""
    is_named_by_digest: bool
    """Whether an image ID is the manifest's digest, as in containerd's store."""
    answer: Answer

    @property
    def app(self) -> str:
        """The app's name."""
        return self.state.policy.app

    @property
    def local_digest(self) -> str:
        """The digest of this host's image in its repository; empty if unknown."""
        if self.image is None:
            return ""
        repository = wanted.engine_name(self.deployed.reference.rpartition(":")[0])
        own = self.image.image_id if self.is_named_by_digest else ""
        return self.image.digest_in(repository) or own

    @property
    def known(self) -> Release | None:
        """The row in the ledger, if there is one."""
        return wanted.release_of(self.state, self.deployed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The result of adopting one app, with the differences found."""

    app: str
    reference: str
    """The deployed reference; empty if it could not be read."""
    is_new: bool
    """Whether the release was new in the ledger."""
    digest: str = ""
    differences: tuple[str, ...] = ()


def unread(app: str, why: str) -> Adoption:
    """Return the result for an app with an unreadable file: not adopted."""
    return Adoption(
        app=app,
        reference="",
        is_new=False,
        differences=(f"{why}; not adopted. Retry with: dokku-registryd adopt",),
    )


def digest_of(findings: Findings) -> str:
    """Return the digest to record: the image that a later pull must restore.

    If this host and the registry disagree, the image on this host counts: a pull must
    not take an image that another client pushed to the tag. A number that the registry
    does not have gets no digest, because its push was never confirmed.
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
    """Return the differences between the sources, each with its effect or a hint."""
    return tuple(
        text
        for text in (
            *(f"property {text}" for text in _about_properties(findings)),
            _about_login(findings) or findings.answer.problem,
            about_image(findings),
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
    return f"no login for {domain}: {ways_out.log_in(findings.app, domain, None)}"


def about_image(findings: Findings) -> str:
    """Return what a missing image requires; empty if it is here."""
    answer, target = findings.answer, findings.deployed.reference
    if findings.image is not None or not findings.keeps_images:
        return ""
    if answer.digest:
        return f"{target} is not on this host: the service restores it"
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
            f" {_short(answer.digest)} in the registry, where another client pushed"
            f" another image: dokku ps:rebuild {findings.app}"
        )
    if answer.highest > number:
        found.append(about_highest(number, answer.highest))
    return found


def about_highest(number: int, highest: int) -> str:
    """Return the consequence of a higher number in the registry."""
    return (
        f"Dokku's last number is {number}, the registry's is {highest}: the next"
        f" release gets the first free number above {number}"
    )


def _about_ledger(findings: Findings) -> str:
    known, answer = findings.known, findings.answer
    if known is None or not known.digest or not answer.digest:
        return ""
    if known.digest == answer.digest or findings.local_digest not in {
        "",
        answer.digest,
    }:
        return ""  # Equal, or reported above.
    return (
        f"number {known.number} is {_short(known.digest)} in the ledger and"
        f" {_short(answer.digest)} in the registry: dokku ps:rebuild {findings.app}"
    )


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
