"""How much of an installation a host has, and what stands in the way of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd.core.install.paths import Paths


class Mode(StrEnum):
    """Which plugin answers `registry:*` and pushes."""

    TAKEOVER = "takeover"
    """Ours; Dokku's own is disabled."""
    COMPANION = "companion"
    """Dokku's own; ours only records, heals and cleans up."""


class Presence(StrEnum):
    """Something that we put on a host."""

    ABSENT = "absent"
    STALE = "stale"
    """It is ours, but not what this version would put there."""
    CURRENT = "current"
    PACKAGED = "packaged"
    """The package itself brought it: it is left alone, on the way back too."""
    FOREIGN = "foreign"
    """Somebody else's: it is never touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is seen on a host."""

    has_dokku: bool = True
    has_plugn: bool = True
    owner: str = "dokku"
    """Who owns Dokku's folders."""
    owner_problem: str = ""
    """Why the owner cannot run the program, where he cannot."""
    has_core: bool = True
    is_core_enabled: bool = True
    has_settings: bool = False
    has_folders: bool = False
    """The data folder and what is in it exist with owner and modes."""
    has_properties: bool = False
    program: Presence = Presence.ABSENT
    plugin: Presence = Presence.ABSENT
    is_plugin_enabled: bool = False
    noted_mode: str = ""
    has_records: bool = False
    has_data: bool = False
    """Anything of ours is left that a purge removes."""
    has_systemd: bool = True
    unit: Presence = Presence.ABSENT
    is_service_enabled: bool = False
    is_service_running: bool = False
    """systemd says that it runs."""
    daemon: int = 0
    """The process ID of the daemon that works the spool; 0 where none does."""
    difference: str = ""
    """In which way that one, or a service that waits, runs another program."""
    waiting: tuple[str, ...] = ()
    """Releases whose deploy went on before their push was done."""

    @property
    def is_outdated(self) -> bool:
        """Whether something that runs is about to be replaced, or was already."""
        stale = Presence.STALE in {self.program, self.plugin, self.unit}
        return stale or bool(self.difference)


def objections(facts: Facts, places: Paths, mode: Mode) -> list[str]:
    """Return why an installation cannot begin; each says what to do."""
    found = []
    if not facts.has_dokku:
        found.append(
            f"{places.plugins}/available is no folder. Is Dokku installed? Where it"
            " lies elsewhere, say so with DOKKU_LIB_ROOT"
        )
    if not facts.has_plugn:
        found.append("there is no plugn on the PATH. Dokku brings it: install Dokku")
    if facts.owner_problem:
        found.append(
            f"user {facts.owner} cannot run {places.python} ({facts.owner_problem})."
            " Install the package where everybody can read it, such as"
            " /opt/dokku-registryd"
        )
    if facts.program is Presence.FOREIGN:
        found.append(
            f"{places.program} is another program, or another version of this one."
            " Move it away"
        )
    if facts.daemon and facts.difference and not facts.is_service_running:
        found.append(
            f"process {facts.daemon} works {places.data_dir} and is not the service"
            f" {places.service}; it {facts.difference}. Stop it, repeat this, and start"
            " it again"
        )
    if mode is Mode.COMPANION and not facts.has_core:
        found.append("there is no registry plugin of Dokku's own to accompany")
    if mode is Mode.COMPANION and not facts.is_core_enabled:
        found += waiting_objection(facts.waiting)
    return found


def waiting_objection(waiting: Sequence[str]) -> list[str]:
    """Return why Dokku's own plugin cannot answer yet, if it cannot."""
    if not waiting:
        return []
    reason = (
        f"the deploy of {', '.join(waiting)} went on before the push was done, and"
        " Dokku's own plugin knows nothing of such numbers. Wait until"
        " dokku-registryd status says that nothing waits"
    )
    return [reason]
