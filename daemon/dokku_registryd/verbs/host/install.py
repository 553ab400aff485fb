"""`install`: install plugin, unit, settings and program, and adopt releases."""

import argparse
import dataclasses

from dokku_registryd import __version__
from dokku_registryd.core.install import host_state, next_steps, plans
from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.install.plans import Kind
from dokku_registryd.verbs.host import installing, modes
from dokku_registryd.verbs.output import Output


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Install, or list the steps.

    Raises:
        InstallationError: The host does not allow it, or a step failed.
    """
    mode, said = (Mode.COMPANION if arguments.companion else Mode.TAKEOVER), ""
    host = installing.Host(arguments)
    facts = dataclasses.replace(host.look(), newer_ledger=host.newer_ledger())
    if arguments.from_plugin:
        mode, said = modes.choose(host, facts)
    if mode is Mode.COMPANION and not facts.is_core_enabled:
        facts = dataclasses.replace(facts, waiting=host.waiting())
    installing.refuse(host_state.objections(facts, host.where, mode), "install")
    steps = plans.plan_install(facts, host.where, mode)
    out.line(f"-----> Installing dokku-registryd {__version__}, mode {mode}")
    if said:
        out.line(f" !     {said}")
    if any(step.kind is Kind.DROP_RECORDS and not step.is_done for step in steps):
        for text in host.renamed():
            out.line(f" !     {text}")
    for text in host.closed():
        out.line(f" !     {text}")
    if arguments.dry_run:
        _rehearse(steps, host, out)
        return 0
    changes = host.changes(mode)
    installing.carry_out(steps, changes.perform, out, ways=_ways(arguments))
    if all(step.is_done or step.kind is Kind.ADOPT for step in steps):
        out.line("=====> Already installed")
        return 0
    out.line("=====> Installed. See: dokku registryd:status")
    for line in next_steps.lines(mode, is_pushing=modes.is_pushing(host)):
        out.line(line)
    return 0


def _rehearse(steps: list[plans.Step], host: installing.Host, out: Output) -> None:
    """List the steps, with the report of the one that adopts releases."""
    for step in steps:
        out.line(f"       {step.text}")
        if step.kind is Kind.ADOPT:
            for line in host.preview():
                out.line(line)
    out.line("=====> Dry run: nothing was changed")


def _ways(arguments: argparse.Namespace) -> str:
    """Return how to continue after a failure, or revert."""
    if arguments.from_plugin:
        return (
            "To continue: sudo dokku plugin:install."
            " To revert: sudo dokku plugin:uninstall registryd"
        )
    flags = ["--companion"] if arguments.companion else []
    return (
        f"To continue: {installing.command(arguments, 'install', *flags)}."
        f" To revert: {installing.command(arguments, 'uninstall')}"
    )
