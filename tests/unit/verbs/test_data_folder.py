"""The quick look for the data folder finds what the settings would say."""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dokku_registryd import cli, config, errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.config import loading
from dokku_registryd.verbs import data_folder
from support import open_way

VARIABLE = "DOKKU_REGISTRYD_PATHS__"
_OTHER = 65534


def build(
    file: Path | None, overrides: Mapping[str, str], environ: Mapping[str, str]
) -> argparse.Namespace:
    """Build the arguments of a command."""
    return argparse.Namespace(
        config=str(file) if file else None, overrides=overrides, environ=environ
    )


@pytest.mark.parametrize("content", ["", "# paths.data_dir = '/x'\n\n", None])
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {f"{VARIABLE}DATA_DIR": "/environ/data"},
        {f"{VARIABLE}DATA_DIR": ""},
        {f"{VARIABLE}DOKKU_LIB_ROOT": "/environ/lib"},
    ],
)
@pytest.mark.parametrize(
    "overrides",
    [{}, {"paths.data_dir": "/flag/data"}, {"paths.dokku_lib_root": "/flag/lib"}],
)
def test_it_agrees_with_the_settings(
    tmp_path: Path,
    content: str | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, str],
) -> None:
    """Flags win over the environment, the environment over the file."""
    text = "[paths]\ndata_dir = '/file/data'\n" if content is None else content
    file = tmp_path / "config.toml"
    file.write_text(text)
    wanted = config.load(file=str(file), overrides=overrides, environ=environ)

    found = data_folder.find(build(file, overrides, environ))

    assert found == wanted.data_dir


@pytest.mark.parametrize(
    "text",
    [
        "[paths]\ndata_dir = 'relative'\n",
        "[paths]\ndokku_lib_root = 7\n",
        "paths = 1\n",
        "no toml",
    ],
)
def test_mistakes_are_explained_by_the_settings(tmp_path: Path, text: str) -> None:
    """What cannot be right is told in the words of every other command."""
    file = tmp_path / "config.toml"
    file.write_text(text)

    with pytest.raises(errors.ConfigurationError):
        data_folder.find(build(file, {}, {}))


def test_a_named_file_that_is_missing(tmp_path: Path) -> None:
    """An explicitly named file must exist; the default one need not."""
    with pytest.raises(errors.ConfigurationError):
        data_folder.find(build(tmp_path / "missing.toml", {}, {}))


@pytest.mark.parametrize(
    ("text", "overrides", "environ"),
    [
        ("[daemon]\nworkers = 'many'\n", {}, {}),
        ("", {"daemon.workers": "0"}, {}),
        ("", {}, {"DOKKU_REGISTRYD_DAEMON__WORKERS": "0"}),
        ("[paths]\ndata_dri = '/x'\n", {}, {}),
    ],
)
def test_mistakes_elsewhere_are_told_too(
    tmp_path: Path,
    text: str,
    overrides: Mapping[str, str],
    environ: Mapping[str, str],
) -> None:
    """An invalid setting ends every command, even if it does not need it."""
    file = tmp_path / "config.toml"
    file.write_text(text)

    with pytest.raises(errors.ConfigurationError):
        data_folder.find(build(file, overrides, environ))


def test_other_settings_change_nothing(tmp_path: Path) -> None:
    """With other settings the place is the same."""
    file = tmp_path / "config.toml"
    file.write_text("[daemon]\nworkers = 4\n")

    assert data_folder.find(build(file, {}, {})) == Path(
        "/var/lib/dokku/data/registryd"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "open"])
def test_settings_that_are_closed(
    monkeypatch: pytest.MonkeyPatch, *, is_closed: bool
) -> None:
    """A folder that is closed too is the one; an open one need not be the service's."""
    with open_way.folder() as folder:
        file, data = folder / "config.toml", folder / "data"
        file.write_text("[notify]\n")
        file.chmod(0o600)
        data.mkdir(0o700 if is_closed else 0o755)
        monkeypatch.setattr(data_folder, "_FILE", str(file))
        monkeypatch.setattr(loading, "DEFAULT_FILE", str(file))
        arguments = build(None, {"paths.data_dir": str(data)}, {})
        os.seteuid(_OTHER)
        try:
            found = _located(arguments)
        finally:
            os.seteuid(0)

    assert found == (
        str(data)
        if is_closed
        else (
            f"Cannot read {file}: Permission denied. Run this as root or user dokku. If"
            f" that user cannot read it: chgrp dokku {file} && chmod 0640 {file}."
        )
    )


def _located(arguments: argparse.Namespace) -> str:
    try:
        return data_folder.locate(arguments)
    except errors.ConfigurationError as error:
        return str(error)


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["text", "json"])
@pytest.mark.parametrize("has_ledger", [False, True])
def test_the_status_imports_nothing_heavy(
    tmp_path: Path, options: list[str], *, has_ledger: bool
) -> None:
    """Monitors ask for it often: neither libraries nor the network are loaded."""
    if has_ledger:
        ledger.SqliteLedger(tmp_path / "ledger.sqlite3").close()
    # As installed; this host may have other settings.
    file = tmp_path / "config.toml"
    file.write_text("# [paths]\n")
    code = (
        "import sys; from dokku_registryd import cli\n"
        "assert cli.main(sys.argv[1:]) == 0\nprint(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "status", *options],
        env={
            **os.environ,
            f"{VARIABLE}DATA_DIR": str(tmp_path),
            "DOKKU_REGISTRYD_CONFIG": str(file),
            "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )

    loaded = set(done.stdout.splitlines()[-1].split())
    heavy = {"docker", "pydantic", "requests", "structlog", "tomllib", "ssl", "logging"}
    spared = {"argparse", "dataclasses", "inspect", "pathlib", "typing"}
    # Python's own JSON has them; nothing else may.
    spared |= set() if options else {"enum", "json", "re"}
    assert loaded & (heavy | spared) == set()
    assert ("sqlite3" in loaded) is has_ledger
    assert "dokku_registryd.verbs.service.status" in loaded


def test_the_place_as_text(tmp_path: Path) -> None:
    """Those who load no paths are told the same as those who do."""
    file = tmp_path / "config.toml"
    file.write_text("[paths]\ndata_dir = '/a//b/./c/../'\n")
    arguments = build(file, {}, {})

    assert data_folder.locate(arguments) == str(data_folder.find(arguments))
    assert data_folder.locate(arguments) == "/a/b/c/.."
