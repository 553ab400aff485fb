"""Plans for installing and uninstalling, computed from the state of a host.

A plan is a list of steps. Each has a sentence that is printed before the step runs; a
step that is already done has a sentence that says so. So a plan can be shown without
running it, an interrupted installation continues where it stopped, and uninstalling
works from any stage.

The order matters. Installing enables our plugin before it disables Dokku's;
uninstalling enables Dokku's plugin before it disables ours. While both are enabled, our
hooks run as companion (they check at each call), so one plugin always answers Dokku.
"""

from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd.core.install.host_state import Facts, Mode, Presence
from dokku_registryd.core.install.paths import Paths


class Kind(StrEnum):
    """The kind of a step."""

    STOP_SERVICE = "stop service"
    WRITE_SETTINGS = "write settings"
    MAKE_FOLDERS = "make folders"
    MAKE_PROPERTIES = "make properties"
    WRITE_PROGRAM = "write program"
    WRITE_UNIT = "write unit"
    PUT_PLUGIN = "put plugin"
    ENABLE_PLUGIN = "enable plugin"
    WRITE_PAGES = "write pages"
    NOTE_MODE = "note mode"
    DISABLE_CORE = "disable core"
    ENABLE_CORE = "enable core"
    DROP_RECORDS = "drop records"
    ADOPT = "adopt"
    START_SERVICE = "start service"
    RETIRE_SERVICE = "retire service"
    DISABLE_PLUGIN = "disable plugin"
    REMOVE_PLUGIN = "remove plugin"
    REMOVE_PAGES = "remove pages"
    REMOVE_UNIT = "remove unit"
    REMOVE_PROGRAM = "remove program"
    PURGE = "purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change, or the statement that it is not needed."""

    kind: Kind
    text: str
    """The change, or why it is not needed."""
    hint: str = ""
    """A hint for the case that the step fails."""
    is_done: bool = False


def plan_install(facts: Facts, places: Paths, mode: Mode) -> list[Step]:
    """Return the steps to install on a host in the given state."""
    steps = [
        _settings(facts, places),
        _folders(facts, places),
        _properties(facts, places),
        _program(facts, places),
        *([_unit(facts, places)] if facts.has_systemd else []),
        _plugin(facts, places),
        _enable(places, is_done=facts.is_plugin_enabled),
        _pages(facts, places),
        _note(facts, places, mode),
        *_switch(facts, places, mode),
        Step(
            kind=Kind.ADOPT,
            text="Record pushed releases in the ledger, and list differences",
            hint="Check that Docker runs: docker info",
        ),
        _start(facts),
    ]
    if facts.is_service_running and facts.is_outdated:
        reason = f"to start it again later: it {facts.difference}"
        why = reason if facts.difference else "while its files are replaced"
        stop = Step(
            kind=Kind.STOP_SERVICE,
            text=f"Stop the service {places.service} {why}",
            hint=f"See: systemctl status {places.service}",
        )
        return [stop, *steps]
    return steps


def _settings(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.WRITE_SETTINGS,
        f"Write the settings file {places.settings} with all keys at their defaults",
        f"The settings file {places.settings} already exists and is not changed",
        is_done=facts.has_settings,
    )


def _folders(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.MAKE_FOLDERS,
        f"Create {places.data_dir} with spool and replies, private to {facts.owner}",
        f"{places.data_dir} with spool and replies already exists",
        is_done=facts.has_folders,
    )


def _properties(facts: Facts, places: Paths) -> Step:
    return _step(
        Kind.MAKE_PROPERTIES,
        f"Create {places.config_root}/registryd for the properties of the plugin",
        f"{places.config_root}/registryd already exists",
        is_done=facts.has_properties,
    )


def _program(facts: Facts, places: Paths) -> Step:
    verb = "Update" if facts.program is Presence.STALE else "Write"
    return _step(
        Kind.WRITE_PROGRAM,
        f"{verb} {places.program}, which runs the program with {places.python}",
        f"{places.program} is up to date",
        is_done=facts.program in {Presence.CURRENT, Presence.PACKAGED},
    )


def _unit(facts: Facts, places: Paths) -> Step:
    verb = "Update" if facts.unit is Presence.STALE else "Write"
    return _step(
        Kind.WRITE_UNIT,
        f"{verb} {places.unit} and {places.tmpfiles}, and reload systemd",
        f"{places.unit} and {places.tmpfiles} are up to date",
        is_done=facts.unit is Presence.CURRENT,
    )


def _plugin(facts: Facts, places: Paths) -> Step:
    verb = "Update" if facts.plugin is Presence.STALE else "Install"
    what = f"the plugin in {places.plugin}"
    if places.is_checkout:
        what = f"the hooks in {places.hooks}, and links to them in {places.plugin}"
    are = "are" if places.is_checkout else "is"
    return _step(
        Kind.PUT_PLUGIN,
        f"{verb} {what}",
        f"{what[0].upper()}{what[1:]} {are} up to date",
        is_done=facts.plugin is Presence.CURRENT,
    )


def _enable(places: Paths, *, is_done: bool) -> Step:
    return _plugn(
        Kind.ENABLE_PLUGIN,
        places,
        "enable registryd",
        text="Enable the plugin registryd",
        already="The plugin registryd is already enabled",
        is_done=is_done,
    )


def _pages(facts: Facts, places: Paths) -> Step:
    verb = "Update" if facts.pages is Presence.STALE else "Write"
    pages = f"the man page {places.manual} and the completion {places.completion}"
    return _step(
        Kind.WRITE_PAGES,
        f"{verb} {pages}, and add the commands to Dokku's list {places.command_list}",
        f"{pages[0].upper()}{pages[1:]} are up to date",
        is_done=facts.pages is Presence.CURRENT,
    )


def _note(facts: Facts, places: Paths, mode: Mode) -> Step:
    return _step(
        Kind.NOTE_MODE,
        f"Record the mode {mode} in {places.mode_note}",
        f"The mode {mode} is already recorded in {places.mode_note}",
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
        already="Dokku's own registry plugin is already disabled",
        is_done=not facts.is_core_enabled,
    )
    return [disable]


def _enable_core(facts: Facts, places: Paths) -> Step:
    already = "Dokku's own registry plugin is already enabled"
    if not facts.has_core:
        already = "This Dokku has no registry plugin of its own"
    return _plugn(
        Kind.ENABLE_CORE,
        places,
        "enable registry",
        text=f"Enable Dokku's own registry plugin: create the link {places.core_link}",
        already=already,
        is_done=facts.is_core_enabled or not facts.has_core,
    )


def _records(facts: Facts, places: Paths) -> Step:
    # They would hide later releases of Dokku's own plugin.
    return _step(
        Kind.DROP_RECORDS,
        f"Remove the recorded releases in {places.records}, now that Dokku's own plugin"
        " answers",
        f"There are no recorded releases in {places.records}",
        is_done=not facts.has_records,
    )


def _start(facts: Facts) -> Step:
    if not facts.has_systemd:
        return Step(
            kind=Kind.START_SERVICE,
            text="systemd does not run here, so no service is started: hooks push by"
            " themselves, and missing images are not restored unless you start"
            " it with: sudo -u dokku dokku-registryd run",
            is_done=True,
        )
    is_running = facts.is_service_running and not facts.is_outdated
    return Step(
        kind=Kind.START_SERVICE,
        text="The service dokku-registryd is already running"
        if is_running and facts.is_service_enabled
        else "Start the service dokku-registryd, now and at every boot",
        hint="See: journalctl -u dokku-registryd",
        is_done=is_running and facts.is_service_enabled,
    )


def plan_uninstall(facts: Facts, places: Paths, *, is_purge: bool) -> list[Step]:
    """Return the steps to remove an installation, complete or not."""
    hooks = places.plugin
    if places.is_checkout:
        hooks = f"{places.hooks} and the links to it in {places.plugin}"
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
        _removal(Kind.REMOVE_PLUGIN, hooks, facts.plugin),
        _removal(
            Kind.REMOVE_PAGES,
            f"{places.manual} and {places.completion}",
            facts.pages,
        ),
        _removal(Kind.REMOVE_UNIT, f"{places.unit} and {places.tmpfiles}", facts.unit),
        _removal(Kind.REMOVE_PROGRAM, places.program, facts.program),
    ]
    return [*steps, _purge(facts, places, is_purge=is_purge)]


def _retire(facts: Facts) -> Step:
    return _step(
        Kind.RETIRE_SERVICE,
        "Stop the service dokku-registryd and disable it at boot",
        "The service dokku-registryd is not running",
        hint="See: systemctl status dokku-registryd",
        is_done=not (facts.is_service_enabled or facts.is_service_running),
    )


def _removal(kind: Kind, what: str, presence: Presence) -> Step:
    already = f"There is no {what}"
    if presence is Presence.PACKAGED:
        already = f"{what} belongs to the package and stays"
    elif presence is Presence.FOREIGN:
        already = f"{what} does not belong to dokku-registryd and stays"
    return _step(
        kind,
        f"Remove {what}",
        already,
        is_done=presence not in {Presence.STALE, Presence.CURRENT},
    )


def _purge(facts: Facts, places: Paths, *, is_purge: bool) -> Step:
    ours = f"{places.data_dir}, {places.config_root}/registryd and {places.settings}"
    already = f"{ours} stay; --purge removes them, and so does sudo rm -r later"
    if not facts.has_data:
        already = (
            f"There is nothing in {places.data_dir}, and no settings or properties"
        )
    return _step(
        Kind.PURGE,
        f"Permanently remove {ours}",
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
        hint=f"Run: PLUGIN_PATH={places.plugins} plugn {command}",
    )
