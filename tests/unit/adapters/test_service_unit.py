"""What systemd says of our unit: by its files, and by `systemctl show`."""

import os
from pathlib import Path

import pytest

from dokku_registryd.adapters.host import service_unit
from dokku_registryd.core.status.service_states import Unit

SERVICE = "dokku-registryd.service"
SHOWN = """\
#!/bin/sh
[ "$1 $2 $4" = "show --property dokku-registryd.service" ] || exit 9
cat <<end
MainPID=812
Result=exit-code
LoadState={load}
ActiveState=failed
SubState=failed
UnitFileState={state}
ExecMainStatus=78
end
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a host that systemd has booted, below one folder."""
    for folder in ("run/systemd/system", "etc/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def facts(unit: Unit) -> dict[str, object]:
    """Return what is known of the unit."""
    return {name: getattr(unit, name) for name in Unit.__slots__}


def answer(root: Path, script: str) -> dict[str, str]:
    """Let systemctl be a script; return an environment in which it is found."""
    program = root / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def test_no_systemd(tmp_path: Path) -> None:
    """Where systemd has not booted the host, no program is asked."""
    environ = answer(tmp_path, SHOWN.format(load="loaded", state="enabled"))

    assert facts(service_unit.ask(environ, str(tmp_path))) == facts(Unit())


def test_no_unit(root: Path) -> None:
    """A host with systemd on which our unit was never installed."""
    assert facts(service_unit.glance(str(root))) == facts(Unit(has_systemd=True))


@pytest.mark.parametrize("folder", ["multi-user.target.wants", "own.target.requires"])
def test_a_unit_that_starts_at_boot(root: Path, folder: str) -> None:
    """Any link that systemd follows at boot counts."""
    place = root / "etc/systemd/system" / SERVICE
    place.write_text("[Service]\n")
    seen = service_unit.glance(str(root))
    (place.parent / folder).mkdir()
    (place.parent / folder / SERVICE).symlink_to(place)

    assert (seen.is_there, seen.is_enabled, seen.is_masked) == (True, False, False)
    assert service_unit.glance(str(root)).is_enabled is True


@pytest.mark.parametrize("folder", ["etc", "run"])
def test_a_masked_unit(root: Path, folder: str) -> None:
    """A unit is masked by a link to /dev/null, for this boot or forever."""
    (root / folder / "systemd/system" / SERVICE).symlink_to(os.devnull)

    assert service_unit.glance(str(root)).is_masked


def test_what_systemctl_says(root: Path) -> None:
    """The properties of the unit are read, in any order."""
    environ = answer(root, SHOWN.format(load="loaded", state="disabled"))

    assert facts(service_unit.ask(environ, str(root))) == facts(
        Unit(
            has_systemd=True,
            is_there=True,
            is_enabled=False,
            active="failed",
            sub="failed",
            pid=812,
            result="exit-code",
            code="78",
        )
    )


@pytest.mark.parametrize(
    ("load", "state", "seen"),
    [
        ("masked", "masked", (True, True, False)),
        ("not-found", "", (False, False, None)),
        ("loaded", "generated", (True, False, None)),
    ],
)
def test_other_units(
    root: Path, load: str, state: str, seen: tuple[bool, bool, bool | None]
) -> None:
    """A masked unit, a missing one, and one of which systemd does not tell."""
    unit = service_unit.ask(
        answer(root, SHOWN.format(load=load, state=state)), str(root)
    )

    assert (unit.is_there, unit.is_masked, unit.is_enabled) == seen


def test_a_systemd_that_does_not_answer(root: Path) -> None:
    """Then its files count, and no state is claimed."""
    (root / "etc/systemd/system" / SERVICE).write_text("[Service]\n")

    seen = service_unit.ask(answer(root, "#!/bin/sh\nexit 1\n"), str(root))

    assert (seen.is_there, seen.is_enabled, seen.active) == (True, False, "")
