"""What systemd says about the unit of the service.

`glance` reads systemd's own files, for frequent callers: any user may, and no process
is started. `ask` calls `systemctl show`, which knows more, and waits for systemd.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH112, PTH114, PTH115, PTH208

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping

from dokku_registryd import errors
from dokku_registryd.core.status import service_states

_SERVICE = "dokku-registryd.service"
_SECONDS = 5.0  # systemctl itself waits 25 s for a systemd that hangs
# The folders of units and of links that enable them, the first ones count; see
# systemd.unit(5).
_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
_ASKED = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState"),
    *("MainPID", "Result", "ExecMainStatus"),
)
_ENABLED = frozenset({"enabled", "enabled-runtime", "static", "indirect", "alias"})
_DISABLED = frozenset({"disabled", "masked", "masked-runtime", "bad"})


def glance(root: str = "") -> service_states.Unit:
    """Return what systemd's files show: whether the unit is masked and enabled.

    Args:
        root: The folder that systemd's files are below; empty for `/`.
    """
    if not os.path.isdir(f"{root}/run/systemd/system"):  # see sd_booted(3)
        return service_states.Unit()
    for folder in _FOLDERS:
        place = f"{root}{folder}/{_SERVICE}"
        if os.path.lexists(place):
            is_masked = os.path.islink(place) and os.readlink(place) == os.devnull
            return service_states.Unit(
                has_systemd=True,
                is_there=True,
                is_masked=is_masked,
                is_enabled=any(map(os.path.lexists, _links(root))),
            )
    return service_states.Unit(has_systemd=True)


def ask(environ: Mapping[str, str], root: str = "") -> service_states.Unit:
    """Return what systemd says; what its files show if it does not answer.

    Args:
        environ: The environment of systemctl.
        root: As for `glance`.
    """
    seen = glance(root)
    if not seen.has_systemd:
        return seen
    programs = importlib.import_module("dokku_registryd.adapters.host.programs")
    question = ("systemctl", "show", "--property", ",".join(_ASKED), _SERVICE)
    try:
        said = programs.run(question, {**environ, "LC_ALL": "C"}, seconds=_SECONDS)
    except errors.RegistrydError:
        return seen
    return _parse(said, seen)


def _links(root: str) -> Iterator[str]:
    """Yield the paths of links that would enable the unit."""
    for folder in _FOLDERS:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"{root}{folder}"):
                if name.endswith((".wants", ".requires")):
                    yield f"{root}{folder}/{name}/{_SERVICE}"


def _parse(text: str, seen: service_states.Unit) -> service_states.Unit:
    pairs = (line.partition("=") for line in text.splitlines())
    said = {name: value.strip() for name, _, value in pairs}
    load, state = said.get("LoadState", ""), said.get("UnitFileState", "")
    is_enabled = seen.is_enabled
    if state in _ENABLED | _DISABLED:
        is_enabled = state in _ENABLED
    return service_states.Unit(
        has_systemd=True,
        is_there=load not in {"", "not-found"},
        is_masked=load == "masked",
        is_enabled=is_enabled,
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        pid=_number(said.get("MainPID", "")),
        result=said.get("Result", ""),
        code=said.get("ExecMainStatus", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
