"""A release: one image of one app under one number, on its way to a registry."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class ReleaseState(StrEnum):
    """The progress of a release; each state is durable before the next step begins."""

    RESERVED = "reserved"
    """The number is reserved; the registry may not have it."""
    CONFIRMED = "confirmed"
    """The registry has the number with our digest; extra tags may be pending."""
    PUSHED = "pushed"
    """All tags are set and the app's properties name this number."""
    FAILED = "failed"
    """It will not be retried; the number stays unused."""
    DROPPED = "dropped"
    """The app was destroyed before the push was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRelease:
    """The answer to Dokku's questions, recorded when a release was done."""

    server: str
    image_repo: str
    number: int
    """The number 0 means Dokku's own name: the app was released with push off."""
    digest: str = field(default="", compare=False)
    """The digest in the registry, so that a heal knows it without the ledger.

    Dokku is not told it, so it does not change the answer.
    """
    image_id: str = field(default="", compare=False)
    """The Engine's image ID: a classic store knows no digest of an image that the
    relay pushed."""

    @property
    def is_local(self) -> bool:
        """Whether it is a release without a push, with Dokku's own name."""
        return self.number == 0

    @property
    def reference(self) -> str:
        """The deployed reference, from which the scheduler creates containers."""
        return f"{self.server}{self.image_repo}:{self.number}"

    @property
    def local_reference(self) -> str:
        """The name without the server, which Dokku keeps in addition."""
        return f"{self.image_repo}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One row of the ledger."""

    job_id: str
    """The trigger; each trigger has one release, even if it runs repeatedly."""
    app: str
    number: int
    """The numeric tag, from 1."""
    image_id: str
    """The image ID at the time of the request: later tags cannot change it."""
    server: str
    """Empty for Docker Hub, else a host with a trailing slash, as Dokku computes it."""
    image_repo: str
    scheduler: str
    state: ReleaseState = ReleaseState.RESERVED
    is_deploy_continued: bool = False
    """The deploy continued before the push was done (policy `background`)."""
    digest: str = ""
    created_at: float = 0.0
    """Seconds since the epoch; for output, never for decisions."""
    pushed_at: float = 0.0
    error: str = ""
    previous_number: int = 0
    """The number that Dokku was told before it turned out to be taken.

    If the deploy has not continued yet: the previous number of the release.
    """
    build: str = ""
    """The deploy of Dokku that it belongs to; empty if the hook did not name it."""
    live_at: float = 0.0
    """When its containers ran, in seconds since the epoch; 0 if they never did."""
    failed_at: float = 0.0
    """When its deploy was found to have failed: the previous release keeps running."""
    is_taken_back: bool = False
    """Whether its extra tags were restored for that, or may have been."""
    sequence: int = field(default=0, compare=False)
    """Order of reservation; unchanged if the release gets another number."""

    @property
    def repository(self) -> str:
        """Server and image repository, as Dokku writes it."""
        return f"{self.server}{self.image_repo}"

    @property
    def deployed(self) -> DeployedRelease:
        """The answer to Dokku once this is the deployed release."""
        return DeployedRelease(
            server=self.server,
            image_repo=self.image_repo,
            number=self.number,
            digest=self.digest,
            image_id=self.image_id,
        )

    @property
    def reference(self) -> str:
        """The deployed reference."""
        return self.deployed.reference

    @property
    def local_reference(self) -> str:
        """The deployed reference without the server."""
        return self.deployed.local_reference

    def goes_by(self, told: DeployedRelease | None) -> bool:
        """Return whether the answer to Dokku is this release, by any of its numbers."""
        if told is None or not self.previous_number:
            return told == self.deployed
        older = replace(self.deployed, number=self.previous_number)
        return told == self.deployed or (self.is_deploy_continued and told == older)

    @property
    def stale_names(self) -> tuple[str, ...]:
        """Names of the previous number, which must be removed."""
        if not self.previous_number:
            return ()
        return replace(self, number=self.previous_number, previous_number=0).names

    @property
    def image_names(self) -> tuple[str, ...]:
        """The names of its image that no tag can move: ID and digest, if known.

        The image of a release by Dokku's own plugin may have been gone when that was
        recorded, so its ID is unknown.
        """
        by_digest = f"{self.repository}@{self.digest}" if self.digest else ""
        return tuple(name for name in (self.image_id, by_digest) if name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the image on this host, without duplicates.

        Dokku asks for the last one at boot, regardless of the repository's name.
        """
        build_name = f"dokku/{self.app}:{self.number}"
        return tuple(dict.fromkeys((self.reference, self.local_reference, build_name)))
