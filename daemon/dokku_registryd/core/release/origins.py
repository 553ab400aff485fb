"""What made a release: a revision, a command of an operator, or another release."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of one release. Texts are clean and empty if unknown."""

    revision: str = ""
    """The Git revision, as Dokku states it in `GIT_REV` or a label of the image."""
    branch: str = ""
    """The branch that Dokku deploys of this app."""
    source: str = ""
    """`DOKKU_BUILD_SOURCE`: `git-hook`, `config-redeploy`, `ps:restart` and so on."""
    deployer: str = ""
    """`SSH_NAME`: the name of the key that deployed it."""
    began_at: float = 0.0
    """When its build began, in seconds since the epoch; 0 if unknown."""
    from_app: str = ""
    """The app whose release it is again: itself after a rollback; empty for a build."""
    from_number: int = 0
    """The number of that release; 0 for a build."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is known."""
        return self == Origin()
