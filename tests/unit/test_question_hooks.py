"""The hooks that answer Dokku's questions: Dokku's rules, byte for byte, in a shell."""

import shutil
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

SERVER = "deployed-app-repository"
REPO = "deployed-app-image-repo"
TAG = "deployed-app-image-tag"


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


def put(host: DokkuHost, name: str, app: str | None, everywhere: str | None) -> None:
    """Set a property of web, and the global one."""
    if app is not None:
        host.set_property("web", name, app)
    if everywhere is not None:
        host.set_property(GLOBAL, name, everywhere)


@pytest.mark.parametrize(
    ("app", "everywhere", "expected"),
    [
        pytest.param(None, None, "\n", id="unset"),
        pytest.param("ghcr.io", None, "ghcr.io/\n", id="app"),
        pytest.param(None, "ghcr.io", "ghcr.io/\n", id="global"),
        pytest.param("quay.io", "ghcr.io", "quay.io/\n", id="app-over-global"),
        pytest.param("", "ghcr.io", "ghcr.io/\n", id="empty-app"),
        pytest.param("  ", "ghcr.io", "\n", id="blank-app-beats-global"),
        pytest.param("\n", "ghcr.io", "\n", id="line-break-beats-global"),
        pytest.param(" \tghcr.io\n", None, "ghcr.io/\n", id="trimmed"),
        pytest.param(None, "ghcr.io\r\n", "ghcr.io/\n", id="global-trimmed"),
        pytest.param("ghcr.io/", None, "ghcr.io/\n", id="one-slash"),
        pytest.param("ghcr.io//", None, "ghcr.io//\n", id="two-slashes"),
        pytest.param("/", None, "\n", id="only-a-slash"),
        pytest.param("docker.io", "ghcr.io", "\n", id="docker-hub"),
        pytest.param("docker.io/", None, "\n", id="docker-hub-slash"),
        pytest.param(None, "hub.docker.com", "\n", id="docker-hub-site"),
        pytest.param("index.docker.io", None, "index.docker.io/\n", id="not-an-alias"),
        pytest.param("r.io:5000/org", None, "r.io:5000/org/\n", id="port-and-path"),
        pytest.param("a\nb", None, "a\nb/\n", id="two-lines"),
        pytest.param("-n\\t*$(x)", None, "-n\\t*$(x)/\n", id="shell-marks"),
    ],
)
def test_server(
    host: DokkuHost, ask: Question, app: str, everywhere: str, expected: str
) -> None:
    """The server is trimmed, Docker Hub is empty, anything else ends with a slash."""
    put(host, "server", app, everywhere)

    assert ask(SERVER) == Result(expected, "", 0)


@pytest.mark.parametrize(
    ("push", "number", "expected"),
    [
        pytest.param((None, None), "7", "", id="off-by-default"),
        pytest.param(("true", None), "7", "7\n", id="on"),
        pytest.param((" true\n", None), "7", "7\n", id="app-trimmed"),
        pytest.param((None, "true"), "7", "7\n", id="global"),
        pytest.param((None, "true\n"), "7", "", id="global-untrimmed"),
        pytest.param((None, " true"), "7", "", id="global-untrimmed-before"),
        pytest.param(("false", "true"), "7", "", id="app-over-global"),
        pytest.param(("  ", "true"), "7", "7\n", id="blank-app"),
        pytest.param(("True", None), "7", "", id="exactly-true"),
        pytest.param(("true", None), " 12\n", "12\n", id="number-trimmed"),
        pytest.param(("true", None), "abc", "abc\n", id="number-as-it-is"),
        pytest.param(("true", None), None, "", id="never-pushed"),
        pytest.param(("true", None), "", "", id="empty-number"),
        pytest.param(("true", None), "\n", "", id="blank-number"),
    ],
)
def test_tag(
    host: DokkuHost,
    ask: Question,
    push: tuple[str | None, str | None],
    number: str | None,
    expected: str,
) -> None:
    """The number shows where push is exactly on, and none is ever invented."""
    put(host, "push-on-release", *push)
    put(host, "tag-version", number, None)

    assert ask(TAG) == Result(expected, "", 0)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({}, "dokku/web", id="unset"),
        pytest.param({"repo": "org/foo"}, "org/foo", id="repo"),
        pytest.param({"repo": " org/foo\n"}, "org/foo", id="repo-trimmed"),
        pytest.param({"repo": " ", "app": "x"}, "x", id="blank-repo"),
        pytest.param({"repo": "org/foo", "app": "x"}, "org/foo", id="repo-first"),
        pytest.param({"app": "x", "all": "y"}, "x", id="app-template-first"),
        pytest.param({"app": "\n", "all": "y"}, "y", id="blank-app-template"),
        pytest.param({"all": " y\n"}, "y", id="global-result-trimmed"),
        pytest.param({"all": " "}, "dokku/web", id="blank-result"),
        pytest.param({"all": "p/{{ .AppName }}"}, "p/web", id="spaced"),
        pytest.param({"all": "p/{{.AppName}}"}, "p/web", id="unspaced"),
        pytest.param(
            {"app": "{{.AppName}}/{{ .AppName }}-{{.AppName}}x"},
            "web/web-webx",
            id="several",
        ),
        pytest.param({"all": "a}}b{c"}, "a}}b{c", id="braces-in-text"),
        pytest.param({"all": "{{.AppName}}}}"}, "web}}", id="braces-after"),
        pytest.param({"all": "{ {{.AppName}}"}, "{ web", id="brace-before"),
        pytest.param({"all": "*?[a]{{.AppName}}\\"}, "*?[a]web\\", id="glob-marks"),
    ],
)
def test_image_repo(
    host: DokkuHost, ask: Question, properties: dict[str, str], expected: str
) -> None:
    """The repository comes from property, app template, global template, then Dokku."""
    put(host, "image-repo", properties.get("repo"), None)
    put(host, "image-repo-template", properties.get("app"), properties.get("all"))

    assert ask(REPO) == Result(f"{expected}\n", "", 0)


@pytest.mark.parametrize(
    "template",
    [
        "{{ .AppName | printf `%s-p` }}",
        "{{  .AppName }}",
        "{{.AppName }}",
        "{{- .AppName }}",
        "{{/* note */}}x",
        "{{{.AppName}}",
        "x{{ APP }}",
        "{{.AppName}}{{",
    ],
)
def test_a_template_beyond_the_shell(host: DokkuHost, template: str) -> None:
    """Any other template is the program's work, status and streams included."""
    host.add_recorder("dokku-registryd", code=1, stdout="org/blog\n")
    host.set_property(GLOBAL, "image-repo-template", template)

    assert host.trigger(REPO, "web") == Result("org/blog\n", "", 1)
    assert host.calls("dokku-registryd") == [["image-repo", "web"]]


def test_no_program_for_a_template(host: DokkuHost) -> None:
    """Without the program such a template is an error that names the cure."""
    host.set_property(GLOBAL, "image-repo-template", "{{ print 1 }}")

    result = host.trigger(REPO, "web", environ={"DOKKU_REGISTRYD_BIN": "/no/such"})

    assert result == Result(
        "",
        " !     Unable to determine image repo from template: there is no program"
        " /no/such. Install dokku-registryd again\n",
        1,
    )
