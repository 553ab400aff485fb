"""`uninstall`: remove an installation, complete or not, and enable Dokku's plugin."""

import argparse
import sys

from dokku_registryd import __version__, errors
from dokku_registryd.core.install import host_state, plans
from dokku_registryd.verbs.host import installing
from dokku_registryd.verbs.output import Output


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Uninstall, or list the steps.

    Raises:
        InstallationError: Background pushes are unfinished, a daemon runs that systemd
            has not started, or a step failed.
    """
    host = installing.Host(arguments)
    facts = host.look()
    installing.refuse(host_state.daemon_objection(facts, host.where), "uninstall")
    # If Dokku's own plugin is enabled, it is responsible for releases already.
    is_free = arguments.force or facts.is_core_enabled
    waiting, jobs = _ask(host, is_free=is_free)
    if not is_free:
        reasons = host_state.waiting_objection(waiting)
        installing.refuse(
            [f"{reason}, or add --force" for reason in reasons], "uninstall"
        )
    steps = plans.plan_uninstall(facts, host.where, is_purge=arguments.purge)
    out.line(f"-----> Uninstalling dokku-registryd {__version__}")
    fate = "are lost" if arguments.purge else f"stay in {host.where.data_dir}"
    if jobs:
        out.line(f" !     Pending jobs: {jobs}; they {fate}")
    if waiting:
        out.line(f" !     Not pushed yet: {', '.join(waiting)}")
    for text in host.renamed():
        out.line(f" !     {text}")
    if arguments.dry_run:
        for step in steps:
            out.line(f"       {step.text}")
        out.line("=====> Dry run: nothing was changed")
        return 0
    flags = [f"--{name}" for name in ("force", "purge") if getattr(arguments, name)]
    again = installing.command(arguments, "uninstall", *flags)
    ways = f"To continue: {again}"
    installing.carry_out(steps, host.changes().perform, out, ways=ways)
    out.line("=====> Uninstalled. Dokku's own registry plugin is enabled again")
    if not arguments.from_plugin:
        out.line(f"       {_rest(host)}")
    return 0


def _rest(host: installing.Host) -> str:
    """Return what stays on the host, and how to remove it."""
    if host.where.is_checkout:
        return (
            f"The checkout stays in {host.where.plugin}, the package in {sys.prefix}."
            " To remove both: sudo dokku plugin:uninstall registryd && sudo rm -r"
            f" {host.where.environments}"
        )
    return f"The package itself stays in {sys.prefix}"


def _ask(host: installing.Host, *, is_free: bool) -> tuple[tuple[str, ...], int]:
    """Return the releases that are not pushed yet, and the number of pending jobs."""
    try:
        return host.waiting(), host.count_jobs()
    except errors.RegistrydError as error:
        if not is_free:
            reason = (
                f"cannot list pending pushes ({error}). Add --force to discard them"
            )
            installing.refuse([reason], "uninstall")
        return (), 0
