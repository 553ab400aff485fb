"""The plugin as Dokku sees it: facts in, faults with their way out."""

from dataclasses import replace

import pytest

from dokku_registryd.core.install import plugin_facts
from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.install.plugin_facts import Link, PluginFacts
from dokku_registryd.core.status.findings import Level

LINK = "/var/lib/dokku/plugins/enabled/registryd"
WELL = PluginFacts(path=LINK, noted_mode="takeover")
COMPANION = replace(WELL, noted_mode="companion", mode=Mode.COMPANION)


@pytest.mark.parametrize("facts", [WELL, COMPANION, replace(WELL, noted_mode="")])
def test_a_plugin_that_is_in_place(facts: PluginFacts) -> None:
    """There is nothing to say, whichever mode was chosen."""
    assert plugin_facts.faults(facts) == ()


@pytest.mark.parametrize(
    ("facts", "level", "text"),
    [
        (
            replace(WELL, link=Link.ABSENT),
            Level.FAIL,
            (
                f"the plugin is disabled ({LINK} is missing): deploys succeed, but"
                " releases are not pushed. Enable it with: sudo dokku plugin:enable"
                " registryd"
            ),
        ),
        (
            replace(COMPANION, link=Link.ABSENT, is_available=False),
            Level.FAIL,
            (
                f"the plugin is not installed ({LINK} is missing): the releases of"
                " Dokku's own plugin are not recorded. Install it with: sudo"
                " dokku-registryd install"
            ),
        ),
        (
            replace(WELL, link=Link.DANGLING),
            Level.FAIL,
            (
                f"{LINK} is a dangling link: deploys succeed, but releases are not"
                " pushed. Repair it with: sudo dokku-registryd install"
            ),
        ),
        (
            replace(WELL, missing=("a", "b", "c", "d", "e")),
            Level.FAIL,
            (
                f"files in {LINK} are missing: a, b, c and 2 more. Dokku skips such"
                " hooks, so deploys succeed, but releases are not pushed. Repair them"
                " with: sudo dokku-registryd install"
            ),
        ),
        (
            replace(WELL, lacking_program="dokku-registryd"),
            Level.FAIL,
            (
                "hooks find no program dokku-registryd, so deploys of apps that push"
                " fail. Install it again"
            ),
        ),
        (
            replace(COMPANION, lacking_program="dokku-registryd"),
            Level.WARN,
            (
                "hooks find no program dokku-registryd, so commands such as"
                " registryd:status fail. Install it again"
            ),
        ),
        (
            replace(WELL, lacking_program="/opt/bin/x", named_in="/etc/default/r"),
            Level.FAIL,
            (
                "hooks find no program /opt/bin/x, so deploys of apps that push fail."
                " Correct DOKKU_REGISTRYD_BIN in /etc/default/r"
            ),
        ),
        (
            replace(WELL, closed=("post-deploy",)),
            Level.FAIL,
            (
                f"files in {LINK} cannot be executed or read by the user of Dokku:"
                " post-deploy. Dokku skips such hooks, so deploys succeed, but releases"
                " are not pushed. Repair them with: sudo dokku-registryd install"
            ),
        ),
        (
            replace(WELL, differing=("functions",)),
            Level.WARN,
            (
                f"files in {LINK} are not those of this version: functions. Replace"
                " them with: sudo dokku-registryd install"
            ),
        ),
        (
            replace(WELL, mode=Mode.COMPANION),
            Level.FAIL,
            (
                "Dokku's own registry plugin is enabled again, and pushes in place of"
                " this one. Take over again with: sudo dokku-registryd install. To"
                " leave it so: sudo dokku-registryd install --companion"
            ),
        ),
        (
            replace(COMPANION, mode=Mode.TAKEOVER),
            Level.WARN,
            (
                "Dokku's own registry plugin is disabled, so this one pushes, although"
                " it was installed as a companion. To leave it so: sudo dokku-registryd"
                " install. To give the pushes back: sudo dokku plugin:enable registry"
            ),
        ),
    ],
    ids=[
        *("disabled", "not installed", "dangling", "missing", "no program"),
        "no program beside",
        *("another program", "closed", "differing"),
        *("core is back", "core is gone"),
    ],
)
def test_a_fault(facts: PluginFacts, level: Level, text: str) -> None:
    """Each fault is one sentence with its effect and the command that repairs it."""
    assert plugin_facts.faults(facts) == (plugin_facts.Fault(level, text),)
    expected = (text,) if level is Level.FAIL else ()
    assert plugin_facts.failures(facts) == expected


def test_faults_of_a_link_that_leads_nowhere() -> None:
    """Files behind a missing link are not looked at, and failures come first."""
    facts = replace(
        WELL,
        differing=("functions",),
        mode=Mode.COMPANION,
    )

    assert [fault.level for fault in plugin_facts.faults(facts)] == [
        Level.FAIL,
        Level.WARN,
    ]
    absent = replace(facts, link=Link.ABSENT, missing=("a",))
    assert len(plugin_facts.faults(absent)) == 2
