"""`standby`: what other hosts run, and what of it is kept here.

It changes nothing: the service pulls and removes.
"""

import argparse

from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.release.following import Item
from dokku_registryd.effects import follow_preview
from dokku_registryd.effects.follow_preview import Preview
from dokku_registryd.verbs import output, preparation, reading

_FAILED = 1
_HEADS = ("APP", "HOST", "NUMBER", "HERE", "AGE", "DIGEST", "REPOSITORY")


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Print what other hosts run, and what the service will do about it.

    Returns:
        0; 1 if some repository could not be read.

    Raises:
        RegistrydError: Engine, property or apps cannot be read.
    """
    settings = preparation.enter(arguments, out)
    with reading.context(settings) as context:
        context.engine.facts()  # They decide how each registry is reached.
        found = follow_preview.look(context)
        now = context.clock.now()
    holder = peek.holder(str(settings.data_dir))
    is_served = holder is not None and holder[0] != peek.HOOK
    if arguments.format == "json":
        out.json(_as_json(found, is_served=is_served))
    else:
        _tell(found, now, out, is_served=is_served)
    if found.doubt:
        out.error(found.doubt)
    for name in sorted(found.unread):
        out.error(f"{name}: {found.problems[name]}")
    return _FAILED if found.unread else 0


def _tell(found: Preview, now: float, out: output.Output, *, is_served: bool) -> None:
    plan = found.plan
    if not (plan.items or plan.removable or found.problems or found.doubt):
        out.line(
            "Nothing is followed. Set the repositories of other hosts with: dokku"
            " registryd:set --global follow SERVER/REPOSITORY"
        )
        return
    if plan.items:
        rows = [_row(item, now) for item in sorted(plan.items, key=_place)]
        for line in preparation.Table(_HEADS, rows).lines():
            out.line(line)
    for name, reason in found.problems.items():
        if name not in found.unread:
            out.line(f"{name}: {reason}")
    for one in plan.removable:
        out.line(f"Superseded: {one.name}")
    lacking = sum(not item.is_here for item in plan.items)
    if (lacking or plan.removable) and is_served:
        out.line(
            f"The service pulls {lacking} and removes {len(plan.removable)} when no"
            " other job uses a registry. Why not yet: dokku registryd:status"
        )
    if not is_served:
        out.line("The service does not run, so nothing is pulled or removed.")


def _place(item: Item) -> tuple[str, str, str]:
    return (item.record.app, item.record.host, item.repository)


def _row(item: Item, now: float) -> tuple[str, ...]:
    record = item.record
    return (
        record.app,
        record.host,
        str(record.number),
        "yes" if item.is_here else "no",
        output.age(now - record.created_at),
        record.digest.removeprefix("sha256:")[:12],
        item.repository,
    )


def _as_json(found: Preview, *, is_served: bool) -> dict[str, object]:
    return {
        "is_served": is_served,
        "releases": [
            {
                "app": item.record.app,
                "host": item.record.host,
                "number": item.record.number,
                "created_at": item.record.created_at,
                "digest": item.record.digest,
                "repository": item.repository,
                "name": item.name,
                "is_here": item.is_here,
            }
            for item in sorted(found.plan.items, key=_place)
        ],
        "superseded": [one.name for one in found.plan.removable],
        "problems": [
            {"repository": name, "problem": reason, "is_unread": name in found.unread}
            for name, reason in found.problems.items()
        ],
    }
