"""The plugin as Dokku sees it: would the next deploy reach this program?

Dokku calls the hooks of a plugin through a link in `plugins/enabled`. It skips a
missing plugin without a word, and a hook that is not executable with a warning. So a
deploy then succeeds, and nothing is pushed.
"""

from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.status.findings import Level

_INSTALL = "sudo dokku-registryd install"
_EFFECT = {
    Mode.TAKEOVER: "deploys succeed, but releases are not pushed",
    Mode.COMPANION: "the releases of Dokku's own plugin are not recorded",
}
_MOST_NAMED = 3
PROGRAM_VARIABLE = "DOKKU_REGISTRYD_BIN"


class Link(StrEnum):
    """The link by which Dokku finds the plugin."""

    PRESENT = "present"
    DANGLING = "dangling"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFacts:
    """The state of the plugin on a host."""

    path: str
    """The path of the link."""
    link: Link = Link.PRESENT
    is_available: bool = True
    """Whether the plugin is there to be enabled."""
    missing: tuple[str, ...] = ()
    """Files of the plugin that are missing."""
    closed: tuple[str, ...] = ()
    """Hooks that this user cannot execute, and files that it cannot read."""
    differing: tuple[str, ...] = ()
    """Files that differ from those of this version."""
    noted_mode: str = ""
    """The mode that the operator chose; empty if nothing was installed."""
    mode: Mode = Mode.TAKEOVER
    """The mode that hooks find."""
    lacking_program: str = ""
    """The program that hooks call, if there is none of that name."""
    named_in: str = ""
    """The file whose variable names that program; empty for the usual name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the plugin."""

    level: Level
    """`FAIL` if Dokku's calls do not reach this program."""
    text: str
    """One sentence, with a hint."""


def faults(facts: PluginFacts) -> tuple[Fault, ...]:
    """Return what is wrong with the plugin; the first is the most important."""
    found = [
        *_about_link(facts),
        *_about_files(facts),
        *_about_mode(facts),
        *_about_program(facts),
    ]
    return tuple(sorted(found, key=lambda fault: fault.level is not Level.FAIL))


def failures(facts: PluginFacts) -> tuple[str, ...]:
    """Return why Dokku's calls do not reach this program, each with a hint."""
    return tuple(fault.text for fault in faults(facts) if fault.level is Level.FAIL)


def _about_link(facts: PluginFacts) -> list[Fault]:
    if facts.link is Link.PRESENT:
        return []
    if facts.link is Link.DANGLING:
        cure = f"Repair it with: {_INSTALL}"
        what = f"{facts.path} is a dangling link"
    elif facts.is_available:
        cure = "Enable it with: sudo dokku plugin:enable registryd"
        what = f"the plugin is disabled ({facts.path} is missing)"
    else:
        cure = f"Install it with: {_INSTALL}"
        what = f"the plugin is not installed ({facts.path} is missing)"
    return [Fault(Level.FAIL, f"{what}: {_EFFECT[facts.mode]}. {cure}")]


def _about_files(facts: PluginFacts) -> list[Fault]:
    if facts.link is not Link.PRESENT:
        return []
    found = []
    for names, what in (
        (facts.missing, "are missing"),
        (facts.closed, "cannot be executed or read by the user of Dokku"),
    ):
        if names:
            text = (
                f"files in {facts.path} {what}: {_named(names)}. Dokku skips such"
                f" hooks, so {_EFFECT[facts.mode]}. Repair them with: {_INSTALL}"
            )
            found.append(Fault(Level.FAIL, text))
    if facts.differing:
        text = (
            f"files in {facts.path} are not those of this version:"
            f" {_named(facts.differing)}. Replace them with: {_INSTALL}"
        )
        found.append(Fault(Level.WARN, text))
    return found


def _about_mode(facts: PluginFacts) -> list[Fault]:
    if facts.noted_mode == Mode.TAKEOVER and facts.mode is Mode.COMPANION:
        text = (
            "Dokku's own registry plugin is enabled again, and pushes in place of this"
            f" one. Take over again with: {_INSTALL}. To leave it so: {_INSTALL}"
            " --companion"
        )
        return [Fault(Level.FAIL, text)]
    if facts.noted_mode == Mode.COMPANION and facts.mode is Mode.TAKEOVER:
        text = (
            "Dokku's own registry plugin is disabled, so this one pushes, although it"
            f" was installed as a companion. To leave it so: {_INSTALL}. To give the"
            " pushes back: sudo dokku plugin:enable registry"
        )
        return [Fault(Level.WARN, text)]
    return []


def _about_program(facts: PluginFacts) -> list[Fault]:
    if not facts.lacking_program:
        return []
    cure = "Install it again"
    if facts.named_in:
        cure = f"Correct {PROGRAM_VARIABLE} in {facts.named_in}"
    # Beside Dokku's own plugin hooks only leave trigger files, without a program.
    level, effect = {
        Mode.TAKEOVER: (Level.FAIL, "deploys of apps that push fail"),
        Mode.COMPANION: (Level.WARN, "commands such as registryd:status fail"),
    }[facts.mode]
    said = f"hooks find no program {facts.lacking_program}, so {effect}. {cure}"
    return [Fault(level, said)]


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
