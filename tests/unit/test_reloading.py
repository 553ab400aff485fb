"""A reload: which settings are taken over, and which wait for a restart."""

import re
from pathlib import Path

import pytest

from dokku_registryd import config

PAGE = (Path(__file__).parents[2] / "docs" / "install.md").read_text()

# What is read for each attempt, each turn of a loop or each line; and the rest.
TAKEN_OVER = {
    *("paths.docker_config", "paths.certs_dir", "paths.helper_path"),
    "engine.push_path",
    *(key for key in config.fields() if key.startswith("registry.")),
    *(key for key in config.fields() if key.startswith("release.")),
    *(key for key in config.fields() if key.startswith("follow.")),
    *(key for key in config.fields() if key.startswith("heal.")),
    *(key for key in config.fields() if key.startswith("disk.")),
    *(key for key in config.fields() if key.startswith("retry.")),
    *(key for key in config.fields() if key.startswith("notify.")),
    *("daemon.sweep_interval_seconds", "daemon.rescan_interval_seconds"),
    *("daemon.drain_seconds", "daemon.log_format", "daemon.log_level"),
}


def load(**values: str) -> config.Settings:
    """Return settings with some values, by `table__key`."""
    overrides = {key.replace("__", "."): value for key, value in values.items()}
    return config.load(file=None, overrides=overrides, environ={})


def test_each_setting_is_judged() -> None:
    """A new setting has to be put on one side."""
    assert set(config.fields()) == TAKEN_OVER | config.NEEDS_RESTART
    assert not TAKEN_OVER & config.NEEDS_RESTART


def test_the_page_lists_those_that_need_a_restart() -> None:
    """An operator finds which settings a reload does not apply."""
    part = PAGE.partition("## Changing settings\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^(?:\*|  ) ?(`.+)$", part, re.MULTILINE)

    assert set(re.findall(r"`([a-z_.]+)`", " ".join(listed))) == config.NEEDS_RESTART


def test_nothing_has_changed() -> None:
    """The same file is not a change."""
    running = load(daemon__workers="3", release__push_policy="background")

    found = config.merge(running, running)

    assert (found.settings, found.changed, found.needs_restart) == (running, (), ())


def test_what_is_taken_over_and_what_is_not() -> None:
    """Each side is named by its keys; a value that needs a restart is kept whole."""
    running = load(daemon__workers="3")
    written = load(
        daemon__workers="5",
        daemon__log_level="debug",
        paths__data_dir="/srv/registryd",
        release__push_policy="background",
    )

    found = config.merge(running, written)

    assert found.changed == ("release.push_policy", "daemon.log_level")
    assert found.needs_restart == ("paths.data_dir", "daemon.workers")
    assert found.settings == load(
        daemon__workers="3",
        daemon__log_level="debug",
        release__push_policy="background",
    )
    assert found.settings.data_dir == running.data_dir


def test_a_restart_is_asked_for_until_it_comes() -> None:
    """A second reload compares with what runs, not with what was written before."""
    running, written = load(), load(status__port="9137")

    once = config.merge(running, written)
    again = config.merge(once.settings, written)

    assert again.needs_restart == once.needs_restart == ("status.port",)


@pytest.mark.parametrize("key", sorted(config.NEEDS_RESTART))
def test_each_of_them_is_kept(key: str) -> None:
    """No setting that needs a restart changes by a reload."""
    running = load()
    table, _, name = key.partition(".")
    kind = type(getattr(getattr(running, table), name))
    changed = "/srv/x" if kind is str else "700"
    changed = {
        "engine.socket": "unix:///srv/x",
        "engine.deadline_seconds": "7200",
        "daemon.workers": "7",
        "daemon.host_name": "x",
    }.get(key, changed)
    written = load(**{f"{table}__{name}": changed})

    found = config.merge(running, written)

    assert found.settings == running
    assert found.needs_restart == (key,)
