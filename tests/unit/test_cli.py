"""The program as a person calls it: texts, exit statuses, what it imports."""

import gc
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dokku_registryd
from dokku_registryd import cli, verbs
from dokku_registryd.verbs import service_variables
from support import fork_server, open_way

LISTED = [
    *(
        "run",
        "check",
        "status",
        "health",
        "metrics",
        "notify",
        "doctor",
        "releases",
        "heal",
        "restore",
        "drill",
        "fleet",
        "standby",
        "history",
        "prune",
        "rollback",
        "promote",
        "hold",
        "push",
    ),
    *("install", "uninstall", "forget", "adopt"),
]
HIDDEN = ["follow", "image-repo", "held-logins"]
HEAVY = {
    "argparse",
    "asyncio",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "docker",
    "importlib.metadata",
    "json",
    "logging",
    "pathlib",
    "pydantic",
    "pydantic_settings",
    "re",
    "requests",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "tenacity",
    "typing",
    "urllib3",
    "watchdog",
}


def call(
    *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    clean = {
        name: value
        for name, value in fork_server.plain_environ().items()
        if not name.startswith("DOKKU_REGISTRYD_")
    }
    return fork_server.call(
        fork_server.PROGRAM,
        arguments,
        env={**clean, **(environ or {})},
        cwd=Path.cwd(),
        timeout=300,
    )


@pytest.fixture
def host(tmp_path: Path) -> list[str]:
    """Give options for a host that lies in one folder and lacks nothing but Docker."""
    for name in ("home", "lib"):
        (tmp_path / name).mkdir()
    config = tmp_path / "config.toml"
    config.write_text(
        f"[paths]\ndokku_root = '{tmp_path}/home'\ndokku_lib_root = '{tmp_path}/lib'\n"
        f"[engine]\nsocket = 'unix://{tmp_path}/docker.sock'\n"
    )
    return ["--config", str(config)]


@pytest.mark.fresh_programs
def test_version() -> None:
    """The version is one line and success."""
    done = call("--version")

    assert done.stdout == f"dokku-registryd {dokku_registryd.__version__}\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_version_imports_nothing_heavy() -> None:
    """What only the service needs is not loaded to print the version."""
    code = (
        "import sys; from dokku_registryd import cli\n"
        "assert cli.main(['--version']) == 0\nprint(*sorted(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )

    modules = done.stdout.splitlines()[-1].split()
    assert "dokku_registryd.cli" in modules
    assert HEAVY.isdisjoint(modules)
    assert len(modules) < 55  # Python 3.14 itself loads more


@pytest.mark.parametrize("is_there", [True, False], ids=["whole", "lacks-a-module"])
def test_no_search_for_garbage_while_a_verb_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """It would find none in modules; afterwards it is on again, loaded or not."""
    text = "" if is_there else "import a_module_that_is_nowhere"
    (tmp_path / "looking.py").write_text(f"import gc\nseen = gc.isenabled()\n{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "looking", raising=False)

    if is_there:
        assert verbs.load("looking").seen is False
    else:
        with pytest.raises(ModuleNotFoundError, match="a_module_that_is_nowhere"):
            verbs.load("looking")
    assert gc.isenabled()


def test_version_beside_other_words() -> None:
    """The parser answers wherever the version is not all that is asked for."""
    alone = call("--version")
    beside = call("--debug", "--version", "status")

    assert (beside.stdout, beside.stderr) == (alone.stdout, alone.stderr)
    assert beside.returncode == alone.returncode


@pytest.mark.parametrize(
    "words",
    [["status"], ["status", "--format", "text"], ["status", "--format", "json"]],
    ids=" ".join,
)
def test_a_plain_status_needs_no_parser(words: list[str]) -> None:
    """What is read without the parser is what the parser would read."""
    found = vars(cli.read_status(words))

    wanted = vars(cli.parse(words))
    assert found.items() <= wanted.items()
    assert wanted.keys() - found.keys() == {"early_overrides", "late_overrides"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["check"],
        ["status", "--help"],
        ["status", "--format=json"],
        ["status", "--format", "yaml"],
        ["--debug", "status"],
        ["status", "web"],
    ],
    ids=" ".join,
)
def test_other_words_need_the_parser(words: list[str]) -> None:
    """Options and mistakes are left to the parser."""
    assert cli.read_status(words) is None


def test_help_lists_the_verbs() -> None:
    """The list of verbs has those for people and leaves out those for hooks."""
    done = call("--help")

    assert re.findall(r"^    ([a-z-]+)  ", done.stdout, re.MULTILINE) == LISTED
    assert not any(verb in done.stdout for verb in HIDDEN)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [["--help"], ["push", "--help"], ["push"], ["releases", "--limit", "0"]],
    ids=" ".join,
)
def test_each_python_prints_the_same(words: list[str]) -> None:
    """Newer ones colour help and errors, if the output is a terminal or if asked to."""
    coloured = call(*words, environ={"FORCE_COLOR": "1"})

    plain = call(*words, environ={"NO_COLOR": "1"})
    assert (coloured.stdout, coloured.stderr) == (plain.stdout, plain.stderr)


def test_no_word_at_all() -> None:
    """Who does not know a verb yet sees all; a script that lost its words fails."""
    done = call()

    assert (done.stdout, done.returncode) == (call("--help").stdout, 2)


@pytest.mark.parametrize(
    ("verb", "hint"),
    [("nosuch", ""), ("relases", ", did you mean releases?"), ("folow", "")],
)
def test_an_unknown_verb(verb: str, hint: str) -> None:
    """The error names it, a similar one and the help, and no verb of hooks."""
    done = call(verb)

    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr == (
        f"dokku-registryd: unknown verb '{verb}'{hint} (see dokku-registryd --help)\n"
    )


def test_every_verb_has_its_module() -> None:
    """Each verb of the parser has a row in `verbs.MODULES`, and the row a module."""
    assert set(verbs.MODULES) == {*LISTED, *HIDDEN}
    for name in verbs.MODULES.values():
        module = importlib.import_module(f"{verbs.__name__}.{name}")
        assert callable(module.perform)


def test_the_readme_lists_the_verbs() -> None:
    """A user finds each verb in the README."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()

    shown = re.findall(r"^dokku-registryd ([a-z-]+)", readme, re.MULTILINE)
    assert [verb for verb in LISTED if verb not in shown] == []


@pytest.mark.parametrize("verb", ["", *LISTED, *HIDDEN])
def test_help_texts_are_short_phrases(verb: str) -> None:
    """A help text is a phrase without a capital, a period or more than 50 letters."""
    done = call(*verb.split(), "--help")

    assert done.returncode == 0
    columns = r"^ {2,4}(?:-|[A-Za-z]+  )\S.*?(?: {2,}|\n {20,})(\S.*)$"
    texts = re.findall(columns, done.stdout, re.MULTILINE)
    assert len(texts) >= 3
    for text in texts:
        assert re.fullmatch(r"[a-z].{0,49}(?<!\.)", text), text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--debug"],
        ["zap"],
        ["push"],
        ["push", "web", "extra"],
        ["status", "--format", "yaml"],
        ["status", "--form", "json"],
        ["follow", "id"],
        ["check", "--set", "workers"],
        ["check", "--set", "=2"],
    ],
    ids=" ".join,
)
def test_usage(arguments: list[str]) -> None:
    """A wrong call is one line on stderr and status 2."""
    done = call(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"dokku-registryd: .+ --help\)\n", done.stderr)


def test_version_and_help_as_verbs() -> None:
    """People who know other programs get what they look for."""
    assert call("version").stdout == call("--version").stdout
    assert call("help").stdout == call("--help").stdout
    assert call("help", "push").stdout == call("push", "--help").stdout
    wrong = call("help", "relases")
    assert (wrong.returncode, "did you mean releases?" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["status", "--formt=json"],
            "unrecognized arguments: --formt=json, did you mean --format?",
        ),
        (
            ["push", "web", "extra"],
            "unrecognized arguments: extra",
        ),
        (
            ["releases", "--limit", "0"],
            "argument --limit: must be a positive number, not '0'",
        ),
        (
            ["status", "--watch", "x"],
            "argument --watch: must be a number of seconds from 0.1 to 86400, not 'x'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_behind_a_verb(words: list[str], said: str) -> None:
    """The hint leads to the help of that verb."""
    hint = f"see dokku-registryd {words[0]} --help"
    assert call(*words).stderr == f"dokku-registryd: {said} ({hint})\n"


@pytest.mark.parametrize(
    "words",
    [["--version"], ["--help"], ["push", "--help"], ["check"], ["registryd:help"]],
    ids=" ".join,
)
def test_an_output_that_is_full(host: list[str], words: list[str]) -> None:
    """A full disk is one line, and never a text of the interpreter."""
    options = host if words == ["check"] else []
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dokku_registryd", *words, *options],
            env=buffered,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("No space left on device.")
    assert "ignored" not in done.stderr


@pytest.mark.fresh_programs
def test_configuration_mistake() -> None:
    """A wrong setting ends with status 78 and names key and bounds."""
    done = call("--set", "daemon.workers=many", "check")

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "dokku-registryd: The configuration is invalid: "
        "daemon.workers (--set): must be a whole number from 1 to 64.\n"
    )


def test_debug_shows_where_an_error_came_from() -> None:
    """The traceback is printed on request, and the status stays the same."""
    done = call("--set", "daemon.workers=many", "--debug", "check")

    assert done.returncode == 78
    assert done.stderr.startswith("Traceback")
    assert "many" not in done.stderr


@pytest.mark.fresh_programs
def test_check_prints_settings(host: list[str]) -> None:
    """`check` prints each setting with its value and where things lie."""
    done = call(*host, "check", "--set", "daemon.workers=3")

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "daemon.workers = 3" in lines
    assert "heal.enabled = true" in lines
    assert "engine.timeout_seconds = 30" in lines
    assert f"settings_file = {host[1]}" in lines
    assert lines[-1] == "The settings are valid; 1 warning."


@pytest.mark.parametrize("given", ["", "/given"], ids=["file", "environment"])
def test_the_settings_of_the_service(
    host: list[str], tmp_path: Path, given: str
) -> None:
    """A command has the variables of the service, if it has no others, and no more."""
    defaults = tmp_path / "defaults"
    defaults.write_text(
        "DOKKU_REGISTRYD_PATHS__DATA_DIR=/moved\nDOKKU_REGISTRYD_BIN=/x\nLD_X=/x\n"
    )
    environ = {service_variables.VARIABLE: str(defaults)}
    if given:
        environ["DOKKU_REGISTRYD_PATHS__DATA_DIR"] = given
    done = call(*host, "check", "--format=json", environ=environ)

    assert json.loads(done.stdout)["places"]["data_dir"] == (given or "/moved")
    known = {**environ}
    service_variables.add_to(known)
    assert known == {"DOKKU_REGISTRYD_PATHS__DATA_DIR": "/moved", **environ}


def test_check_warns(host: list[str], tmp_path: Path) -> None:
    """What looks wrong on the host is named without failing the check."""
    defaults = tmp_path / "defaults"
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    defaults.write_text(
        '# comment\nDOKKU_REGISTRYD_DAEMON__WORKERS="2"\nDOKKU_REGISTRYD_WORKERS=3\n'
        "PATH=/opt/bin:$PATH\nexport HTTPS_PROXY=http://proxy\n"
    )

    done = call(
        *host,
        "check",
        "--format=json",
        f"--set=paths.data_dir={data}",
        environ={
            "DOKKU_REGISTRYD_DEFAULTS": str(defaults),
            "DOKKU_REGISTRYD_DAEMON__WORKERS": "3",
        },
    )

    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["settings"]["paths.data_dir"] == str(data)
    assert "\n".join(report["warnings"]) == (
        f"{defaults}: line 5 is not NAME=value and has no effect.\n"
        f"{defaults}: the value of PATH is used literally, without expansion.\n"
        f"{defaults}: PATH applies to the service, but not to hooks.\n"
        "DOKKU_REGISTRYD_WORKERS is not a setting and has no effect.\n"
        f"DOKKU_REGISTRYD_DAEMON__WORKERS in {defaults} is for the service; this"
        " command has another value.\n"
        f"Hooks write trigger files to {tmp_path}/lib/data/registryd, but the data"
        f" folder is {data}. Set DOKKU_REGISTRYD_PATHS__DATA_DIR in {defaults}.\n"
        f"{data} is accessible to other users. Correct it with chmod go=.\n"
        f"engine.socket: {tmp_path}/docker.sock is not a socket. Is Docker running?"
    )


def test_check_of_a_closed_folder(host: list[str], tmp_path: Path) -> None:
    """Certificates that the user of the service cannot see are named, with the cure."""
    if os.geteuid() == 0:
        os.chown(tmp_path / "home", 65534, 65534)

    with open_way.folder() as folder:
        etc = folder / "etc-docker"
        etc.mkdir(mode=0o600)
        done = call(*host, "check", f"--set=paths.certs_dir={etc}/certs.d")

    assert (
        f"warning: paths.certs_dir: {etc} is closed to the user of the service, so no"
        f" certificate of a registry in it is used: sudo chmod 0711 {etc}.\n"
    ) in done.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://engine.example:2375", "Logins cross the network in clear text"),
        ("tcp://127.0.0.1:2375", "every user of this host"),
        ("tcp://[::1]:2375", "every user of this host"),
    ],
)
def test_check_of_an_engine_behind_tcp(
    host: list[str], address: str, words: str
) -> None:
    """What is not encrypted is said, with the way out."""
    done = call(*host, "check", f"--set=engine.socket={address}")

    assert "warning: engine.socket: " in done.stderr
    assert words in done.stderr
    assert "Use unix://" in done.stderr


def test_a_request_under_way_does_not_hold_the_end() -> None:
    """A process ends with its verb, also while a pool still waits for a registry."""
    script = """
import threading
from concurrent.futures import ThreadPoolExecutor

from dokku_registryd import cli

ThreadPoolExecutor(1).submit(threading.Event().wait)
cli.run()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("dokku-registryd ")


def test_a_bug_does_not_hold_the_end_either() -> None:
    """Its traceback is printed, and the process ends with status 1."""
    script = """
import threading
from concurrent.futures import ThreadPoolExecutor

from dokku_registryd import cli

def fail():
    raise ValueError("a bug")

cli.main = fail
ThreadPoolExecutor(1).submit(threading.Event().wait)
cli.run()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("ValueError: a bug\n")


def test_reader_that_leaves_early(host: list[str]) -> None:
    """A closed pipe ends the program without a complaint."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dokku_registryd", *host, "check"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, b"")


def test_common_options_before_and_after_the_verb() -> None:
    """Common options stand anywhere, and the later of two overrides wins."""
    argv = "--set a.b=1 --set c.d=2 --config x check --set a.b=3=4 --debug"

    arguments = cli.parse(argv.split())

    assert arguments.overrides == {"a.b": "3=4", "c.d": "2"}
    assert (arguments.config, arguments.debug) == ("x", True)


def test_common_options_after_the_verb_win() -> None:
    """An option that is said twice counts as said last."""
    arguments = cli.parse(["--config", "x", "--debug", "status", "--config", "y"])

    assert (arguments.config, arguments.debug) == ("y", True)


def test_common_options_left_out() -> None:
    """Without options nothing is overridden."""
    arguments = cli.parse(["follow", "--data-dir", "/data", "17"])

    assert (arguments.config, arguments.debug) == (None, False)
    assert (arguments.overrides, arguments.data_dir) == ({}, "/data")
    assert arguments.id == "17"
