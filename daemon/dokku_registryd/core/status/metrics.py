r"""Metric families as values, and Prometheus text format 0.0.4.

The format is line by line: `# HELP`, `# TYPE`, then one sample per line. A backslash
and a line break are escaped in help texts, and also a double quote in label values
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_VALUE: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Kind(StrEnum):
    """The type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric: its name, type, help text and labels."""

    name: str
    kind: Kind
    text: str
    """The help text: one sentence for the operator."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    """The suffix of the family's name; only in a histogram or summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """The samples of a histogram of durations."""

    bounds: tuple[float, ...]
    """The upper bounds of all buckets but the last, which has none."""
    counts: tuple[int, ...]
    """The count of each bucket; one more than there are bounds."""
    seconds: float = 0.0
    """The sum of all."""

    @classmethod
    def none(cls, bounds: tuple[float, ...]) -> "Durations":
        """Return an empty histogram."""
        return cls(bounds=bounds, counts=(0,) * (len(bounds) + 1))

    def plus(self, seconds: float) -> "Durations":
        """Return the histogram with one more value."""
        at = sum(seconds > bound for bound in self.bounds)
        counts = list(self.counts)
        counts[at] += 1
        return Durations(
            bounds=self.bounds, counts=tuple(counts), seconds=self.seconds + seconds
        )

    def samples(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        """Yield the samples: each bucket includes the smaller ones."""
        below = 0
        bounds = [*map(number, self.bounds), "+Inf"]
        for bound, count in zip(bounds, self.counts, strict=True):
            below += count
            yield Sample(below, {**labels, "le": bound}, suffix="_bucket")
        yield Sample(self.seconds, labels, suffix="_sum")
        yield Sample(below, labels, suffix="_count")


def render(shown: Iterable[tuple[Family, Iterable[Sample]]]) -> str:
    """Return families with their samples as text."""
    return "".join(f"{line}\n" for line in _lines(shown))


def number(value: float) -> str:
    """Return the shortest text of a number without loss."""
    if value == int(value):
        return str(int(value))
    return repr(float(value))


def _lines(shown: Iterable[tuple[Family, Iterable[Sample]]]) -> Iterator[str]:
    for family, samples in shown:
        yield f"# HELP {family.name} {family.text.translate(_HELP)}"
        yield f"# TYPE {family.name} {family.kind}"
        for sample in samples:
            labels = ",".join(
                f'{name}="{value.translate(_VALUE)}"'
                for name, value in sample.labels.items()
            )
            shown_labels = f"{{{labels}}}" if labels else ""
            name = f"{family.name}{sample.suffix}"
            yield f"{name}{shown_labels} {number(sample.value)}"
