"""Auth config files that people have, and which login Docker uses with each.

The vectors hold what the docker CLI 28.5 sent to a registry that asks for Basic, with
the same file and the same helpers; where we differ, what we do and why.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.auth.resolver import AuthConfigs

HOST = "registry.example:5000"
ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "vectors" / "docker-config.jsonl")
    .read_text()
    .splitlines()
]
NOTHING = "credentials not found in native keychain"
LOGIN = '{"Username":"h","Secret":"hp"}'
HELPERS = {
    "good": f"cat >/dev/null; echo '{LOGIN}'",
    "lower": f"cat >/dev/null; echo '{LOGIN.lower()}'",
    "none": f'cat >/dev/null; echo "{NOTHING}"; exit 1',
    "noneurl": 'cat >/dev/null; echo "no credentials server URL"; exit 1',
    "noneuser": 'cat >/dev/null; echo "no credentials username"; exit 1',
    "ecr-login": 'cat >/dev/null; echo "not implemented"; exit 1',
    "secretservice": 'echo "Cannot autolaunch D-Bus without X11"; exit 1',
    "pass": 'echo "pass not initialized"; exit 1',
    "empty": """cat >/dev/null; echo '{"Username":"","Secret":""}'""",
    "nouser": """cat >/dev/null; echo '{"Username":"","Secret":"tok"}'""",
    "bom": f"cat >/dev/null; printf '\\357\\273\\277'; echo '{LOGIN}'",
    "noise": f"cat >/dev/null; echo 'WARNING: old'; echo '{LOGIN}'",
    "https": f"""read -r s
        case $s in https://*) echo '{LOGIN}' ;; *) echo "{NOTHING}"; exit 1 ;; esac""",
}


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_the_login_that_docker_uses(row: dict[str, Any], tmp_path: Path) -> None:
    """The same file leads to the same login, or to what the row gives a reason for."""
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(row["file"])
    helpers = tmp_path / "helpers"
    helpers.mkdir()
    for name, script in HELPERS.items():
        program = helpers / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    credentials = AuthConfigs(
        config_root=tmp_path / "apps",
        global_dir=folder,
        helper_timeout=120,
        helper_path=f"{helpers}:/usr/bin:/bin",
    )

    assert resolved(credentials) == row.get("ours", row["docker"])
    assert ("ours" in row) == ("why" in row)


def resolved(credentials: AuthConfigs) -> str:
    """Return which login is found."""
    try:
        found = credentials.resolve("", HOST)
    except errors.AuthenticationError:
        return "refused"
    if found is None:
        return "anonymous"
    if found.identity_token:
        return f"token {found.identity_token.reveal()}"
    return f"{found.username}:{found.password.reveal()}"
