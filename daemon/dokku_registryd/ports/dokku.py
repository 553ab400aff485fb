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
    """What the files say of one app."""

    read: Reader
    """Gives the app's own properties and the global ones, as `Properties.get` does."""
    is_whole: bool
    """Whether all that is there could be read."""
    deployed: DeployedRelease | None
    unread_record: str
    """Why the recorded release cannot be read; empty if it can, or if there is none."""
    mark: object | None
    """What `Snapshot.is_unchanged` compares; None where nothing may be remembered."""


class Snapshot(Protocol):
    """One look at the files of many apps."""

    def owners(self) -> set[str]:
        """Return the names of apps with properties, logins or a recorded release."""

    def of(self, app: str) -> AppFiles:
        """Read all that the files say of one app."""

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Tell whether they say the same as when a mark was made, without reading."""


class Properties(Protocol):
    """Dokku's property files."""

    def get(self, plugin: str, app: str, name: str) -> str:
        """Return a property's raw text, empty when unset; `--global` is an app.

        Raises:
            UnreadableError: It is there and cannot be read.
        """

    def look(self) -> AbstractContextManager[Snapshot]:
        """Look at the files of many apps, at a fraction of asking one by one."""

    def set(self, plugin: str, app: str, name: str, value: str) -> None:
        """Replace a property in one step."""

    def delete(self, plugin: str, app: str, name: str) -> None:
        """Remove a property; a missing one is fine."""

    def root(self) -> presence.Root:
        """Return what is in Dokku's root, and what cannot be seen there."""

    def apps(self) -> list[str]:
        """Return the names of the apps that exist on this host, sorted.

        Raises:
            TransientError: It cannot be told.
        """

    def owners(self) -> list[str]:
        """Return the names of apps with properties, logins or a recorded release.

        Raises:
            UnreadableError: It cannot be told.
        """


class Absences(Protocol):
    """What is kept of the apps that were not seen, from one sweep to the next."""

    def recall(self) -> presence.Memory:
        """Return what was kept last; an empty memory if there is none."""

    def keep(self, memory: presence.Memory) -> None:
        """Replace it, on the disk only where that is worth it.

        Raises:
            TransientError: The disk refuses; this process has it all the same.
        """


class DeployedReleases(Protocol):
    """The record that Dokku's questions are answered from, one for each app."""

    def deployed(self, app: str) -> DeployedRelease | None:
        """Return the recorded release; None if there is none to trust.

        Raises:
            UnreadableError: It is there and cannot be read.
        """

    def record_deployed(self, app: str, deployed: DeployedRelease) -> None:
        """Replace the record in one step."""

    def link_told(self, app: str, build: str) -> None:
        """Make what a deploy was told the record, without room; it may not work."""

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""


class Deploying(Protocol):
    """What deploys of Dokku were told that have not ended, as far as we know."""

    def apps(self) -> list[str]:
        """Return the apps of which a deploy was told something."""

    def told(self, app: str) -> dict[str, deploys.Told]:
        """Return what the deploys of an app were told, by build.

        Raises:
            UnreadableError: It cannot be read.
        """

    def odd(self, app: str) -> list[str]:
        """Return the paths at which something else lies than a deploy's file."""

    def tell(self, app: str, build: str, deployed: DeployedRelease) -> None:
        """Replace what a deploy is told, in one step."""

    def forget(self, app: str, build: str) -> None:
        """Remove what a deploy was told; a missing one is fine."""


class Builds(Protocol):
    """Dokku's own records of builds."""

    def state(self, app: str, build: str) -> deploys.BuildState:
        """Return what is known of a deploy of an app."""

    def containers(self, app: str) -> frozenset[str]:
        """Return the IDs of the containers that Dokku has recorded for an app.

        Raises:
            TransientError: They cannot be read.
        """


class DestroyedApps(Protocol):
    """Folders of destroyed apps, moved out of the way before their logins go."""

    def detach(self, app: str, stamp: str) -> None:
        """Move what is left of an app's properties and logins out of the way."""

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app."""

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""

    def noted(self) -> list[str]:
        """Return apps whose logins a hook noted and Dokku's plugin then removed."""

    def login_folder(self, folder: str) -> str:
        """Return where a detached folder keeps the auth config."""

    def remove(self, folder: str) -> None:
        """Remove a detached folder with all that is in it."""


class Remnants(Protocol):
    """Files of ours that may have come to their end."""

    def listed(self) -> list[remnants.Remnant]:
        """Return what may be old; what cannot be read is left out."""

    def remove(self, remnant: remnants.Remnant) -> bool:
        """Remove one, unless it changed since; tell whether it is gone."""
