"""Who answers what, with Dokku's own registry plugin enabled and without it."""

from collections.abc import Callable

import pytest

from support.dokku_host import DokkuHost, Result

Dokku = Callable[[str], Result]

CORE_COMMANDS = r"""#!/bin/sh
case $1 in registry | registry:*) echo "core: $*" ;; *) exit 10 ;; esac
"""
CORE_REPORT = '#!/bin/sh\necho "core: report $1"\n'


@pytest.mark.parametrize(
    "line",
    [
        "registry",
        "registry:help",
        "registry:login foo ghcr.io user",
        "registry:logout foo ghcr.io",
        "registry:report foo",
        "registry:set foo server ghcr.io",
        "registry:nope",
    ],
)
def test_beside_core_its_commands_are_its_own(host: DokkuHost, line: str) -> None:
    """We say and do nothing where Dokku's own plugin answers."""
    host.enable_core({"commands": CORE_COMMANDS})

    assert host.command(*line.split()) == Result(f"core: {line}\n", "", 0)
    assert host.run([str(host.hook("commands")), *line.split()]).code == 10
    assert host.read_property("foo", "server") is None


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("registryd", "Usage: dokku registryd[:COMMAND]"),
        ("registryd:help", "Usage: dokku registryd[:COMMAND]"),
        ("registryd:report foo", "=====> foo registryd information"),
        ("registryd:set foo heal off", "=====> Setting heal to off"),
    ],
)
def test_beside_core_our_commands_are_ours(
    host: DokkuHost, dokku: Dokku, line: str, first: str
) -> None:
    """Our own commands are answered in both modes."""
    host.enable_core({"commands": CORE_COMMANDS})

    result = dokku(line)

    assert (result.stdout.splitlines()[0], result.stderr, result.code) == (first, "", 0)


def test_core_comes_back(host: DokkuHost, dokku: Dokku) -> None:
    """The mode is determined again by each call."""
    host.enable_core({"commands": CORE_COMMANDS})
    host.disable_core()

    assert dokku("registry:report foo").stdout.startswith("=====> foo registry inf")


def test_dokku_report(host: DokkuHost, dokku: Dokku) -> None:
    """`dokku report APP` gets both reports."""
    expected = (
        dokku("registry:report foo").stdout + dokku("registryd:report foo").stdout
    )

    assert host.trigger("report", "foo") == Result(expected, "", 0)
    assert host.trigger("report", "foo", environ={"DOKKU_APP_NAME": "foo"}) == Result(
        expected, "", 0
    )


def test_dokku_report_beside_core(host: DokkuHost, dokku: Dokku) -> None:
    """Beside Dokku's own plugin only our own report is added."""
    host.enable_core({"report": CORE_REPORT})
    ours = dokku("registryd:report foo").stdout

    result = host.trigger("report", "foo")

    assert result == Result(f"core: report foo\n{ours}", "", 0)


@pytest.mark.parametrize("app", ["", "nope"])
def test_a_report_never_fails(host: DokkuHost, app: str) -> None:
    """The reports of later plugins come in any case."""
    host.add_plugin("zz-later", {"report": '#!/bin/sh\necho "later"\n'})

    result = host.trigger("report", app)

    assert (result.stdout, result.code) == ("later\n", 0)


def test_a_report_without_the_program(host: DokkuHost) -> None:
    """A missing program is said."""
    result = host.trigger("report", "foo", environ={"DOKKU_REGISTRYD_BIN": "/no/such"})

    assert result == Result(
        "",
        " !     Cannot report on registries: there is no program /no/such."
        " Install dokku-registryd again\n",
        0,
    )
