"""Looks at every state that a power cut may leave, without starting anything."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from powercut import cuts
from powercut.changes import Names, Sync
from powercut.facts import Reader
from powercut.promises import Confirmed, Left, Live, Numbered, Promise
from powercut.recorder import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one state says.

    Attributes:
        cut: The state.
        broken: What is wrong with it.
    """

    cut: cuts.Cut
    broken: list[str]


def audit(
    recording: Recording,
    reader: Reader,
    *,
    omit: cuts.Omit = cuts.make_all,
    seed: str = "",
    every: int = 1,
) -> Iterator[Finding]:
    """Look at each state after each step.

    Args:
        recording: What happened.
        reader: Reads states.
        omit: Which syncs are taken for not made. States before the first of them are
            the same with it: they are not looked at again.
        seed: For the states that are drawn.
        every: Look at one state in so many.
    """
    expected = promises(recording)
    times = [at for at, _, _ in expected]
    disk = cuts.Disk(
        recording.history,
        kept=recording.kept,
        loose=recording.loose,
        omit=omit,
        seed=seed,
    )
    held: dict[str, Promise] = {}
    position = 0
    steps = recording.history.steps
    omitted = (step.began for step in steps if isinstance(step, Sync) and omit(step))
    for cut in disk.cuts(times, since=min(omitted, default=0), every=every):
        while position < bisect_right(times, cut.at):
            _, about, promise = expected[position]
            held[about] = promise
            position += 1
        facts = reader.read(cut.tree)
        found = [promise.why_broken(facts) for promise in held.values()]
        broken = [*facts.damages(), *filter(None, found)]
        yield Finding(cut=cut, broken=broken)


def promises(recording: Recording) -> Sequence[tuple[int, str, Promise]]:
    """Return all promises of a recording: since when, what about, and what."""
    found: list[tuple[int, str, Promise]] = []
    for moment in recording.moments:
        left = _left(recording, moment.at) if moment.is_answer else []
        found += [(moment.at, f"trigger {name}", Left(name)) for name in left]
        for about, promise in moment.promises.items():
            if isinstance(promise, Live):
                promise = replace(promise, trigger_id=left[-1])  # noqa: PLW2901
            found.append((moment.at, about, promise))
    for at, put in recording.puts:
        if put.tag.isdigit():
            number = Numbered(put.path, int(put.tag))
            found.append((at, f"number {put.path}:{put.tag}", number))
        else:
            about = f"digest {put.path} {put.digest}"
            found.append((at, about, Confirmed(put.path, put.digest)))
    return sorted(found, key=lambda one: one[0])


def _left(recording: Recording, until: int) -> list[str]:
    """Return the triggers that hooks have left until then, oldest first."""
    return [
        step.path.rpartition("/")[2].removesuffix(".cancelled")
        for step in recording.history.steps
        if isinstance(step, Names)
        and step.ended <= until
        and "/spool/new/" in step.path
        and step.entries[-1][2] is not None
    ]
