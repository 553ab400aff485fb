"""The state of an installation on a host, and the reasons that prevent one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.install.paths import Paths

OLDEST_DOKKU: Final = (0, 33, 0)
"""The first with all properties that our plugin takes over (`image-repo-template`)."""
_NAMED: Final = 3


class Mode(StrEnum):
    """The plugin that answers `registry:*` and pushes."""

    TAKEOVER = "takeover"
    """Our plugin; Dokku's own is disabled."""
    COMPANION = "companion"
    """Dokku's own plugin; ours only records, heals and cleans up."""


class Presence(StrEnum):
    """The state of an installed file or folder."""

    ABSENT = "absent"
    STALE = "stale"
    """It is ours, but differs from what this version installs."""
    CURRENT = "current"
    PACKAGED = "packaged"
    """It belongs to the package: neither install nor uninstall changes it."""
    FOREIGN = "foreign"
    """It belongs to another program: it is never changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The state of a host."""

    has_dokku: bool = True
    dokku_version: str = ""
    """As Dokku writes it, such as `0.38.27`; empty if unknown."""
    has_plugn: bool = True
    owner: str = "dokku"
    """The user that owns Dokku's folders."""
    owner_problem: str = ""
    """Why the owner cannot run the program; empty if the owner can."""
    has_core: bool = True
    is_core_enabled: bool = True
    has_settings: bool = False
    has_folders: bool = False
    """The data folder and its subfolders exist with the right owner and modes."""
    has_properties: bool = False
    program: Presence = Presence.ABSENT
    plugin: Presence = Presence.ABSENT
    is_plugin_enabled: bool = False
    pages: Presence = Presence.ABSENT
    """The man page, the completion, and our commands in Dokku's list."""
    noted_mode: str = ""
    has_records: bool = False
    has_data: bool = False
    """There is data that a purge removes."""
    has_systemd: bool = True
    unit: Presence = Presence.ABSENT
    is_service_enabled: bool = False
    is_service_running: bool = False
    """systemd reports it as running."""
    has_runit: bool = False
    """runit has the service, as in Dokku's Docker image."""
    daemon: int = 0
    """The process ID of the daemon that owns the spool; 0 if there is none."""
    difference: str = ""
    """How the program of that daemon, or of a waiting service, differs from ours."""
    waiting: tuple[str, ...] = ()
    """Releases whose deploy continued before their push was done."""
    newer_ledger: str = ""
    """Why this version cannot use the ledger of a newer one; empty if it can."""

    @property
    def is_outdated(self) -> bool:
        """Whether files of a running program are about to be replaced, or were."""
        stale = Presence.STALE in {self.program, self.plugin, self.unit}
        return stale or bool(self.difference)


def objections(facts: Facts, places: Paths, mode: Mode) -> list[str]:
    """Return the reasons that prevent an installation, each with a hint."""
    found = []
    if not facts.has_dokku:
        found.append(
            f"{places.plugins}/available is not a folder. Is Dokku installed? If it is"
            " in another folder, set DOKKU_LIB_ROOT"
        )
    if is_too_old(facts.dokku_version):
        oldest = ".".join(map(str, OLDEST_DOKKU))
        found.append(
            f"this is Dokku {facts.dokku_version}, and {oldest} or newer is needed."
            " Upgrade Dokku"
        )
    if not facts.has_plugn:
        found.append("plugn is not on the PATH. It is part of Dokku: install Dokku")
    if facts.owner_problem:
        found.append(
            f"user {facts.owner} cannot run {places.python} ({facts.owner_problem})."
            " Install the package in a folder that all users can read, such as"
            " /opt/dokku-registryd"
        )
    if facts.program is Presence.FOREIGN:
        found.append(
            f"{places.program} is another program, or another version of this one."
            " Move or remove it"
        )
    if facts.daemon and facts.difference and not facts.is_service_running:
        found.append(
            f"process {facts.daemon} uses {places.data_dir} but is not the service"
            f" {places.service}; it {facts.difference}. Stop it, repeat this command,"
            " and start it again"
        )
    if facts.newer_ledger:
        # The last step but one would fail, with the service stopped.
        found.append(facts.newer_ledger)
    if mode is Mode.COMPANION and not facts.has_core:
        found.append("--companion needs Dokku's own registry plugin, which is missing")
    if mode is Mode.COMPANION and not facts.is_core_enabled:
        found += waiting_objection(facts.waiting)
    return found


def daemon_objection(facts: Facts, places: Paths) -> list[str]:
    """Return why a daemon that systemd does not run prevents the end; empty if none.

    Only who has started it can keep it from being started again.
    """
    if not facts.daemon or facts.is_service_running:
        return []
    how = f"kill {facts.daemon}"
    if facts.has_runit:
        how = f"sv stop {places.runit}"
    reason = (
        f"process {facts.daemon} uses {places.data_dir} and would run on, as systemd"
        f" has not started it. Stop it with: {how}. Then repeat this command"
    )
    return [reason]


def is_too_old(dokku: str) -> bool:
    """Return whether a version of Dokku lacks what we need; False if it is unknown."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", dokku)
    return found is not None and tuple(map(int, found.groups())) < OLDEST_DOKKU


def choose_mode(
    asked: str, noted: str, preset: str, pushing: Sequence[str]
) -> tuple[Mode, str]:
    """Return the mode where none is requested by an option, and what to say about it.

    Args:
        asked: The variable DOKKU_REGISTRYD_MODE in the environment; empty if unset.
        noted: The mode recorded by an earlier installation; empty if there is none.
        preset: The variable in the file of variables; empty if unset.
        pushing: The apps that Dokku's own plugin pushes.

    Raises:
        ValueError: A variable has another value than a mode.
    """
    if asked:
        return Mode(asked), ""
    if noted in set(Mode):
        return Mode(noted), ""
    if preset:
        return Mode(preset), ""
    if not pushing:
        return Mode.TAKEOVER, ""
    names = ", ".join(pushing[:_NAMED]) + (", …" if len(pushing) > _NAMED else "")
    return Mode.COMPANION, (
        f"Dokku's own registry plugin pushes {names} and stays in charge. To let"
        " dokku-registryd take over: sudo dokku-registryd install"
    )


def waiting_objection(waiting: Sequence[str]) -> list[str]:
    """Return why Dokku's own plugin cannot take over yet; empty if it can."""
    if not waiting:
        return []
    reason = (
        f"the deploy of {', '.join(waiting)} continued before the push was done, and"
        " Dokku's own plugin does not know such numbers. Wait until dokku-registryd"
        " status shows no pending jobs"
    )
    return [reason]
