"""What Dokku's files say, and the records that we keep beside them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from dokku_registryd.core.dokku import deploys, presence
from dokku_registryd.core.dokku.policy import Reader
from dokku_registryd.core.release import remnants
from dokku_registryd.core.release.releases import DeployedRelease


@dataclass(frozen=True, slots=True)
class AppFiles:
    """The content of one app's files."""

    read: Reader
    """Returns the app's own properties and the global ones, as `Properties.get`."""
    is_whole: bool
    """False if a file could not be read, so an apparently unset property may be set."""
    deployed: DeployedRelease | None
    unread_record: str
    """Why the recorded release cannot be read; empty if it can, or if there is none."""
    mark: object | None
    """The argument of `Snapshot.is_unchanged`; None if it must not be cached."""


class Snapshot(Protocol):
    """A snapshot of the files of many apps."""

    def owners(self) -> set[str]:
        """Return the names of apps with properties, logins or a recorded release."""

    def of(self, app: str) -> AppFiles:
        """Read all files of one app."""

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Return whether the files have not changed since a mark was made."""


class Properties(Protocol):
    """Dokku's property files."""

    def get(self, plugin: str, app: str, name: str) -> str:
        """Return a property's raw text, empty if unset; `--global` is an app.

        Raises:
            UnreadableError: It exists but cannot be read.
        """

    def has_folder(self, plugin: str, app: str) -> bool:
        """Return whether a property was ever set; Dokku never removes the folder.

        Raises:
            UnreadableError: The disk does not tell.
        """

    def commit(self, app: str, *, at: float) -> str:
        """Return the commit that an app's configuration had at a time.

        It is empty if there is none, or if the configuration has changed since.
        """

    def branch_commit(self, app: str, branch: str, *, at: float) -> str:
        """Return the commit that a branch of Dokku's repository had at a time.

        It is empty if there is none, if the branch has changed since, or if Dokku is
        told to state no commit for the app.
        """

    def look(self) -> AbstractContextManager[Snapshot]:
        """Read the files of many apps, faster than one by one."""

    def set(self, plugin: str, app: str, name: str, value: str) -> None:
        """Replace a property atomically."""

    def delete(self, plugin: str, app: str, name: str) -> None:
        """Remove a property; a missing one is fine."""

    def root(self) -> presence.Root:
        """Return the content of Dokku's root, and its inaccessible entries."""

    def apps(self) -> list[str]:
        """Return the names of the existing apps, sorted.

        Raises:
            TransientError: They cannot be listed.
        """

    def owners(self) -> list[str]:
        """Return the names of apps with properties, logins or a recorded release.

        Raises:
            UnreadableError: They cannot be listed.
        """


class Absences(Protocol):
    """The recorded missing apps, from one sweep to the next."""

    def recall(self) -> presence.Memory:
        """Return the recorded facts; empty ones if there are none."""

    def keep(self, memory: presence.Memory) -> None:
        """Replace the facts; write them to disk only if they have changed enough.

        Raises:
            TransientError: The disk refuses; this process keeps the facts in memory.
        """


class DeployedReleases(Protocol):
    """The record that answers Dokku's questions, one for each app."""

    def deployed(self, app: str) -> DeployedRelease | None:
        """Return the recorded release; None if there is no valid record.

        Raises:
            UnreadableError: It exists but cannot be read.
        """

    def record_deployed(self, app: str, deployed: DeployedRelease) -> None:
        """Replace the record atomically."""

    def link_told(self, app: str, build: str) -> None:
        """Make the reply to a deploy the record, without space; it may fail."""

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""


class Deploying(Protocol):
    """The replies to deploys of Dokku that have not ended, as far as we know."""

    def apps(self) -> list[str]:
        """Return the apps with a reply to a deploy."""

    def told(self, app: str) -> dict[str, deploys.Told]:
        """Return the replies to the deploys of an app, by build.

        Raises:
            UnreadableError: It cannot be read.
        """

    def odd(self, app: str) -> list[str]:
        """Return the paths of entries that are not files of deploys."""

    def tell(self, app: str, build: str, deployed: DeployedRelease) -> None:
        """Replace the reply to a deploy atomically."""

    def forget(self, app: str, build: str) -> None:
        """Remove the reply to a deploy; a missing one is fine."""


class Builds(Protocol):
    """Dokku's own records of builds."""

    def state(self, app: str, build: str) -> deploys.BuildState:
        """Return the state of a deploy of an app."""

    def facts(self, app: str, build: str) -> deploys.BuildFacts:
        """Return what was recorded at the start of a deploy; empty if nothing was."""

    def containers(self, app: str) -> frozenset[str]:
        """Return the IDs of the containers that Dokku has recorded for an app.

        Raises:
            TransientError: They cannot be read.
        """


class DestroyedApps(Protocol):
    """Folders of destroyed apps, moved away before their logins are erased."""

    def detach(self, app: str, stamp: str) -> None:
        """Move an app's properties and logins away."""

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app."""

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""

    def noted(self) -> list[str]:
        """Return apps whose logins a hook listed and Dokku's plugin then removed."""

    def login_folder(self, folder: str) -> str:
        """Return the path of the auth config in a detached folder."""

    def remove(self, folder: str) -> None:
        """Remove a detached folder with its content."""


class Remnants(Protocol):
    """Our old files."""

    def listed(self) -> list[remnants.Remnant]:
        """Return files that may be old; unreadable ones are omitted."""

    def remove(self, remnant: remnants.Remnant) -> bool:
        """Remove one, unless it has changed; return whether it is gone."""
