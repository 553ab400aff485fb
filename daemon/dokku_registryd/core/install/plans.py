"""Installing and uninstalling as plans: what is seen on a host, and what is left to do.

A plan is a list of steps, each with the sentence that is said before it is done. A step
that finds its work done says that instead. So a plan can be shown without being carried
out, an installation that stopped half-way goes on where it stopped, and the way back
works from wherever it stopped.

The order is the point. Ours is enabled before Dokku's own plugin is disabled, and the
other way round on the way back: between the two our hooks only accompany (they look
anew each time), so at no moment does nobody answer Dokku's questions.
"""

from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd.core.install.host_state import Facts, Mode, Presence
from dokku_registryd.core.install.paths import Paths


class Kind(StrEnum):
    """What a step does."""

    STOP_SERVICE = "stop service"
    WRITE_SETTINGS = "write settings"
    MAKE_FOLDERS = "make folders"
    MAKE_PROPERTIES = "make properties"
    WRITE_PROGRAM = "write program"
    WRITE_UNIT = "write unit"
    PUT_PLUGIN = "put plugin"
    ENABLE_PLUGIN = "enable plugin"
    NOTE_MODE = "note mode"
    DISABLE_CORE = "disable core"
    ENABLE_CORE = "enable core"
    DROP_RECORDS = "drop records"
    ADOPT = "adopt"
    START_SERVICE = "start service"
    RETIRE_SERVICE = "retire service"
    DISABLE_PLUGIN = "disable plugin"
    REMOVE_PLUGIN = "remove plugin"
    REMOVE_UNIT = "remove unit"
    REMOVE_PROGRAM = "remove program"
    PURGE = "purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change, or the remark that it is not needed."""

    kind: Kind
    text: str
    """What is about to change, or why nothing does."""
    hint: str = ""
    """What to look at when it fails."""
    is_done: bool = False


def plan_install(facts: Facts, places: Paths, mode: Mode) -> list[Step]:
    """Return what brings a host from what is seen to an installation."""
    steps = [
        _settings(facts, places),
        _folders(facts, places),
        _properties(facts, places),
        _program(facts, places),
        *([_unit(facts, places)] if facts.has_systemd else []),
        _plugin(facts, places),
        _enable(places, is_done=facts.is_plugin_enabled),
        _note(facts, places, mode),
        *_switch(facts, places, mode),
        Step(
            kind=Kind.ADOPT,
            text="Adopt what apps have pushed into the ledger, and say what differs",
            hint="See whether Docker runs: docker info",
        ),
        _start(facts),
    ]
    if facts.is_service_running and facts.is_outdated:
        reason = f"and then start it again: it {facts.difference}"
        why = reason if facts.difference else "while its files are replaced"
        stop = Step(
            kind=Kind.STOP_SERVICE,
            text=f"Stop the service {places.service} {why}",
            hint=f"See systemctl status {places.service}",
        )
        return [stop, *steps]
    return steps


def _settings(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.WRITE_SETTINGS,
        f"Write the settings file {places.settings}, every key at its default",
        f"The settings file {places.settings} is there already and stays as it is",
        is_done=facts.has_settings,
    )


def _folders(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.MAKE_FOLDERS,
        f"Make {places.data_dir} with spool and replies, for user {facts.owner} alone",
        f"{places.data_dir} is there already, with spool and replies",
        is_done=facts.has_folders,
    )


def _properties(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.MAKE_PROPERTIES,
        f"Make {places.config_root}/registryd for properties of our own",
        f"{places.config_root}/registryd is there already",
        is_done=facts.has_properties,
    )


def _program(facts: Facts, places: Paths) -> Step:
    verb = "Correct" if facts.program is Presence.STALE else "Write"
    return _step(
        Kind.WRITE_PROGRAM,
        f"{verb} {places.program}, which starts the program with {places.python}",
        f"{places.program} starts the program already",
        is_done=facts.program in {Presence.CURRENT, Presence.PACKAGED},
    )


def _unit(facts: Facts, places: Paths) -> Step:
    verb = "Correct" if facts.unit is Presence.STALE else "Write"
    return _step(
        Kind.WRITE_UNIT,
        f"{verb} {places.unit} and {places.tmpfiles}, and have systemd read them",
        f"{places.unit} and {places.tmpfiles} are there already",
        is_done=facts.unit is Presence.CURRENT,
    )


def _plugin(facts: Facts, places: Paths) -> Step:
    verb = "Replace" if facts.plugin is Presence.STALE else "Put"
    where = "in" if facts.plugin is Presence.STALE else "into"
    return _step(
        Kind.PUT_PLUGIN,
        f"{verb} the plugin {where} {places.plugin}",
        f"The plugin is in {places.plugin} already",
        is_done=facts.plugin is Presence.CURRENT,
    )


def _enable(places: Paths, *, is_done: bool) -> Step:
    return _plugn(
        Kind.ENABLE_PLUGIN,
        places,
        "enable registryd",
        text="Enable the plugin registryd",
        already="The plugin registryd is enabled already",
        is_done=is_done,
    )


def _note(facts: Facts, places: Paths, mode: Mode) -> Step:
    return _step(
        Kind.NOTE_MODE,
        f"Note in {places.mode_note} that {mode} is wanted",
        f"{places.mode_note} says already that {mode} is wanted",
        is_done=facts.noted_mode == mode,
    )


def _switch(facts: Facts, places: Paths, mode: Mode) -> list[Step]:
    if mode is Mode.COMPANION:
        return [_enable_core(facts, places), _records(facts, places)]
    disable = _plugn(
        Kind.DISABLE_CORE,
        places,
        "disable registry",
        text=f"Disable Dokku's own registry plugin: remove the link {places.core_link}",
        already="Dokku's own registry plugin is disabled already",
        is_done=not facts.is_core_enabled,
    )
    return [disable]


def _enable_core(facts: Facts, places: Paths) -> Step:
    already = "Dokku's own registry plugin is enabled already"
    if not facts.has_core:
        already = "This Dokku has no registry plugin of its own to be enabled"
    return _plugn(
        Kind.ENABLE_CORE,
        places,
        "enable registry",
        text=f"Enable Dokku's own registry plugin: make the link {places.core_link}",
        already=already,
        is_done=facts.is_core_enabled or not facts.has_core,
    )


def _records(facts: Facts, places: Paths) -> Step:
    # They would hide what Dokku's own plugin releases from now on.
    return _step(
        Kind.DROP_RECORDS,
        f"Remove the recorded releases in {places.records}: Dokku's own plugin answers",
        f"There are no recorded releases in {places.records}",
        is_done=not facts.has_records,
    )


def _start(facts: Facts) -> Step:
    if not facts.has_systemd:
        return Step(
            kind=Kind.START_SERVICE,
            text="systemd does not run here, so there is no service: hooks push by"
            " themselves, and nothing heals until dokku-registryd run is started",
            is_done=True,
        )
    is_running = facts.is_service_running and not facts.is_outdated
    return Step(
        kind=Kind.START_SERVICE,
        text="The service dokku-registryd runs already"
        if is_running and facts.is_service_enabled
        else "Start the service dokku-registryd, now and at every boot",
        hint="See journalctl -u dokku-registryd",
        is_done=is_running and facts.is_service_enabled,
    )


def plan_uninstall(facts: Facts, places: Paths, *, is_purge: bool) -> list[Step]:
    """Return what takes back whatever is seen of an installation."""
    steps = [
        _retire(facts),
        _enable_core(facts, places),
        _plugn(
            Kind.DISABLE_PLUGIN,
            places,
            "disable registryd",
            text="Disable the plugin registryd",
            already="The plugin registryd is not enabled",
            is_done=not facts.is_plugin_enabled,
        ),
        _records(facts, places),
        _removal(Kind.REMOVE_PLUGIN, places.plugin, facts.plugin),
        _removal(Kind.REMOVE_UNIT, f"{places.unit} and {places.tmpfiles}", facts.unit),
        _removal(Kind.REMOVE_PROGRAM, places.program, facts.program),
    ]
    return [*steps, _purge(facts, places, is_purge=is_purge)]


def _retire(facts: Facts) -> Step:
    return _step(
        Kind.RETIRE_SERVICE,
        "Stop the service dokku-registryd and start it no more at boot",
        "The service dokku-registryd does not run",
        hint="See systemctl status dokku-registryd",
        is_done=not (facts.is_service_enabled or facts.is_service_running),
    )


def _removal(kind: Kind, what: str, presence: Presence) -> Step:
    already = f"There is no {what}"
    if presence is Presence.PACKAGED:
        already = f"{what} came with the package and stays"
    elif presence is Presence.FOREIGN:
        already = f"{what} is not ours and stays"
    return _step(
        kind,
        f"Remove {what}",
        already,
        is_done=presence not in {Presence.STALE, Presence.CURRENT},
    )


def _purge(facts: Facts, places: Paths, *, is_purge: bool) -> Step:
    ours = f"{places.data_dir}, {places.config_root}/registryd and {places.settings}"
    already = f"{ours} stay; --purge removes them"
    if not facts.has_data:
        already = (
            f"There is nothing in {places.data_dir}, and no settings or properties"
        )
    return _step(
        Kind.PURGE,
        f"Remove {ours} for good",
        already,
        is_done=not (is_purge and facts.has_data),
    )


def _step(
    kind: Kind, text: str, already: str, *, is_done: bool, hint: str = ""
) -> Step:
    return Step(
        kind=kind, text=already if is_done else text, hint=hint, is_done=is_done
    )


def _plugn(
    kind: Kind, places: Paths, command: str, *, text: str, already: str, is_done: bool
) -> Step:
    return _step(
        kind,
        text,
        already,
        is_done=is_done,
        hint=f"See what this says: PLUGIN_PATH={places.plugins} plugn {command}",
    )
