"""Faults of the plugin: what keeps a deploy from reaching this program."""

from collections.abc import Iterator
from pathlib import Path

from planted.planting import away, changed, defaults, fault, program
from support.site import Site


def _link(site: Site) -> Path:
    return site.host.plugins / "enabled" / "registryd"


@fault(
    30,
    "fail",
    "plugin",
    "deploys succeed, but releases are not pushed",
    "sudo dokku plugin:enable registryd",
    health="sudo dokku plugin:enable registryd",
)
def _plugin_disabled(site: Site) -> Iterator[None]:
    with away(_link(site)):
        yield


@fault(
    30,
    "fail",
    "plugin",
    "registryd is a dangling link",
    "sudo dokku-registryd install",
    health="is a dangling link",
)
def _dangling_link(site: Site) -> Iterator[None]:
    with away(_link(site)):
        _link(site).symlink_to("/nonexistent/registryd")
        yield


@fault(
    31,
    "fail",
    "plugin",
    "cannot be executed or read by the user of Dokku: post-release-builder",
    "sudo dokku-registryd install",
    health="post-release-builder",
)
def _hook_without_x(site: Site) -> Iterator[None]:
    hook = site.host.hook("post-release-builder")
    hook.chmod(0o644)
    yield
    hook.chmod(0o755)


@fault(
    32,
    "fail",
    "plugin",
    "Dokku's own registry plugin is enabled again",
    "sudo dokku-registryd install --companion",
    health="Dokku's own registry plugin is enabled again",
)
def _core_enabled_again(site: Site) -> Iterator[None]:
    with changed(site.host.data_dir / "mode", "takeover\n"):
        site.host.enable_core()
        yield
        site.host.disable_core()


@fault(
    33,
    "warn",
    "plugin",
    "are not those of this version: post-deploy",
    "sudo dokku-registryd install",
)
def _older_hook(site: Site) -> Iterator[None]:
    with changed(site.host.hook("post-deploy"), "#!/bin/sh\n", mode=0o755):
        yield


@fault(
    34,
    "fail",
    "plugin",
    "hooks find no program /opt/gone/bin/dokku-registryd",
    "Correct DOKKU_REGISTRYD_BIN in",
    health="hooks find no program /opt/gone/bin/dokku-registryd",
)
def _program_gone(site: Site) -> Iterator[None]:
    with defaults(site, "DOKKU_REGISTRYD_BIN=/opt/gone/bin/dokku-registryd"):
        yield


@fault(
    35,
    "fail",
    "plugin",
    "the program that hooks call does not start",
    "Make its virtual environment again",
)
def _interpreter_gone(site: Site) -> Iterator[None]:
    path = program(site, "#!/opt/gone/bin/python3\n")
    with defaults(site, f"DOKKU_REGISTRYD_BIN={path}"):
        yield


@fault(
    53,
    "fail",
    "plugin",
    "are missing: functions",
    "sudo dokku-registryd install",
    health="are missing: functions",
)
def _file_of_hooks_missing(site: Site) -> Iterator[None]:
    with away(site.host.hook("functions")):
        yield


@fault(
    54,
    "warn",
    "plugin",
    "although it was installed as a companion",
    "sudo dokku plugin:enable registry",
)
def _companion_alone(site: Site) -> Iterator[None]:
    with changed(site.host.data_dir / "mode", "companion\n"):
        yield


@fault(
    65,
    "warn",
    "plugin",
    "dokku-registryd.service is not the unit of",
    "sudo dokku-registryd install",
)
def _unit_of_another_version(site: Site) -> Iterator[None]:
    unit = site.host.root / "etc" / "systemd" / "system" / "dokku-registryd.service"
    with changed(unit, "[Service]\nExecStart=/usr/local/bin/dokku-registryd run\n"):
        yield


@fault(
    60,
    "warn",
    "plugin",
    "which is another program or version than this one",
    "Correct DOKKU_REGISTRYD_BIN in",
)
def _program_of_another_version(site: Site) -> Iterator[None]:
    path = program(site, "#!/bin/sh\necho dokku-registryd 0.0.1\n")
    with defaults(site, f"DOKKU_REGISTRYD_BIN={path}"):
        yield
