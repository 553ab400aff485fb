"""CONTRIBUTING.md says where each kind of thing is added; here a gap is found."""

import ast
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

import dokku_registryd
from dokku_registryd import config, errors
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job import jobs, kinds, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry.exchanges import Exchange
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.status import exposition
from dokku_registryd.runtime import counters

ROOT: Final = Path(__file__).parents[2]
HOOKS: Final = ROOT / "hooks"
PAGE: Final = (ROOT / "docs" / "hooks.md").read_text()
WORD: Final = re.compile(r"`([a-z][a-z-]*)`")


COUNTING: Final = sorted(
    name
    for name, member in vars(counters.Counters).items()
    if callable(member) and not name.startswith("_")
)


@dataclass(frozen=True)
class Uses:
    """What the modules of the service use."""

    attributes: set[tuple[str, str]] = field(default_factory=set)
    """The attributes that are read anywhere, with the attribute before each.

    A variable stands for the attribute that its module assigns to it.
    """
    counting: set[str] = field(default_factory=set)
    """The methods of counters."""


@functools.cache
def _uses() -> Uses:
    """Return what all modules use; their syntax takes long, and is not kept."""
    found = Uses()
    for path in Path(dokku_registryd.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        meant = {
            target.id: node.value.attr
            for node in nodes
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            match node:
                case ast.Attribute(value=ast.Attribute(attr=before), attr=attribute):
                    found.attributes.add((before, attribute))
                case ast.Attribute(value=ast.Name(id=before), attr=attribute):
                    found.attributes.add((meant.get(before, ""), attribute))
        if path.name != "counters.py":
            found.counting.update(
                node.attr
                for node in nodes
                if isinstance(node, ast.Attribute)
                and node.attr in COUNTING
                and "counters" in ast.unparse(node.value)
            )
    return found


def _rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of the rows of a table, by the words of their first cells."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    found: dict[str, list[str]] = {}
    for row in table.splitlines()[2:]:
        first, *cells = row.strip("| ").split(" | ")
        found |= dict.fromkeys(WORD.findall(first), cells)
    return found


@pytest.mark.parametrize("key", list(config.fields()))
def test_a_setting_is_read(key: str) -> None:
    """A setting that nothing reads would be accepted, shown, and do nothing."""
    table, _, name = key.partition(".")

    assert (table, name) in _uses().attributes, f"nothing reads settings.{key}"


def test_hooks_have_rows() -> None:
    """The page lists each hook and each file that hooks share, and no others."""
    files = {
        path.name.removesuffix(".sh"): path.stat().st_mode & 0o111
        for path in HOOKS.iterdir()
        if path.name != "plugin.toml"
    }
    hooks = {name for name, mode in files.items() if mode}

    assert set(_rows("hook")) == hooks
    assert set(_rows("file")) == files.keys() - hooks


def test_triggers_have_rows() -> None:
    """The page lists each trigger that a hook leaves, with its keys."""
    texts = [path.read_text() for path in HOOKS.iterdir()]
    left = {
        name
        for text in texts
        for name in re.findall(r'leave_trigger "[^"]+" ([a-z-]+)', text)
    }
    rows = _rows("trigger")

    # It is a release's own file, under another name.
    assert set(rows) == left | {"cancelled"}
    for name, (keys,) in rows.items():
        needed, _, optional = keys.partition("optional:")
        rules = kinds.RULES[Kind(name)]
        assert set(WORD.findall(needed)) == set(rules.fields), name
        assert set(rules.optional) <= set(WORD.findall(optional)), name


def _counted() -> exposition.Counts:
    """Return the counters after each method that counts was called once."""
    job = jobs.Job(job_id="1.1.1", trigger=Trigger(kind=Kind.RELEASE, app="web"))
    sweep = exposition.Sweep(wanted=1, lost=0, ended_at=1.0, took_seconds=1.0, freed=1)
    tally = counters.Counters()
    tally.finished(job, outcomes.Ending.DONE, seconds=1.0)
    tally.retried(Kind.RELEASE)
    tally.exchanged(
        Exchange(host="r.example", named_by="", method="GET", status=200, seconds=1.0)
    )
    tally.swept(sweep, missing={})
    tally.sweep_failed(errors.EngineUnavailableError("away"))
    tally.asked((Reach(domain="r.example", asked_at=1.0),))
    return tally.counts()


@pytest.mark.parametrize("name", exposition.Counts.__dataclass_fields__)
def test_a_counter_is_exposed(name: str) -> None:
    """A counter that its copy lacks would stay at zero forever."""
    value, initial = (getattr(it, name) for it in (_counted(), exposition.Counts()))

    assert value != initial, (
        f"Counters.counts does not fill {name}, or _counted of this test does not call"
        " the method that counts it"
    )


@pytest.mark.parametrize("name", COUNTING)
def test_a_counter_is_counted(name: str) -> None:
    """A method of the counters that nothing uses counts nothing."""
    assert name in _uses().counting
