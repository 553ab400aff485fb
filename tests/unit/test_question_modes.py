"""The hooks that answer Dokku's questions: what they answer from, and in which mode."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

SERVER = "deployed-app-repository"
REPO = "deployed-app-image-repo"
TAG = "deployed-app-image-tag"
QUESTIONS = (SERVER, REPO, TAG)
NOBODY = 65534


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host without apps, on which our plugin is in charge."""
    return DokkuHost(tmp_path)


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    """Run with what /bin/sh is on the systems that Dokku supports, and elsewhere."""
    path = shutil.which(str(request.param))
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


@pytest.fixture
def ask(host: DokkuHost, shell: str) -> "Question":
    """Give a way to ask that finds no program to start."""
    return Question(host, shell)


class Question:
    """Asks a hook in one shell, with an empty PATH."""

    def __init__(self, host: DokkuHost, shell: str) -> None:
        self._host = host
        self._shell = shell

    def __call__(self, name: str, app: str = "web") -> Result:
        """Return what the hook says about one app."""
        return self._host.run(
            [self._shell, str(self._host.hook(name)), app],
            environ={"PATH": "/nonexistent"},
        )


def test_a_recorded_release_wins(host: DokkuHost, ask: Question) -> None:
    """A released image keeps its name, with any later properties."""
    host.record_release("web", server="ghcr.io/", image_repo="org/web", number=41)
    host.set_property("web", "server", "quay.io")
    host.set_property("web", "image-repo", "other/web")
    host.set_property("web", "push-on-release", "false")
    host.set_property("web", "tag-version", "99")

    answers = [ask(name) for name in QUESTIONS]

    assert answers == [
        Result("ghcr.io/\n", "", 0),
        Result("org/web\n", "", 0),
        Result("41\n", "", 0),
    ]


def test_a_recorded_release_on_docker_hub(host: DokkuHost, ask: Question) -> None:
    """An empty server is an answer too."""
    host.record_release("web", server="", image_repo="org/web", number=3)
    host.set_property("web", "server", "quay.io")

    assert ask(SERVER) == Result("\n", "", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghcr.io/",
        "ghcr.io/\norg/web\n",
        "ghcr.io/\n\n7\n",
        "ghcr.io/\norg/web\nx\n",
    ],
    ids=["empty", "one-line", "no-number", "no-repository", "no-digits"],
)
def test_a_damaged_record(host: DokkuHost, ask: Question, text: str) -> None:
    """A record that cannot be trusted counts as none."""
    host.record_release("web", server="", image_repo="x", number=1).write_text(text)

    answers = [ask(name).stdout for name in QUESTIONS]

    assert answers == ["\n", "dokku/web\n", ""]


@pytest.mark.parametrize(
    "app",
    ["", ".", "..", "../other", "a/b", "--global", "web\n", "Web", ".x", "w\xe9b"],
)
def test_names_that_are_none(host: DokkuHost, ask: Question, app: str) -> None:
    """A text that is not an app name is not used in a path and has no properties."""
    host.set_property(GLOBAL, "image-repo", "leaked")
    host.set_property(GLOBAL, "tag-version", "leaked")
    host.set_property(GLOBAL, "push-on-release", "true")
    for folder in ("", "other", "..", "a/b"):
        for name in ("server", "image-repo", "tag-version"):
            path = host.config_root / "registry" / folder / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text("leaked")

    answers = [ask(name, app) for name in QUESTIONS]

    assert answers == [
        Result("\n", "", 0),
        Result(f"dokku/{app}\n", "", 0),
        Result("", "", 0),
    ]


def test_companion_is_silent(host: DokkuHost, ask: Question) -> None:
    """Beside Dokku's own plugin the questions are left to it."""
    host.enable_core(dict.fromkeys(QUESTIONS, "#!/bin/sh\necho core\n"))
    host.record_release("web", server="ghcr.io/", image_repo="org/web", number=41)

    assert [ask(name) for name in QUESTIONS] == [Result("", "", 0)] * 3
    assert [host.trigger(name, "web").stdout for name in QUESTIONS] == ["core\n"] * 3


def test_companion_by_another_link(host: DokkuHost, shell: str) -> None:
    """A plugin below another folder called core-plugins is Dokku's own too."""
    elsewhere = host.root / "opt" / "core-plugins" / "registry"
    elsewhere.mkdir(parents=True)
    (host.plugins / "enabled" / "registry").symlink_to(elsewhere)

    result = host.run([shell, str(host.hook(SERVER)), "web"])

    assert result == Result("", "", 0)


@pytest.mark.parametrize("target", ["other/registry", "missing"])
def test_a_foreign_plugin_called_registry(host: DokkuHost, target: str) -> None:
    """A link of that name which leads elsewhere, or nowhere, leaves us in charge."""
    (host.root / "other" / "registry").mkdir(parents=True)
    (host.plugins / "enabled" / "registry").symlink_to(host.root / target)

    assert host.run([str(host.hook(SERVER)), "web"]) == Result("\n", "", 0)


def test_disabling_core_puts_us_in_charge(host: DokkuHost) -> None:
    """The mode is determined again at every call."""
    host.enable_core()
    before = host.trigger(REPO, "web")
    host.disable_core()

    assert (before.stdout, host.trigger(REPO, "web").stdout) == ("", "dokku/web\n")


def test_called_by_hand(host: DokkuHost, ask: Question) -> None:
    """Without Dokku's variables the folders are found below its library folder."""
    host.enable_core()
    for name in [key for key in host.environ if key.startswith("PLUGIN_")]:
        del host.environ[name]

    assert ask(SERVER) == Result("", "", 0)


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    "line",
    [
        "# it's fine",
        "; it's fine",
        "NOTE=it's",
        "HTTPS_PROXY=http://a b",
        "NO_PROXY=localhost, 10.0.0.0/8",
        "NAME=a&b",
        "NAME=(1",
        "NAME=$(touch pwned)",
        "PATH=/x",
        "IFS=/",
        "LC_ALL=xx",
        "readonly REPLY",
        "exit 3",
        "set -u",
        "umask 777",
        "NOTE='never closed",
    ],
)
def test_a_line_that_systemd_takes(host: DokkuHost, shell: str, line: str) -> None:
    """No line of the settings file is executed, or keeps a question from its answer."""
    host.record_release("web", server="", image_repo="org/web", number=4)
    host.defaults_file.write_text(f"{line}\n")

    result = host.run(
        [shell, str(host.hook("deployed-app-image-tag")), "web"],
        environ={"PATH": f"/nonexistent:{host.environ['PATH']}"},
    )

    assert result == Result("4\n", "", 0)
    assert not (host.root / "pwned").exists()


def test_what_the_program_gets(host: DokkuHost) -> None:
    """A program that a hook calls has the variables that the service has."""
    host.defaults_file.write_text(
        "; both\nHTTPS_PROXY='http://a b'\nNO_PROXY=a, b \nPATH=/x\n"
    )
    host.add_command(
        "dokku-registryd", '#!/bin/sh\necho "$HTTPS_PROXY,$NO_PROXY,$PATH"\n'
    )

    result = host.trigger("commands", "registryd:status")

    path = host.environ["PATH"]
    assert (result.stdout, result.code) == (f"http://a b,a, b,{path}\n", 0)


def test_the_defaults_file(host: DokkuHost) -> None:
    """Settings of the unit's environment file reach hook and program."""
    data_dir = host.root / "elsewhere"
    (data_dir / "deployed").mkdir(parents=True)
    (data_dir / "deployed" / "web").write_text("ghcr.io/\norg/web\n7\n")
    program = host.add_command(
        "other", '#!/bin/sh\necho "$DOKKU_REGISTRYD_PATHS__DATA_DIR $*"\n'
    )
    host.defaults_file.write_text(
        f"# moved\nDOKKU_REGISTRYD_PATHS__DATA_DIR={data_dir}\n"
        f"DOKKU_REGISTRYD_BIN={program}\n"
    )
    host.set_property(GLOBAL, "image-repo-template", "{{ print 1 }}")

    assert host.trigger(TAG, "web").stdout == "7\n"
    assert host.trigger(REPO, "api").stdout == f"{data_dir} image-repo api\n"


def test_questions_start_no_process(host: DokkuHost) -> None:
    """The answers come out where no process can be started at all."""
    host.set_property(GLOBAL, "server", "ghcr.io")
    host.set_property(GLOBAL, "image-repo-template", "org/{{ .AppName }}")
    host.set_property(GLOBAL, "push-on-release", "true")
    host.set_property("web", "tag-version", "7")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        shutil.copytree(host.root, root / "host", symlinks=False)
        for path in (root, *root.rglob("*")):
            os.chown(path, NOBODY if os.geteuid() == 0 else -1, -1)
        lib_root = root / "host" / "var" / "lib" / "dokku"
        hooks = lib_root / "plugins" / "enabled" / "registryd"

        control = alone(["/bin/sh", "-c", ": $(:)"], lib_root)
        answers = [alone([str(hooks / name), "web"], lib_root) for name in QUESTIONS]

    assert control.code != 0
    assert [answer.stdout for answer in answers] == ["ghcr.io/\n", "org/web\n", "7\n"]


def alone(argv: list[str], lib_root: Path) -> Result:
    """Run a program that may not have children; root is exempt, so it is not root."""
    is_root = os.geteuid() == 0
    done = subprocess.run(
        argv,
        env={"PATH": "/usr/bin:/bin", "DOKKU_LIB_ROOT": str(lib_root)},
        user=NOBODY if is_root else None,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.stdout, done.stderr, done.returncode)


def test_tracing_leaves_answers_alone(host: DokkuHost) -> None:
    """With --trace Dokku's questions have the same answers; the rest is on stderr."""
    host.set_property(GLOBAL, "server", "ghcr.io")

    result = host.trigger(SERVER, "web", environ={"DOKKU_TRACE": "1"})

    assert (result.stdout, result.code) == ("ghcr.io/\n", 0)
    assert result.stderr != ""
