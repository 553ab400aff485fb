"""A variable of Dokku, from the files that Dokku has it from."""

from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import host_variables

NAME = "DOKKU_SKIP_CLEANUP"


def ask(root: Path, **files: str) -> bool:
    """Write the files, by default into `.dokkurc`, and ask."""
    (root / "home" / ".dokkurc").mkdir(parents=True)
    places = {
        "environment": root / "environment",
        "default": root / "default",
        "dokkurc": root / "home" / "dokkurc",
    }
    for name, text in files.items():
        places.get(name, root / "home" / ".dokkurc" / name).write_text(text)
    of_the_host = (places["environment"], places["default"])
    return host_variables.may_be_true(NAME, root / "home", of_the_host)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        (f"export {NAME}=true\n", True),
        (f"{NAME}=true", True),
        (f'  export X=1 {NAME}="true"; # kept\n', True),
        (f"{NAME}='true'\r\n", True),
        (f"# export {NAME}=true\n", False),
        (f"export {NAME}=false\n", False),
        (f"export {NAME}=True\n", False),
        (f"export OLD_{NAME}=true\n", False),
        (f"export {NAME}=true\nexport {NAME}=\n", False),
        (f"export {NAME}=$KEEP\n", True),
        (f"export {NAME}=`cat /keep`\n", True),
        (f"export {NAME}='true\n", False),
    ],
)
def test_lines(tmp_path: Path, text: str, expected: bool) -> None:
    """Plain assignments count; what a shell would have to expand may be true."""
    assert ask(tmp_path, CLEANUP=text) is expected


@pytest.mark.parametrize("place", ["environment", "default", "dokkurc", "A"])
def test_files(tmp_path: Path, place: str) -> None:
    """Each of the files is read, and the last assignment counts."""
    assert ask(tmp_path, **{place: f"{NAME}=true\n"}) is True
    (tmp_path / "home" / ".dokkurc" / "Z").write_text(f"export {NAME}=false\n")
    assert host_variables.may_be_true(NAME, tmp_path / "home", ()) is False


def test_a_link(tmp_path: Path) -> None:
    """A file that a tool of the operator links there counts, as for Dokku."""
    (tmp_path / "managed").write_text(f"{NAME}=true\n")
    (tmp_path / "home" / ".dokkurc").mkdir(parents=True)
    (tmp_path / "home" / ".dokkurc" / "A").symlink_to(tmp_path / "managed")

    assert host_variables.may_be_true(NAME, tmp_path / "home", ()) is True


@pytest.mark.parametrize("place", [".dokkurc/A", "dokkurc"])
def test_what_cannot_be_read(tmp_path: Path, place: str) -> None:
    """A file that cannot be read may make it true."""
    (tmp_path / "home" / place).mkdir(parents=True)

    assert host_variables.may_be_true(NAME, tmp_path / "home", ()) is True


def test_a_host_without_them(tmp_path: Path) -> None:
    """Most hosts have none of the files."""
    missing = tmp_path / "missing"

    assert host_variables.may_be_true(NAME, missing, (missing,)) is False
