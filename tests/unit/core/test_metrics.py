"""Metric families as values, read back by Prometheus' own parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse

from dokku_registryd.core.status import metrics
from dokku_registryd.core.status.metrics import Durations, Family, Kind, Sample

GAUGE = Family(name="level", kind=Kind.GAUGE, text="How high.", labels=("place",))


def test_a_sample() -> None:
    """A family is its help, its type, and a line for each sample."""
    shown = metrics.render([(GAUGE, [Sample(2, {"place": "here"}), Sample(0.5)])])

    assert shown == (
        '# HELP level How high.\n# TYPE level gauge\nlevel{place="here"} 2\nlevel 0.5\n'
    )


def test_a_family_without_samples() -> None:
    """A family that has no series now still says what it means."""
    (family,) = parse(metrics.render([(GAUGE, [])]))

    assert (family.name, family.type, family.documentation, family.samples) == (
        *("level", "gauge", "How high."),
        [],
    )


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0\x0b\x0c\x1c\x1d\x1e"))
)
def test_labels_are_escaped(text: str) -> None:
    """A parser reads exactly the value of any label, and no further line."""
    shown = metrics.render([(GAUGE, [Sample(1, {"place": text})])])

    (family,) = parse(shown)
    assert [sample.labels for sample in family.samples] == [{"place": text}]
    assert shown.count("\n") == 3


def test_help_is_escaped() -> None:
    """A line break in a help text begins no line."""
    family = Family(name="x", kind=Kind.GAUGE, text='a\nb \\ "c"')

    assert metrics.render([(family, [])]).splitlines()[0] == (r'# HELP x a\nb \\ "c"')


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (True, "1"),
        (False, "0"),
        (12.0, "12"),
        (0.1, "0.1"),
        (1764155554.25, "1764155554.25"),
        (5e-324, "5e-324"),
        (2**60, "1152921504606846976"),
    ],
)
def test_figures(value: float, shown: str) -> None:
    """A figure is as short as it can be without becoming another one."""
    assert metrics.number(value) == shown
    assert float(shown) == value


def test_durations() -> None:
    """A bucket counts what took at most so long, those below it included."""
    taken = Durations.none((0.5, 2.0))
    for seconds in (0.1, 0.5, 0.6, 9.0):
        taken = taken.plus(seconds)
    family = Family(name="took", kind=Kind.HISTOGRAM, text="Time.")

    (read,) = parse(metrics.render([(family, taken.samples({"intent": "heal"}))]))

    assert [
        (sample.name, sample.labels.get("le"), sample.value) for sample in read.samples
    ] == [
        ("took_bucket", "0.5", 2),
        ("took_bucket", "2", 3),
        ("took_bucket", "+Inf", 4),
        ("took_sum", None, pytest.approx(10.2)),
        ("took_count", None, 4),
    ]
