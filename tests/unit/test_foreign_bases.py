"""No class of ours takes a name that a foreign base of it uses for itself.

Each Python and each release of a library may give a base new private names. If a class
of ours has one of them, the base breaks with that release only. So this test belongs to
all Pythons that we support.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
import threading
from collections.abc import Iterator

import dokku_registryd

# What we replace on purpose.
MEANT = {
    "adapters.engine.docker_client.Client": {
        "_auth_configs",
        "_general_configs",
        "_version",
    },
    "adapters.registry.answers.FinalAnswer": {"_safe_read"},
}


class Clashing(threading.Thread):
    """Takes a name of its base, as an attribute, and another one as a method."""

    def __init__(self) -> None:
        super().__init__()
        self._target = self._kept = None

    def _bootstrap(self) -> None: ...


def test_private_names_of_bases() -> None:
    """Ours are others."""
    found = {kind: clashes(kind) for kind in ours()}

    prefix = f"{dokku_registryd.__name__}."
    assert {
        f"{kind.__module__}.{kind.__qualname__}".removeprefix(prefix): names
        for kind, names in found.items()
        if names
    } == MEANT


def test_clashes_are_found() -> None:
    """Attributes are compared, and methods."""
    assert clashes(Clashing) == {"_target", "_bootstrap"}


def ours() -> Iterator[type]:
    """Yield our classes."""
    prefix = f"{dokku_registryd.__name__}."
    for found in pkgutil.walk_packages(dokku_registryd.__path__, prefix):
        if found.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(found.name)).values():
            if isinstance(value, type) and value.__module__ == found.name:
                yield value


def clashes(kind: type) -> set[str]:
    """Return the private names that a class and its foreign bases both use."""
    home = _package(kind)
    foreign = [base for base in kind.__mro__ if _package(base) != home]
    taken = set[str]().union(*map(_private_names, foreign))
    if not taken:
        return taken
    own = [base for base in kind.__mro__ if _package(base) == home]
    return taken & set[str]().union(*map(_private_names, own))


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


@functools.cache
def _private_names(kind: type) -> frozenset[str]:
    """Return the private names that a class defines: in its body, and on `self`."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # It is written in C, or made at run time.
        names = set(vars(kind))
    else:
        names = set(_defined_in(ast.parse(source)))
    return frozenset(
        name for name in names if name.startswith("_") and not name.startswith("__")
    )


def _defined_in(source: ast.Module) -> Iterator[str]:
    (kind,) = source.body
    assert isinstance(kind, ast.ClassDef)
    for node in kind.body:
        match node:
            case ast.FunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(ast.Name(name)):
                yield name
    for inner in ast.walk(kind):
        match inner:
            case ast.Attribute(ast.Name("self"), name, ast.Store()):
                yield name
