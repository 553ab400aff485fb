"""What an operator types after an installation: the last lines of `install`."""

from typing import Final

from dokku_registryd.core.install.host_state import Mode

_INDENT: Final = " " * 7
_FIRST: Final[tuple[str, ...]] = (
    "No app pushes its releases yet. For each that is to, name its registry:",
    "  dokku registry:set APP server HOST",
    "  dokku registry:login --password-stdin APP HOST USER < TOKEN-FILE",
    "  dokku registry:set APP push-on-release true",
    "Then ask whether the next deploy will work: dokku registryd:doctor APP",
)
_DOCTOR: Final = "Ask whether the next deploys will work: dokku registryd:doctor"
_DRILL: Final = "Ask whether all deployed images would come back: dokku registryd:drill"
_BESIDE: Final = (
    "Dokku's own registry plugin still pushes. To list what a take-over would change:"
    " sudo dokku-registryd install --dry-run"
)


def lines(mode: Mode, *, is_pushing: bool | None) -> list[str]:
    """Return the lines, for what the host has.

    Args:
        mode: The mode of the installation.
        is_pushing: Whether an app pushes its releases; None if that is unknown.
    """
    steps: tuple[str, ...] = (_DOCTOR, _BESIDE if mode is Mode.COMPANION else _DRILL)
    if is_pushing is False:
        steps = _FIRST
    return [f"{_INDENT}{text}" for text in steps]
