"""What the package imports is asked for, from a version on that a reason names."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import dokku_registryd

ROOT = Path(__file__).parents[2]
PACKAGE = Path(dokku_registryd.__file__).parent
DECLARED = re.compile(
    r'^  "(?P<name>[a-z0-9-]+)>=(?P<floor>[0-9.]+)[^"]*", +# \S', re.MULTILINE
)


def declared() -> dict[str, str]:
    """Return the floors of what the service imports, by name."""
    return in_table("dependencies") | in_table("notify")


def in_table(name: str) -> dict[str, str]:
    """Return the floors of one list of pyproject.toml, by name."""
    text = (ROOT / "pyproject.toml").read_text()
    table = text.partition(f"\n{name} = [\n")[2].partition("\n]\n")[0]
    found = {each["name"]: each["floor"] for each in DECLARED.finditer(f"{table}\n")}
    assert len(found) == len(table.splitlines())
    return found


def imported() -> set[str]:
    """Return the distributions of other people that any module imports."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
    modules = {name.partition(".")[0] for name in found}
    foreign = modules - set(sys.stdlib_module_names) - {"dokku_registryd"}
    return {name.replace("_", "-") for name in foreign}


def numbers(version: str) -> list[int]:
    """Return a version in a form that can be compared."""
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def test_all_imports_are_declared() -> None:
    """No dependency is installed by chance, with any version."""
    assert imported() == set(declared())


def test_these_tests_run_on_no_less_than_what_is_declared() -> None:
    """The versions here are those that an installation may have."""
    for name, floor in declared().items():
        assert numbers(metadata.version(name)) >= numbers(floor), name
