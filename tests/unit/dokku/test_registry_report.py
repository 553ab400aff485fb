"""`registry:report` to the byte, as Dokku 0.38.27 prints it."""

import json
from collections.abc import Callable

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

Dokku = Callable[[str], Result]

FOO = """\
=====> foo registry information
       Registry computed image repo:          dokku/foo
       Registry computed image repo template: {0}
       Registry computed push extra tags:     {0}
       Registry computed push on release:     false
       Registry computed server:              {0}
       Registry global image repo template:   {0}
       Registry global push extra tags:       {0}
       Registry global push on release:       {0}
       Registry global server:                {0}
       Registry image repo:                   {0}
       Registry image repo template:          {0}
       Registry push extra tags:              {0}
       Registry push on release:              {0}
       Registry server:                       {0}
       Registry tag version:                  {0}
""".format("")
EVERYWHERE = """\
=====> --global registry information
       Registry computed image repo template: {0}
       Registry computed push extra tags:     {0}
       Registry computed push on release:     false
       Registry computed server:              {0}
       Registry global image repo template:   {0}
       Registry global push extra tags:       {0}
       Registry global push on release:       {0}
       Registry global server:                {0}
""".format("")
FOO_JSON = (
    '{"computed-image-repo":"dokku/foo","computed-image-repo-template":"",'
    '"computed-push-extra-tags":"","computed-push-on-release":"false",'
    '"computed-server":"","global-image-repo-template":"",'
    '"global-push-extra-tags":"","global-push-on-release":"","global-server":"",'
    '"image-repo":"","image-repo-template":"","push-extra-tags":"",'
    '"push-on-release":"","registry-computed-image-repo":"dokku/foo",'
    '"registry-computed-image-repo-template":"",'
    '"registry-computed-push-extra-tags":"",'
    '"registry-computed-push-on-release":"false","registry-computed-server":"",'
    '"registry-global-image-repo-template":"","registry-global-push-extra-tags":"",'
    '"registry-global-push-on-release":"","registry-global-server":"",'
    '"registry-image-repo":"","registry-image-repo-template":"",'
    '"registry-push-extra-tags":"","registry-push-on-release":"",'
    '"registry-server":"","registry-tag-version":"","server":"","tag-version":""}\n'
)
EVERYWHERE_JSON = (
    '{"computed-image-repo-template":"","computed-push-extra-tags":"",'
    '"computed-push-on-release":"false","computed-server":"",'
    '"global-image-repo-template":"","global-push-extra-tags":"",'
    '"global-push-on-release":"","global-server":"",'
    '"registry-computed-image-repo-template":"",'
    '"registry-computed-push-extra-tags":"",'
    '"registry-computed-push-on-release":"false","registry-computed-server":"",'
    '"registry-global-image-repo-template":"","registry-global-push-extra-tags":"",'
    '"registry-global-push-on-release":"","registry-global-server":""}\n'
)
VALID_FLAGS = (
    " !     Invalid flag passed, valid flags: --registry-computed-image-repo,"
    " --registry-computed-image-repo-template, --registry-computed-push-extra-tags,"
    " --registry-computed-push-on-release, --registry-computed-server,"
    " --registry-global-image-repo-template, --registry-global-push-extra-tags,"
    " --registry-global-push-on-release, --registry-global-server,"
    " --registry-image-repo, --registry-image-repo-template,"
    " --registry-push-extra-tags, --registry-push-on-release, --registry-server,"
    " --registry-tag-version\n"
)
VALID_FLAGS_EVERYWHERE = (
    " !     Invalid flag passed, valid flags:"
    " --registry-computed-image-repo-template, --registry-computed-push-extra-tags,"
    " --registry-computed-push-on-release, --registry-computed-server,"
    " --registry-global-image-repo-template, --registry-global-push-extra-tags,"
    " --registry-global-push-on-release, --registry-global-server\n"
)
USAGE = """\
Usage of registry:report:
      --format string   format: [ stdout | json ] (default "stdout")
"""
BAD_NAME = (
    " !     App name must begin with lowercase alphanumeric character, and may only"
    " contain lowercase alphanumerics, dots, and hyphens\n"
)
TWO_FLAGS = " !     registry:report command allows only a single flag\n"
NO_FORM_BESIDE_A_FLAG = (
    " !     --format flag cannot be specified when specifying an info flag\n"
)
NO_APPS = " !     You haven't deployed any applications yet\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("registry:report foo", Result(FOO, "", 0)),
        ("registry:report", Result(FOO, "", 0)),
        ("registry:report foo bar", Result(FOO, "", 0)),
        ("registry:report foo --format stdout", Result(FOO, "", 0)),
        ("registry:report --global", Result(EVERYWHERE, "", 0)),
        ("registry:report foo --global", Result(EVERYWHERE, "", 0)),
        ("--quiet registry:report foo", Result(FOO.partition("\n")[2], "", 0)),
        ("--app foo registry:report", Result(FOO, "", 0)),
        ("registry:report --app foo", Result(FOO, "", 0)),
        ("registry:report foo --format json", Result(FOO_JSON, "", 0)),
        ("--quiet registry:report --format json foo", Result(FOO_JSON, "", 0)),
        ("registry:report --global --format json", Result(EVERYWHERE_JSON, "", 0)),
    ],
)
def test_whole_reports(dokku: Dokku, line: str, expected: Result) -> None:
    """A report has Dokku's rows, widths, trailing blanks and keys."""
    assert dokku(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("foo --registry-computed-image-repo", Result("dokku/foo\n", "", 0)),
        ("foo --registry-computed-server", Result("\n", "", 0)),
        ("--registry-computed-image-repo", Result("dokku/foo\n", "", 0)),
        ("--global --registry-computed-push-on-release", Result("false\n", "", 0)),
        ("foo --registry-nope", Result("", VALID_FLAGS, 1)),
        ("foo --", Result("", VALID_FLAGS, 1)),
        ("foo --help", Result("", VALID_FLAGS, 1)),
        ("foo --quiet", Result("", VALID_FLAGS, 1)),
        ("foo --format=json", Result("", VALID_FLAGS, 1)),
        ("--global --registry-tag-version", Result("", VALID_FLAGS_EVERYWHERE, 1)),
        ("--format json --registry-server", Result("", NO_FORM_BESIDE_A_FLAG, 1)),
        (
            "foo --format yaml",
            Result("", ' !     Format must be "stdout" or "json": "yaml"\n', 1),
        ),
        ("nope", Result("", " !     App nope does not exist\n", 20)),
        ("nope --format yaml", Result("", " !     App nope does not exist\n", 20)),
        ("Bad_Name", Result("", BAD_NAME, 1)),
        ("../foo", Result("", BAD_NAME, 1)),
        ("foo -h", Result("", USAGE, 0)),
        ("foo -x", Result("", f"{USAGE}unknown shorthand flag: 'x' in -x\n", 2)),
    ],
)
def test_single_rows_and_refusals(dokku: Dokku, line: str, expected: Result) -> None:
    """One row is its value; what makes no sense ends with Dokku's text and status."""
    assert dokku(f"registry:report {line}") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("foo --registry-server --registry-image-repo", Result("", TWO_FLAGS, 1)),
        ("foo --format", Result("", f"{USAGE}flag needs an argument: --format\n", 2)),
    ],
)
def test_what_dokku_swallows_or_dies_of(
    dokku: Dokku, line: str, expected: Result
) -> None:
    """Two rows, or no form, are refused where Dokku says nothing or panics."""
    assert dokku(f"registry:report {line}") == expected


def test_all_apps(host: DokkuHost, dokku: Dokku) -> None:
    """The apps follow each other by name, with nothing between."""
    host.create_app("bar")
    (host.dokku_root / "lost+found").mkdir()
    (host.dokku_root / "ENV").touch()

    assert dokku("registry:report").stdout == FOO.replace("foo", "bar") + FOO
    assert dokku("registry:report --registry-computed-image-repo") == Result(
        "dokku/bar\ndokku/foo\n", "", 0
    )
    first, second = dokku("registry:report --format json").stdout.splitlines()
    assert json.loads(first)["computed-image-repo"] == "dokku/bar"
    assert json.loads(second)["computed-image-repo"] == "dokku/foo"


@pytest.mark.parametrize("options", ["", "--format json", "--registry-nope"])
@pytest.mark.fresh_programs
def test_no_apps(host: DokkuHost, dokku: Dokku, options: str) -> None:
    """A host without apps is not a failure."""
    (host.dokku_root / "foo").rmdir()

    assert dokku(f"registry:report {options}") == Result("", NO_APPS, 0)


def test_json_escapes(host: DokkuHost, dokku: Dokku) -> None:
    """JSON is escaped as in Go, and so are terminal control characters."""
    host.set_property("foo", "image-repo-template", '<a&b>"\\\n\t\x01\x7f é\u2028')

    stdout = dokku("registry:report foo --format json").stdout

    expected = r'"\u003ca\u0026b\u003e\"\\\n\t\u0001\u007f é\u2028"'
    assert f'"image-repo-template":{expected},' in stdout


def test_unreadable_property(host: DokkuHost, dokku: Dokku) -> None:
    """A property that cannot be read counts as unset, and that is said."""
    (host.config_root / "registry" / "foo" / "server").mkdir()

    result = dokku("registry:report foo")

    assert result == Result(
        FOO, " !     Unable to read registry property foo.server\n", 0
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("registry:report foo", Result("", " !     App foo does not exist\n", 20)),
        (
            "registry:report --registry-computed-image-repo",
            Result("dokku/bar\n", "", 0),
        ),
    ],
)
def test_hidden_apps(
    host: DokkuHost, dokku: Dokku, line: str, expected: Result
) -> None:
    """A plugin that restricts users hides apps from them."""
    host.create_app("bar")
    filter_hook = '#!/bin/sh\necho "user=$1 name=$2" >&2; echo; echo bar\n'
    host.add_plugin("acl", {"user-auth-app": filter_hook})

    assert dokku(line) == expected


def test_filter_arguments(host: DokkuHost) -> None:
    """The filter is told the user, the name of the key, and the apps."""
    host.add_recorder("note")
    host.add_plugin("acl", {"user-auth-app": '#!/bin/sh\nnote "$@"\n'})
    host.add_plugin("20_events", {"user-auth-app": "#!/bin/sh\n"})

    result = host.command(
        "registry:report", environ={"SSH_USER": "dokku", "SSH_NAME": "ci"}
    )

    assert result == Result("", NO_APPS, 0)
    assert host.calls("note") == [["dokku", "ci", "foo"]]


def test_the_event_log_is_not_a_filter(host: DokkuHost, dokku: Dokku) -> None:
    """Dokku's own log of triggers hides nothing."""
    host.add_plugin("20_events", {"user-auth-app": "#!/bin/sh\n"})

    assert dokku("registry:report foo") == Result(FOO, "", 0)


@pytest.mark.parametrize(
    "options",
    [
        "registry:report foo",
        "registry:report foo --format json",
        "registry:report foo --registry-server",
        "registry:report foo --registry-computed-server",
        "registry:report foo --registry-global-server",
    ],
)
def test_a_login_in_a_server_is_not_shown(
    host: DokkuHost, dokku: Dokku, options: str
) -> None:
    """Dokku's own plugin stores one; it must not be shown."""
    for owner in ("foo", GLOBAL):
        host.set_property(owner, "server", "ci:CAN/ARY@r.example")

    result = dokku(options)

    assert "***@r.example" in result.stdout
    assert "CAN" not in result.stdout + result.stderr
