"""Apps and deploys, as those remember them who make them."""

from dataclasses import dataclass, field

from support.dokku_host import Result
from support.played_restart import PlayedRestart
from support.running_hook import RunningHook


@dataclass(kw_only=True, eq=False)
class Deploy:
    """One requested release."""

    app: "App"
    image_id: str
    hook: RunningHook
    build: str
    """What Dokku calls the deploy."""
    is_local: bool = False
    """Whether push was off."""
    result: Result | None = None
    may_be_lost: str = ""
    """Why it need not arrive, such as a destroyed app."""
    has_passed_checks: bool = True
    must_succeed: bool = False
    """Whether nothing went wrong any more when it was asked for."""
    is_live: bool | None = None
    """Whether its containers run; None where Dokku could not say so."""
    restart: PlayedRestart | None = None
    """Dokku's own part of a rollback, which its command runs; None for a build."""
    restarts_before: int = 0
    """What that had started before."""
    repeats: tuple[str, str] = ("", "")
    """Repository and number whose very bytes it must be; empty for a build."""
    has_noted_end: bool = False
    """Whether Dokku could write down how it ended."""

    @property
    def is_deploy_continued(self) -> bool:
        """Whether its deploy went on, so that the push is a promise."""
        return self.result is not None and self.result.code == 0


@dataclass(kw_only=True, eq=False)
class App:
    """An app by its present name."""

    name: str
    deploys: list[Deploy] = field(default_factory=list)
    may_lack_images: str = ""
    """Why its images need not come back."""
    settings: dict[tuple[str, str], str] = field(default_factory=dict)
    """Its properties, by plugin and name, as far as they are known for sure."""
    login: str = ""
    """What its auth config says; empty where that is not known."""
    has_helper: bool = False
    """Whether its password lies in the keychain."""
    is_push_on: bool = True

    @property
    def is_resting(self) -> bool:
        """Whether it is not being deployed just now."""
        return all(deploy.result is not None for deploy in self.deploys)
