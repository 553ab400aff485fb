"""The state of the service: returns it for facts from its lock, systemd, its socket.

The holder of the lock is the service. "Stopped" is said only if the lock is free, or if
systemd says so. What a user may not look at is unknown, and never counts as stopped.
"""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Iterator

# Stable names for scripts.
RUNNING = "running"
HUNG = "hung"
"""It holds its lock, but does not answer, or is suspended."""
STARTING = "starting"
STOPPING = "stopping"
STOPPED = "stopped"
DISABLED = "disabled"
"""Stopped, and systemd will not start it at the next boot."""
MASKED = "masked"
"""Stopped, and systemd refuses to start it."""
FAILED = "failed"
"""It ended with an error; systemd may try again."""
AWAY = "away"
"""systemd says that it runs, but no process uses this data folder."""
UNKNOWN = "unknown"
"""This user may not look, and systemd does not tell either."""

# Deploys work without the service.
WITHOUT = frozenset({STOPPED, DISABLED, MASKED, FAILED})

_UNIT = "dokku-registryd"
_ALONE = "Deploys push by themselves; missing images are not restored."
_LOG = f"journalctl -u {_UNIT} -n 20"
_INVALID_SETTINGS = "78"  # sysexits.h, as `cli` exits with


class Unit:
    """What systemd says about the unit of the service.

    Args:
        has_systemd: Whether systemd runs on this host.
        is_there: Whether it knows the unit.
        is_masked: Whether it refuses to start the unit.
        is_enabled: Whether it starts the unit at boot; None if that is unknown.
        active: The unit's `ActiveState`; empty if it was not asked.
        sub: The unit's `SubState`.
        pid: The main process; 0 if there is none.
        result: Why it ended, such as `exit-code` or `oom-kill`.
        code: The exit status of its last main process, as text.
    """

    __slots__ = (
        *("active", "code", "has_systemd", "is_enabled", "is_masked"),
        *("is_there", "pid", "result", "sub"),
    )

    def __init__(
        self,
        *,
        has_systemd: bool = False,
        is_there: bool = False,
        is_masked: bool = False,
        is_enabled: bool | None = None,
        active: str = "",
        sub: str = "",
        pid: int = 0,
        result: str = "",
        code: str = "",
    ) -> None:
        self.has_systemd = has_systemd
        self.is_there = is_there
        self.is_masked = is_masked
        self.is_enabled = is_enabled
        self.active = active
        self.sub = sub
        self.pid = pid
        self.result = result
        self.code = code


class Sight:
    """All facts about the service at one moment.

    Args:
        data_dir: The data folder.
        role: The lock's holder, `daemon` or `hook`; empty if the lock is free.
        pid: The holder's process; 0 if unknown.
        unit: What systemd says.
        is_closed: Whether this user may not see the data folder, and so not the lock.
        is_silent: Whether the status socket is open, but does not answer in time.
        is_suspended: Whether the process is stopped by a signal.
        elsewhere: The data folder of the service that runs; empty if unknown.
    """

    __slots__ = (
        *("data_dir", "elsewhere", "is_closed", "is_silent", "is_suspended"),
        *("pid", "role", "unit"),
    )

    def __init__(
        self,
        *,
        data_dir: str,
        role: str = "",
        pid: int = 0,
        unit: Unit,
        is_closed: bool = False,
        is_silent: bool = False,
        is_suspended: bool = False,
        elsewhere: str = "",
    ) -> None:
        self.data_dir = data_dir
        self.role = role
        self.pid = pid
        self.unit = unit
        self.is_closed = is_closed
        self.is_silent = is_silent
        self.is_suspended = is_suspended
        self.elsewhere = elsewhere


class State:
    """The state of the service, in words.

    Args:
        name: One of the names above, stable for scripts.
        text: It completes the sentence "the service is …".
        pid: Its process, or that of a hook in its place; 0 if unknown.
        effect: What that means for deploys and images: sentences, or empty.
        cure: What to do, without a full stop; empty if nothing is wrong.
    """

    __slots__ = ("cure", "effect", "name", "pid", "text")

    def __init__(
        self, name: str, text: str, *, pid: int = 0, effect: str = "", cure: str = ""
    ) -> None:
        self.name = name
        self.text = text
        self.pid = pid
        self.effect = effect
        self.cure = cure

    @property
    def is_running(self) -> bool:
        """Whether the service runs and is not known to hang."""
        return self.name == RUNNING

    def sentence(self) -> str:
        """Return the state with its effect and the cure, for a line of output."""
        if self.is_running:
            return f"{self.text}; {self.cure}" if self.cure else self.text
        parts = [f"{self.text}.", self.effect, self.cure]
        return " ".join(part for part in parts if part)

    def reason(self) -> str:
        """Return why the service is not ready, with the cure."""
        cure = f": {self.cure[:1].lower()}{self.cure[1:]}" if self.cure else ""
        return f"the service is {self.text}{cure}"


def judge(sight: Sight) -> State:
    """Return the state that the facts show."""
    unit = sight.unit
    if sight.role == "daemon":
        return _holding(sight)
    if unit.active in {"active", "reloading"}:
        return _active(sight)
    if unit.active == "activating" and unit.sub != "auto-restart":
        return State(STARTING, f"starting{_delay(sight)}", pid=unit.pid)
    if unit.active == "deactivating":
        text = "stopping; it finishes running jobs first"
        return State(STOPPING, text, pid=unit.pid)
    if sight.is_closed and not (unit.is_there and unit.active):
        return State(UNKNOWN, "not visible to this user")
    return _down(sight)


def _holding(sight: Sight) -> State:
    pid, process = sight.pid, f"process {sight.pid}" if sight.pid else "a process"
    if sight.is_suspended:
        return State(
            HUNG,
            f"suspended by a signal ({process})",
            pid=pid,
            effect="Deploys may wait for it.",
            cure=f"Let it continue with: kill -CONT {pid}",
        )
    if sight.is_silent:
        end = f"systemctl restart {_UNIT}" if sight.unit.is_there else f"kill -9 {pid}"
        return State(
            HUNG,
            f"hanging: {process} holds the lock, but does not answer at its socket",
            pid=pid,
            effect="Deploys may wait for it.",
            cure=f"If that lasts: {end}",
        )
    return _running(pid, sight.unit)


def _running(pid: int, unit: Unit) -> State:
    text = f"running, pid {pid}" if pid else "running"
    return State(RUNNING, text, pid=pid, cure=_at_boot(unit))


def _at_boot(unit: Unit) -> str:
    """Return why it will not start at the next boot, and the cure."""
    if unit.is_masked:
        return (
            f"its unit is masked, so it will not start again: systemctl unmask {_UNIT}"
        )
    if unit.is_enabled is False:
        return f"it will not start at the next boot: systemctl enable {_UNIT}"
    return ""


def _active(sight: Sight) -> State:
    pid = sight.unit.pid
    if sight.is_closed:
        return _running(pid, sight.unit)
    running = f"running, pid {pid}, but not with the data folder {sight.data_dir}"
    if sight.elsewhere and sight.elsewhere != sight.data_dir:
        return State(
            AWAY,
            f"{running}: it has {sight.elsewhere}",
            pid=pid,
            effect="Deploys that use this folder push by themselves.",
            cure=(
                f"If the settings were changed: systemctl restart {_UNIT}; otherwise"
                " correct paths.data_dir"
            ),
        )
    return State(
        AWAY,
        running,
        pid=pid,
        effect="The folder was moved, replaced or unmounted while the service ran.",
        cure=f"Put the folder back, then: systemctl restart {_UNIT}",
    )


def _delay(sight: Sight) -> str:
    if sight.role == "hook":
        return f"; it waits for the hook with pid {sight.pid}, which runs the jobs"
    return ""


def _down(sight: Sight) -> State:
    name, text, cure = _why_down(sight.unit)
    effect = _ALONE
    if sight.role == "hook":
        text += f"; the hook with pid {sight.pid} runs the jobs"
        effect = ""
    return State(name, text, pid=sight.pid, effect=effect, cure=cure)


def _why_down(unit: Unit) -> tuple[str, str, str]:
    if unit.is_masked:
        cure = (
            f"Start it with: systemctl unmask {_UNIT}, then: sudo dokku-registryd"
            " install"
        )
        return MASKED, "masked: systemd refuses to start it", cure
    if unit.active in {"failed", "activating"}:
        return FAILED, _failure(unit), "; then ".join(_after_failure(unit))
    if not unit.has_systemd:
        cure = "Without systemd, start it with: sudo -u dokku dokku-registryd run"
        return STOPPED, "stopped", cure
    if not unit.is_there:
        text = "stopped, and systemd has no unit of it"
        return STOPPED, text, "Install it with: sudo dokku-registryd install"
    if unit.is_enabled is False:
        text = "stopped, and disabled, so it will not start at the next boot"
        return DISABLED, text, f"Start it with: systemctl enable --now {_UNIT}"
    return STOPPED, "stopped", f"Start it with: systemctl start {_UNIT}"


def _failure(unit: Unit) -> str:
    code = f", status {unit.code}" if unit.code not in {"", "0"} else ""
    why = f"{unit.result or 'failed'}{code}"
    if unit.active == "failed":
        return f"down after a failure ({why})"
    return f"down after a failure ({why}), and systemd will start it again"


def _after_failure(unit: Unit) -> "Iterator[str]":
    if unit.code == _INVALID_SETTINGS:
        yield "Correct its settings: dokku-registryd check"
    else:
        yield f"See why: {_LOG}"
    if unit.active == "failed":
        yield f"start it with: systemctl restart {_UNIT}"
    if unit.is_enabled is False:
        yield f"enable it with: systemctl enable {_UNIT}"
