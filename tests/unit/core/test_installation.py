"""Plans of installing and uninstalling: what is seen, and what is left to do."""

from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd.core.install import host_state, paths, plans
from dokku_registryd.core.install.host_state import Facts, Mode, Presence
from dokku_registryd.core.install.plans import Kind

PLACES = paths.Paths(python="/opt/registryd/bin/python")
BARE = Facts()
INSTALLED = Facts(
    is_core_enabled=False,
    has_settings=True,
    has_folders=True,
    has_properties=True,
    program=Presence.CURRENT,
    plugin=Presence.CURRENT,
    is_plugin_enabled=True,
    noted_mode="takeover",
    has_records=True,
    has_data=True,
    unit=Presence.CURRENT,
    is_service_enabled=True,
    is_service_running=True,
    pages=Presence.CURRENT,
)
COMPANION = replace(
    INSTALLED, is_core_enabled=True, noted_mode="companion", has_records=False
)

FRESH = """\
Write the settings file /etc/dokku-registryd/config.toml with all keys at their defaults
Create /var/lib/dokku/data/registryd with spool and replies, private to dokku
Create /var/lib/dokku/config/registryd for the properties of the plugin
Write /usr/local/bin/dokku-registryd, which runs the program with \
/opt/registryd/bin/python
Write /etc/systemd/system/dokku-registryd.service and \
/etc/tmpfiles.d/dokku-registryd.conf, and reload systemd
Install the plugin in /var/lib/dokku/plugins/available/registryd
Enable the plugin registryd
Write the man page /usr/local/share/man/man8/dokku-registryd.8 and the completion \
/usr/local/share/bash-completion/completions/dokku-registryd, and add the commands to \
Dokku's list /var/cache/dokku-completion
Record the mode takeover in /var/lib/dokku/data/registryd/mode
Disable Dokku's own registry plugin: remove the link \
/var/lib/dokku/plugins/enabled/registry
Record pushed releases in the ledger, and list differences
Start the service dokku-registryd, now and at every boot
"""

REPEATED = """\
The settings file /etc/dokku-registryd/config.toml already exists and is not changed
/var/lib/dokku/data/registryd with spool and replies already exists
/var/lib/dokku/config/registryd already exists
/usr/local/bin/dokku-registryd is up to date
/etc/systemd/system/dokku-registryd.service and \
/etc/tmpfiles.d/dokku-registryd.conf are up to date
The plugin in /var/lib/dokku/plugins/available/registryd is up to date
The plugin registryd is already enabled
The man page /usr/local/share/man/man8/dokku-registryd.8 and the completion \
/usr/local/share/bash-completion/completions/dokku-registryd are up to date
The mode takeover is already recorded in /var/lib/dokku/data/registryd/mode
Dokku's own registry plugin is already disabled
Record pushed releases in the ledger, and list differences
The service dokku-registryd is already running
"""

BACK = """\
Stop the service dokku-registryd and disable it at boot
Enable Dokku's own registry plugin: create the link \
/var/lib/dokku/plugins/enabled/registry
Disable the plugin registryd
Remove the recorded releases in /var/lib/dokku/data/registryd/deployed, now that \
Dokku's own plugin answers
Remove /var/lib/dokku/plugins/available/registryd
Remove /usr/local/share/man/man8/dokku-registryd.8 and \
/usr/local/share/bash-completion/completions/dokku-registryd
Remove /etc/systemd/system/dokku-registryd.service and \
/etc/tmpfiles.d/dokku-registryd.conf
Remove /usr/local/bin/dokku-registryd
/var/lib/dokku/data/registryd, /var/lib/dokku/config/registryd and \
/etc/dokku-registryd/config.toml stay; --purge removes them, and so does sudo rm -r \
later
"""


def install(facts: Facts, mode: Mode = Mode.TAKEOVER) -> list[plans.Step]:
    """Plan an installation."""
    return plans.plan_install(facts, PLACES, mode)


def uninstall(facts: Facts, *, is_purge: bool = False) -> list[plans.Step]:
    """Plan the way back."""
    return plans.plan_uninstall(facts, PLACES, is_purge=is_purge)


def texts(steps: list[plans.Step]) -> str:
    """Return what is said, a line each."""
    return "".join(f"{step.text}\n" for step in steps)


def left(steps: list[plans.Step]) -> list[Kind]:
    """Return what is left to be done."""
    return [step.kind for step in steps if not step.is_done]


def test_fresh_host() -> None:
    """A host that has nothing of us gets everything, in this order."""
    steps = install(BARE)

    assert texts(steps) == FRESH
    assert not any(step.is_done for step in steps)


def test_checkout() -> None:
    """The hooks of a checkout are outside of it, and links lead there."""
    places = replace(PLACES, is_checkout=True)
    put = "the hooks in /opt/dokku-registryd/hooks, and links to them in"

    texts = [
        step.text
        for facts in (BARE, INSTALLED)
        for step in plans.plan_install(facts, places, Mode.TAKEOVER)
        if step.kind is Kind.PUT_PLUGIN
    ]
    (removal,) = (
        step.text
        for step in plans.plan_uninstall(INSTALLED, places, is_purge=False)
        if step.kind is Kind.REMOVE_PLUGIN
    )

    assert texts == [
        f"Install {put} {places.plugin}",
        f"The {put.removeprefix('the ')} {places.plugin} are up to date",
    ]
    assert removal == (
        f"Remove /opt/dokku-registryd/hooks and the links to it in {places.plugin}"
    )


@pytest.mark.parametrize(
    ("dokku", "is_too_old"),
    [
        ("0.32.4", True),
        ("0.33.0", False),
        ("v0.38.27-33-g33896f5d7", False),
        ("0.100.0", False),
        ("master", False),
        ("", False),
    ],
)
def test_version_of_dokku(dokku: str, is_too_old: bool) -> None:
    """A Dokku that lacks what we need is refused; an unknown one is not."""
    found = host_state.objections(
        replace(BARE, dokku_version=dokku), PLACES, Mode.TAKEOVER
    )

    reason = f"this is Dokku {dokku}, and 0.33.0 or newer is needed. Upgrade Dokku"
    assert found == ([reason] if is_too_old else [])


@pytest.mark.parametrize(
    ("asked", "noted", "preset", "pushing", "mode"),
    [
        ("", "", "", (), Mode.TAKEOVER),
        ("", "", "", ("web",), Mode.COMPANION),
        ("", "", "takeover", ("web",), Mode.TAKEOVER),
        ("", "companion", "takeover", (), Mode.COMPANION),
        ("takeover", "companion", "companion", ("web",), Mode.TAKEOVER),
        ("", "of an older version", "", (), Mode.TAKEOVER),
    ],
)
def test_mode_without_an_option(
    asked: str, noted: str, preset: str, pushing: tuple[str, ...], mode: Mode
) -> None:
    """The environment decides, then an earlier installation, the file, the apps."""
    chosen, said = host_state.choose_mode(asked, noted, preset, pushing)

    assert chosen is mode
    is_chosen_by_apps = pushing and not (asked or noted or preset)
    assert bool(said) == bool(is_chosen_by_apps)


def test_apps_that_decide_the_mode() -> None:
    """The first apps that push are named, with the command that takes over."""
    _, said = host_state.choose_mode("", "", "", ("a", "b", "c", "d"))

    assert said == (
        "Dokku's own registry plugin pushes a, b, c, … and stays in charge. To let"
        " dokku-registryd take over: sudo dokku-registryd install"
    )


@pytest.mark.parametrize("variables", [("x", ""), ("", "x")])
def test_invalid_mode(variables: tuple[str, str]) -> None:
    """A variable that names no mode is an error, in both places."""
    asked, preset = variables

    with pytest.raises(ValueError, match="'x' is not a valid Mode"):
        host_state.choose_mode(asked, "", preset, ())


def test_installed_host() -> None:
    """Where everything is in place only the apps are looked at again."""
    steps = install(INSTALLED)

    assert texts(steps) == REPEATED
    assert left(steps) == [Kind.ADOPT]


def test_way_back() -> None:
    """Uninstalling takes back what was put there and keeps what was recorded."""
    steps = uninstall(INSTALLED)

    assert texts(steps) == BACK
    assert left(steps) == [step.kind for step in steps[:-1]]


def test_way_back_from_nothing() -> None:
    """A host that has nothing of us is left alone."""
    assert left(uninstall(BARE)) == []
    assert left(uninstall(BARE, is_purge=True)) == []


def test_purge() -> None:
    """A purge removes what was recorded too, last of all."""
    step = uninstall(INSTALLED, is_purge=True)[-1]

    assert (step.kind, step.is_done) == (Kind.PURGE, False)
    assert step.text == (
        "Permanently remove /var/lib/dokku/data/registryd,"
        " /var/lib/dokku/config/registryd and /etc/dokku-registryd/config.toml"
    )


@pytest.mark.parametrize("facts", [BARE, INSTALLED, COMPANION], ids=["bare", "1", "2"])
@pytest.mark.parametrize("mode", Mode)
def test_a_plugin_always_answers(facts: Facts, mode: Mode) -> None:
    """Ours is enabled before Dokku's own goes, and goes after that is back."""
    there = [step.kind for step in install(facts, mode)]
    back = [step.kind for step in uninstall(facts)]

    if Kind.DISABLE_CORE in there:
        assert there.index(Kind.ENABLE_PLUGIN) < there.index(Kind.DISABLE_CORE)
    assert back.index(Kind.ENABLE_CORE) < back.index(Kind.DISABLE_PLUGIN)
    assert back.index(Kind.DISABLE_PLUGIN) < back.index(Kind.REMOVE_PLUGIN)


def test_companion() -> None:
    """Next to Dokku's own plugin nothing is disabled."""
    steps = install(BARE, Mode.COMPANION)

    assert Kind.DISABLE_CORE not in [step.kind for step in steps]
    assert Kind.ENABLE_CORE not in left(steps)
    assert "Dokku's own registry plugin is already enabled\n" in texts(steps)


def test_from_takeover_to_companion() -> None:
    """The recorded releases go, or they would hide what Dokku's own plugin releases."""
    steps = left(install(INSTALLED, Mode.COMPANION))

    assert steps == [Kind.NOTE_MODE, Kind.ENABLE_CORE, Kind.DROP_RECORDS, Kind.ADOPT]


def test_from_companion_to_takeover() -> None:
    """Dokku's own plugin is disabled, and then the apps are adopted once more."""
    steps = left(install(COMPANION))

    assert steps == [Kind.NOTE_MODE, Kind.DISABLE_CORE, Kind.ADOPT]


def test_dokku_enabled_its_plugin_again() -> None:
    """What an installation from source brought back is disabled by repeating."""
    steps = left(install(replace(INSTALLED, is_core_enabled=True)))

    assert steps == [Kind.DISABLE_CORE, Kind.ADOPT]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"plugin": Presence.STALE}, [Kind.PUT_PLUGIN]),
        ({"program": Presence.STALE}, [Kind.WRITE_PROGRAM]),
        ({"unit": Presence.STALE}, [Kind.WRITE_UNIT]),
    ],
    ids=["plugin", "program", "unit"],
)
def test_upgrade(changes: dict[str, Presence], steps: list[Kind]) -> None:
    """The service stops before its files change, and so starts with the new ones."""
    planned = left(install(replace(INSTALLED, **changes)))  # type: ignore[arg-type]

    assert planned == [Kind.STOP_SERVICE, *steps, Kind.ADOPT, Kind.START_SERVICE]


def test_upgrade_of_the_program_alone() -> None:
    """A service that runs another program is stopped, before apps are adopted."""
    facts = replace(
        INSTALLED, daemon=77, difference="runs 0.1.0, but 0.3.0 is installed"
    )
    steps = install(facts)

    assert left(steps) == [Kind.STOP_SERVICE, Kind.ADOPT, Kind.START_SERVICE]
    assert steps[0].text == (
        "Stop the service dokku-registryd to start it again later: it runs 0.1.0, but"
        " 0.3.0 is installed"
    )
    assert host_state.objections(facts, PLACES, Mode.TAKEOVER) == []


def test_a_daemon_that_is_not_the_service() -> None:
    """What cannot be stopped here must not find another ledger under its feet."""
    facts = replace(
        INSTALLED,
        is_service_running=False,
        daemon=77,
        difference="runs an older version than the installed 0.3.0",
    )

    (objection,) = host_state.objections(facts, PLACES, Mode.TAKEOVER)

    assert objection == (
        "process 77 uses /var/lib/dokku/data/registryd but is not the service"
        " dokku-registryd; it runs an older version than the installed 0.3.0. Stop it,"
        " repeat this command, and start it again"
    )


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({"daemon": 77}, "kill 77"),
        ({"daemon": 77, "has_runit": True}, "sv stop /etc/service/dokku-registryd"),
        ({"daemon": 77, "is_service_running": True}, ""),
        ({"daemon": 0}, ""),
    ],
    ids=["by-hand", "runit", "systemd", "none"],
)
def test_a_daemon_that_would_run_on(changes: dict[str, Any], way: str) -> None:
    """Nothing is removed below a daemon that only its starter can stop for good."""
    facts = replace(INSTALLED, **{"is_service_running": False, **changes})

    found = host_state.daemon_objection(facts, PLACES)

    said = (
        "process 77 uses /var/lib/dokku/data/registryd and would run on, as systemd has"
        f" not started it. Stop it with: {way}. Then repeat this command"
    )
    assert found == ([said] if way else [])


def test_a_ledger_of_a_newer_version() -> None:
    """A downgrade that could not end is not begun: the service runs on."""
    reason = "ledger.sqlite3 was written by a newer dokku-registryd"
    facts = replace(INSTALLED, newer_ledger=reason)

    assert host_state.objections(facts, PLACES, Mode.TAKEOVER) == [reason]


def test_upgrade_that_stopped_half_way() -> None:
    """A service that was stopped for its new files is started by repeating."""
    planned = left(install(replace(INSTALLED, is_service_running=False)))

    assert planned == [Kind.ADOPT, Kind.START_SERVICE]


def test_no_systemd() -> None:
    """Without systemd there is neither unit nor service, and it is said."""
    steps = install(replace(BARE, has_systemd=False))

    assert not {Kind.WRITE_UNIT, Kind.START_SERVICE} & set(left(steps))
    assert steps[-1].text == (
        "systemd does not run here, so no service is started: hooks push by"
        " themselves, and missing images are not restored unless you start"
        " it with: sudo -u dokku dokku-registryd run"
    )


@pytest.mark.parametrize(
    ("presence", "text"),
    [
        (Presence.ABSENT, "There is no /usr/local/bin/dokku-registryd"),
        (
            Presence.PACKAGED,
            "/usr/local/bin/dokku-registryd belongs to the package and stays",
        ),
        (
            Presence.FOREIGN,
            (
                "/usr/local/bin/dokku-registryd does not belong to dokku-registryd and"
                " stays"
            ),
        ),
    ],
)
def test_program_that_is_not_ours(presence: Presence, text: str) -> None:
    """Only a program that we put there is removed."""
    steps = {step.kind: step for step in uninstall(replace(BARE, program=presence))}

    assert steps[Kind.REMOVE_PROGRAM].text == text
    assert steps[Kind.REMOVE_PROGRAM].is_done


def test_program_of_the_package() -> None:
    """A program that the package brought to that place is left alone."""
    planned = left(install(replace(BARE, program=Presence.PACKAGED)))

    assert Kind.WRITE_PROGRAM not in planned


def test_dokku_without_a_registry_plugin() -> None:
    """Where Dokku has none there is nothing to enable again."""
    facts = replace(INSTALLED, has_core=False)

    assert Kind.ENABLE_CORE not in left(uninstall(facts))


@pytest.mark.parametrize(
    ("facts", "mode", "objection"),
    [
        pytest.param(
            replace(BARE, has_dokku=False),
            Mode.TAKEOVER,
            "/var/lib/dokku/plugins/available is not a folder. Is Dokku installed? If"
            " it is in another folder, set DOKKU_LIB_ROOT",
            id="no-dokku",
        ),
        pytest.param(
            replace(BARE, has_plugn=False),
            Mode.TAKEOVER,
            "plugn is not on the PATH. It is part of Dokku: install Dokku",
            id="no-plugn",
        ),
        pytest.param(
            replace(BARE, owner_problem="Permission denied"),
            Mode.TAKEOVER,
            "user dokku cannot run /opt/registryd/bin/python (Permission denied)."
            " Install the package in a folder that all users can read, such as"
            " /opt/dokku-registryd",
            id="unreadable",
        ),
        pytest.param(
            replace(BARE, program=Presence.FOREIGN),
            Mode.TAKEOVER,
            "/usr/local/bin/dokku-registryd is another program, or another version of"
            " this one. Move or remove it",
            id="another-program",
        ),
        pytest.param(
            replace(BARE, has_core=False),
            Mode.COMPANION,
            "--companion needs Dokku's own registry plugin, which is missing",
            id="nothing-to-accompany",
        ),
        pytest.param(
            replace(INSTALLED, waiting=("web 7",)),
            Mode.COMPANION,
            "the deploy of web 7 continued before the push was done, and Dokku's own"
            " plugin does not know such numbers. Wait until dokku-registryd status"
            " shows no pending jobs",
            id="undelivered",
        ),
    ],
)
def test_objections(facts: Facts, mode: Mode, objection: str) -> None:
    """What stands in the way is said before anything is changed, with the way out."""
    assert host_state.objections(facts, PLACES, mode) == [objection]


def test_no_objection() -> None:
    """Nothing stands in the way of installing once, or again while pushes wait."""
    waiting = replace(INSTALLED, waiting=("web 7",))

    assert host_state.objections(BARE, PLACES, Mode.COMPANION) == []
    assert host_state.objections(waiting, PLACES, Mode.TAKEOVER) == []


def test_texts_name_the_places_of_this_host() -> None:
    """Shipped texts get the paths of a host that has moved them."""
    moved = paths.Paths(root="/r", lib_root="/srv/lib", data_dir="/srv/spool")
    text = (
        "d /var/lib/dokku/data/registryd/spool\nReadWritePaths=-/home/dokku/.docker\n"
        "ExecStart=/usr/local/bin/dokku-registryd run\n/var/lib/dokku/config\n"
        "ReadWritePaths=-/var/lib/dokku/config/registry\n"
        "/var/lib/dokku/configs /home/dokku2\n"
    )

    assert moved.localize(text) == (
        "d /srv/spool/spool\nReadWritePaths=-/home/dokku/.docker\n"
        "ExecStart=/r/usr/local/bin/dokku-registryd run\n/srv/lib/config\n"
        "ReadWritePaths=-/srv/lib/config/registry\n"
        "/var/lib/dokku/configs /home/dokku2\n"
    )
    assert paths.Paths().localize(text) == text


def test_program_text() -> None:
    """The program is a shell script that quotes the interpreter's path."""
    odd = paths.Paths(python="/opt/it's here/python")

    assert odd.program_text().splitlines()[4] == (
        """  exec '/opt/it'"'"'s here/python' -I -m dokku_registryd "$@\""""
    )
