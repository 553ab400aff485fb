"""`heal`: restore missing images now, or list them."""

import argparse
import contextlib
from typing import Final

from dokku_registryd import config, errors
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import sweep
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.hooks import follow
from dokku_registryd.verbs.output import Output
from dokku_registryd.wiring import properties

_MOST_NAMED: Final = 20


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Heal one app or all, or print the plan.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    gaps = _gaps(settings, arguments.app)
    if arguments.format == "json":
        out.json([_as_json(gap) for gap in gaps])
    elif not gaps:
        out.line("No missing images.")
    if arguments.dry_run:
        if arguments.format == "text":
            for gap in gaps:
                out.line(_as_text(gap))
            _tell_unhealed(settings, arguments.app, out)
        return 0
    if arguments.format == "json":
        out = Output(line=lambda _text: None, error=out.error)  # stdout is one value
    # Heal moved names even if they are lost: the job reports why it cannot.
    healable = [gap for gap in gaps if gap.leads_to or not isinstance(gap, wanted.Lost)]
    statuses = [
        follow.leave(arguments, out, triggers.Trigger(kind=Kind.HEAL, app=name))
        for name in dict.fromkeys(gap.wanted.app for gap in healable)
    ]
    return max(statuses, default=0)


def _gaps(settings: config.Settings, only: str | None) -> list[wanted.Gap]:
    with reading.context(settings) as context:
        found = sweep.plan(context).gaps
    return [gap for gap in found if only in {None, gap.wanted.app}]


def _tell_unhealed(settings: config.Settings, only: str | None, out: Output) -> None:
    """Name the apps that are not looked at since they are not healed."""
    files = properties.build_properties(settings)
    unhealed = []
    for app in [only] if only else files.apps():
        with contextlib.suppress(errors.UnreadableError):  # `doctor` names the file
            if not policy.resolve(app, files.get, settings.defaults).heal:
                unhealed.append(app)
    if unhealed:
        more = len(unhealed) - _MOST_NAMED
        rest = f" and {more} more" if more > 0 else ""
        out.line(
            f"heal is off, so nothing is restored: {', '.join(unhealed[:_MOST_NAMED])}"
            f"{rest}. See: dokku registryd:report"
        )


def _as_text(gap: wanted.Gap) -> str:
    name = gap.wanted.reference
    moved = f"; it points to {gap.leads_to} now" if gap.leads_to else ""
    match gap:
        case wanted.Retag():
            return f"retag  {name}  (its image is on this host{moved})"
        case wanted.Pull():
            source = gap.wanted.digest or f"{gap.wanted.source}, digest unknown"
            return f"pull   {name}  (from the registry, {source}{moved})"
        case wanted.Lost():
            return f"leave  {name}  (cannot be restored; rebuild the app{moved})"


def _as_json(gap: wanted.Gap) -> dict[str, str]:
    return {
        "app": gap.wanted.app,
        "reference": gap.wanted.reference,
        "action": {wanted.Retag: "retag", wanted.Pull: "pull", wanted.Lost: "leave"}[
            type(gap)
        ],
        "digest": gap.wanted.digest,
        "leads_to": gap.leads_to,
    }
