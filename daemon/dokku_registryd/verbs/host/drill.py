"""`drill`: would all deployed images come back on an empty host?

It is for cron: the exit status says whether all of them would.
"""

import argparse
from collections.abc import Sequence

from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.drills import Answer, Verdict
from dokku_registryd.effects import drill
from dokku_registryd.verbs import output, preparation, reading

UNASKED = 75  # EX_TEMPFAIL of sysexits.h: asking again later may answer
_FAILED = 1
_NUMBERS = {
    None: "-",
    completeness.Number.KEPT: "there",
    completeness.Number.GONE: "gone",
    completeness.Number.MOVED: "moved",
}


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Ask the registries and print a table.

    Returns:
        0 if all images would come back, 1 if some would not, 75 if some registry could
        not be asked.

    Raises:
        EngineUnavailableError: The Engine does not tell how registries are reached.
    """
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    with reading.context(settings) as context:
        found = drill.Drill(context, only=arguments.app).run()
    if arguments.format == "json":
        out.json([_as_json(answer) for answer in found])
    else:
        _tell(found, context.clock.now(), out)
    return _status(found)


def _tell(found: Sequence[Answer], now: float, out: output.Output) -> None:
    if not found:
        out.line("No app of this host has a deployed release.")
        return
    heads = (
        *("APP", "RESTORABLE", "LOGIN", "NUMBER", "PARTS", "SEEN", "MIRROR"),
        "REFERENCE",
    )
    head, *lines = preparation.Table(heads, [_row(one, now) for one in found]).lines()
    out.line(head)
    for line, answer in zip(lines, found, strict=True):
        out.line(line)
        if answer.reason:
            way = f". Way out: {answer.cure}" if answer.cure else ""
            out.line(f"  {answer.reason.rstrip('.')}{way}")
    asked = [one for one in found if one.verdict is not Verdict.LOCAL]
    would = sum(one.verdict is Verdict.YES for one in asked)
    unknown = sum(one.verdict is Verdict.UNKNOWN for one in asked)
    if not asked:
        return
    if unknown < len(asked):
        out.line(f"{would} of {len(asked)} deployed images would come back.")
    if unknown:
        out.line(f"{unknown} of {len(asked)} could not be asked: run it again later.")


def _row(answer: Answer, now: float) -> tuple[str, ...]:
    if not answer.reference:
        return (answer.app, answer.verdict.value, *("-",) * 6)
    seen = answer.complete_at
    return (
        answer.app,
        answer.verdict.value,
        answer.login.value,
        _NUMBERS[answer.number],
        answer.parts.value,
        f"{output.age(now - seen)} ago" if seen else "-",
        answer.mirror.value,
        answer.reference,
    )


def _as_json(answer: Answer) -> dict[str, object]:
    return {
        "app": answer.app,
        "restorable": answer.verdict.value,
        "reference": answer.reference,
        "digest": answer.digest,
        "login": answer.login.value,
        "number": _NUMBERS[answer.number],
        "parts": answer.parts.value,
        "complete_at": answer.complete_at,
        "mirror": answer.mirror.value,
        "reason": answer.reason,
        "cure": answer.cure,
    }


def _status(found: Sequence[Answer]) -> int:
    verdicts = {answer.verdict for answer in found}
    if Verdict.NO in verdicts:
        return _FAILED
    return UNASKED if Verdict.UNKNOWN in verdicts else 0
