"""The state of the service: facts in, words out."""

import pytest

from dokku_registryd.core.status import service_states
from dokku_registryd.core.status.service_states import Sight, State, Unit

DATA = "/var/lib/dokku/data/registryd"
NONE = Unit()
ALONE = "Deploys push by themselves; missing images are not restored."
LOG = "journalctl -u dokku-registryd -n 20"


def unit(active: str = "", **facts: object) -> Unit:
    """Return what systemd says of a unit that it knows and starts at boot."""
    known: dict[str, object] = {
        "has_systemd": True,
        "is_there": True,
        "is_enabled": True,
    }
    return Unit(**{**known, "active": active, **facts})  # type: ignore[arg-type]


def judge(unit: Unit = NONE, **facts: object) -> State:
    """Return the state for what the lock, systemd and the socket show."""
    return service_states.judge(
        Sight(data_dir=DATA, unit=unit, **facts)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (unit(), "running, pid 812"),
        (NONE, "running, pid 812"),
        (
            unit(is_enabled=False),
            (
                "running, pid 812; it will not start at the next boot:"
                " systemctl enable dokku-registryd"
            ),
        ),
        (
            unit(is_masked=True, is_enabled=False),
            (
                "running, pid 812; its unit is masked, so it will not start again:"
                " systemctl unmask dokku-registryd"
            ),
        ),
    ],
    ids=["enabled", "no systemd", "disabled", "masked"],
)
def test_a_service_that_runs(seen: Unit, text: str) -> None:
    """The holder of the lock runs; whether it will start again is said too."""
    state = judge(seen, role="daemon", pid=812)

    assert (state.name, state.pid, state.is_running) == ("running", 812, True)
    assert state.sentence() == text


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (
            {"is_silent": True, "unit": unit()},
            (
                "hanging: process 812 holds the lock, but does not answer at its"
                " socket. Deploys may wait for it. If that lasts: systemctl restart"
                " dokku-registryd"
            ),
        ),
        (
            {"is_silent": True, "unit": NONE},
            (
                "hanging: process 812 holds the lock, but does not answer at its"
                " socket. Deploys may wait for it. If that lasts: kill -9 812"
            ),
        ),
        (
            {"is_silent": True, "is_suspended": True, "unit": unit()},
            (
                "suspended by a signal (process 812). Deploys may wait for it. Let it"
                " continue with: kill -CONT 812"
            ),
        ),
    ],
    ids=["systemd", "no systemd", "suspended"],
)
def test_a_service_that_hangs(facts: dict[str, object], text: str) -> None:
    """A holder of the lock that does not answer is not called running."""
    state = judge(role="daemon", pid=812, **facts)  # type: ignore[arg-type]

    assert (state.name, state.is_running) == ("hung", False)
    assert state.sentence() == text


@pytest.mark.parametrize(
    ("seen", "name", "text"),
    [
        (
            unit("inactive"),
            "stopped",
            f"stopped. {ALONE} Start it with: systemctl start dokku-registryd",
        ),
        (
            NONE,
            "stopped",
            (
                f"stopped. {ALONE} Without systemd, start it with: sudo -u dokku"
                " dokku-registryd run"
            ),
        ),
        (
            Unit(has_systemd=True),
            "stopped",
            (
                f"stopped, and systemd has no unit of it. {ALONE} Install it with:"
                " sudo dokku-registryd install"
            ),
        ),
        (
            unit("inactive", is_enabled=False),
            "disabled",
            (
                "stopped, and disabled, so it will not start at the next boot."
                f" {ALONE} Start it with: systemctl enable --now dokku-registryd"
            ),
        ),
        (
            unit("inactive", is_masked=True, is_enabled=False),
            "masked",
            (
                f"masked: systemd refuses to start it. {ALONE} Start it with: systemctl"
                " unmask dokku-registryd, then: sudo dokku-registryd install"
            ),
        ),
        (
            unit("failed", result="exit-code", code="78"),
            "failed",
            (
                f"down after a failure (exit-code, status 78). {ALONE} Correct its"
                " settings: dokku-registryd check; then start it with: systemctl"
                " restart dokku-registryd"
            ),
        ),
        (
            unit("activating", sub="auto-restart", result="exit-code", code="1"),
            "failed",
            (
                "down after a failure (exit-code, status 1), and systemd will start it"
                f" again. {ALONE} See why: {LOG}"
            ),
        ),
        (
            unit("failed", result="watchdog", is_enabled=False),
            "failed",
            (
                f"down after a failure (watchdog). {ALONE} See why: {LOG}; then start"
                " it with: systemctl restart dokku-registryd; then enable it with:"
                " systemctl enable dokku-registryd"
            ),
        ),
    ],
    ids=[
        *("stopped", "no systemd", "no unit", "disabled", "masked"),
        *("settings", "again", "failed"),
    ],
)
def test_a_service_that_is_down(seen: Unit, name: str, text: str) -> None:
    """Each way to be down has its own words and its own cure."""
    state = judge(seen)

    assert (state.name, state.sentence(), state.is_running) == (name, text, False)
    assert name in service_states.WITHOUT


def test_a_hook_in_its_place() -> None:
    """A hook that runs the jobs is named, and the service is down all the same."""
    state = judge(unit("inactive"), role="hook", pid=7)

    assert (state.name, state.pid) == ("stopped", 7)
    assert state.sentence() == (
        "stopped; the hook with pid 7 runs the jobs."
        " Start it with: systemctl start dokku-registryd"
    )


@pytest.mark.parametrize(
    ("seen", "facts", "name", "text"),
    [
        (unit("activating", sub="start"), {}, "starting", "starting."),
        (
            unit("activating", sub="start"),
            {"role": "hook", "pid": 7},
            "starting",
            "starting; it waits for the hook with pid 7, which runs the jobs.",
        ),
        (
            unit("deactivating"),
            {},
            "stopping",
            "stopping; it finishes running jobs first.",
        ),
    ],
    ids=["start", "behind a hook", "stop"],
)
def test_between_two_states(
    seen: Unit, facts: dict[str, object], name: str, text: str
) -> None:
    """A service that starts or stops needs no help."""
    state = judge(seen, **facts)

    assert (state.name, state.sentence()) == (name, text)


@pytest.mark.parametrize("elsewhere", ["", DATA])
def test_a_folder_that_was_moved_away(elsewhere: str) -> None:
    """A service that runs without its data folder is not told to start."""
    state = judge(unit("active", pid=812), elsewhere=elsewhere)

    assert (state.name, state.is_running) == ("away", False)
    assert state.reason() == (
        f"the service is running, pid 812, but not with the data folder {DATA}: put the"
        " folder back, then: systemctl restart dokku-registryd"
    )


def test_another_folder() -> None:
    """A service that has another data folder than these settings is named with it."""
    state = judge(unit("active", pid=812), elsewhere="/srv/data")

    assert (state.name, state.is_running) == ("away", False)
    assert state.text == (
        f"running, pid 812, but not with the data folder {DATA}: it has /srv/data"
    )


@pytest.mark.parametrize(
    ("seen", "name", "text"),
    [
        (unit("active", pid=812), "running", "running, pid 812"),
        (
            unit("inactive"),
            "stopped",
            f"stopped. {ALONE} Start it with: systemctl start dokku-registryd",
        ),
        (NONE, "unknown", "not visible to this user."),
        (Unit(has_systemd=True, active="inactive"), "unknown", "not visible"),
    ],
    ids=["active", "inactive", "no systemd", "no unit"],
)
def test_a_closed_folder(seen: Unit, name: str, text: str) -> None:
    """A lock that this user may not see proves nothing; systemd may."""
    state = judge(seen, is_closed=True)

    assert (state.name, state.sentence().startswith(text)) == (name, True)
