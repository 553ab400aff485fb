"""The file of variables, as hooks take it."""

from pathlib import Path

from dokku_registryd.adapters.host import variables_file


def test_what_hooks_take(tmp_path: Path) -> None:
    """Theirs are those of the file, but for what a shell depends on."""
    path = tmp_path / "defaults"
    path.write_text("PATH=/nowhere\nDOKKU_REGISTRYD_BIN=other\n")
    environ = {"PATH": "/usr/bin", "DOKKU_REGISTRYD_BIN": "one", "HOME": "/root"}

    found = variables_file.for_hooks(path, environ)

    assert found == {**environ, "DOKKU_REGISTRYD_BIN": "other"}


def test_no_file(tmp_path: Path) -> None:
    """Without it the variables of the process count."""
    assert variables_file.for_hooks(tmp_path / "none", {"A": "b"}) == {"A": "b"}
