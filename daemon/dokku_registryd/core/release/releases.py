"""A release: one image of one app under one number, on its way to a registry."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class ReleaseState(StrEnum):
    """How far a release came; each state is durable before the next step begins."""

    RESERVED = "reserved"
    """The number is ours; nothing is known to be in the registry."""
    CONFIRMED = "confirmed"
    """The registry answers for the number with our digest; extra tags may lag."""
    PUSHED = "pushed"
    """All tags stand and the app's properties name this number."""
    FAILED = "failed"
    """It will not be tried again; the number stays unused."""
    DROPPED = "dropped"
    """The app went away before the push was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRelease:
    """What Dokku's questions are answered with, recorded when a release was done."""

    server: str
    image_repo: str
    number: int
    """The number 0 is Dokku's own name: the app was released with push off."""
    digest: str = field(default="", compare=False)
    """What the registry has confirmed, so that a heal knows it without the ledger.

    Dokku is not told of it: with or without, it is the same answer.
    """
    image_id: str = field(default="", compare=False)
    """What the Engine called the image: a classic store knows no digest of what was
    pushed by the relay."""

    @property
    def is_local(self) -> bool:
        """Whether it is a release without a push, whose name is Dokku's own."""
        return self.number == 0

    @property
    def reference(self) -> str:
        """The deployed reference: what the scheduler starts containers from."""
        return f"{self.server}{self.image_repo}:{self.number}"

    @property
    def local_reference(self) -> str:
        """The name without the server, which Dokku keeps beside the deployed one."""
        return f"{self.image_repo}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One row of the ledger."""

    job_id: str
    """The trigger that asked for it; one release a trigger, however often it runs."""
    app: str
    number: int
    """The numeric tag, from 1."""
    image_id: str
    """The Engine's ID when the release was asked for: later tags cannot swap it."""
    server: str
    """Empty for Docker Hub, else a host with a trailing slash, as Dokku computes it."""
    image_repo: str
    scheduler: str
    state: ReleaseState = ReleaseState.RESERVED
    is_deploy_continued: bool = False
    """The deploy went on before the push was done (policy `background`)."""
    digest: str = ""
    created_at: float = 0.0
    """Seconds since the epoch; for people, never for decisions."""
    pushed_at: float = 0.0
    error: str = ""
    previous_number: int = 0
    """The number that Dokku was told before that one was found to be taken.

    Of a release whose deploy did not go on yet: the number that it had before.
    """
    build: str = ""
    """Which deploy of Dokku it belongs to; empty where a hook did not say."""
    live_at: float = 0.0
    """When its containers ran, in seconds since the epoch; 0 if they never did."""
    failed_at: float = 0.0
    """When its deploy was found to have failed: what ran before runs on."""
    is_taken_back: bool = False
    """Whether its extra tags went back for that, or may have."""
    sequence: int = field(default=0, compare=False)
    """Order of reservation; a release that gets another number keeps its place."""

    @property
    def repository(self) -> str:
        """Server and image repository, the way Dokku writes it."""
        return f"{self.server}{self.image_repo}"

    @property
    def deployed(self) -> DeployedRelease:
        """What Dokku is answered with once this release is what the app runs."""
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
        """Tell whether what Dokku is told is this release, by this number or before."""
        if told is None or not self.previous_number:
            return told == self.deployed
        older = replace(self.deployed, number=self.previous_number)
        return told == self.deployed or (self.is_deploy_continued and told == older)

    @property
    def stale_names(self) -> tuple[str, ...]:
        """Names of the previous number, which are to go."""
        if not self.previous_number:
            return ()
        return replace(self, number=self.previous_number, previous_number=0).names

    @property
    def names(self) -> tuple[str, ...]:
        """All names that we give the image on this host, once each.

        The last one is what Dokku asks for at boot, whatever the repository is called.
        """
        build_name = f"dokku/{self.app}:{self.number}"
        return tuple(dict.fromkeys((self.reference, self.local_reference, build_name)))
