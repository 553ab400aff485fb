"""Faults of files and folders on the host."""

import os
import shutil
from collections.abc import Iterator

from planted.planting import (
    STRANGER,
    away,
    changed,
    defaults,
    fault,
    owned,
    settings,
    stopped,
    value,
)
from support.site import Site


@fault(
    1,
    "fail",
    "spool",
    "spool/new is not writable",
    "give the folder to that user",
    health=None,
)
def _spool_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        os.chown(site.host.data_dir / "spool" / "new", 0, 0)
        yield


@fault(
    2,
    "fail",
    "spool",
    "replies is not writable",
    "give the folder to that user",
    health=None,
)
def _replies_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        os.chown(site.host.data_dir / "replies", 0, 0)
        yield


@fault(
    3,
    "fail",
    "ledger",
    "ledger.sqlite3 belongs to user root and is closed to user",
    "sudo chown",
    health=None,
)
def _ledger_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        for path in site.host.data_dir.glob("ledger.sqlite3*"):
            os.chown(path, 0, 0)
        yield


@fault(
    36,
    "fail",
    "settings",
    "daemon.worker",
    "did you mean daemon.workers?",
    health="daemon.workers?",
)
def _unknown_setting(site: Site) -> Iterator[None]:
    with settings(site, "daemon.worker = 4"):
        yield


@fault(36, "fail", "settings", "retry.max_tries", "unknown key", health="unknown key")
def _unknown_key(site: Site) -> Iterator[None]:
    with settings(site, "retry.max_tries = 4"):
        yield


@fault(
    36,
    "fail",
    "settings",
    "daemon.workers",
    "a whole number from 1 to",
    health="daemon.workers",
)
def _setting_out_of_bounds(site: Site) -> Iterator[None]:
    with settings(site, "daemon.workers = 40000"):
        yield


@fault(36, "fail", "settings", "is not valid TOML", "line", health="is not valid TOML")
def _half_a_setting(site: Site) -> Iterator[None]:
    with settings(site, 'heal.schedulers = "x'):
        yield


@fault(
    36, "fail", "settings", "no such file", "Correct --config or", health="no such file"
)
def _settings_gone(site: Site) -> Iterator[None]:
    with away(site.service.config):
        yield


@fault(
    37,
    "fail",
    "settings",
    "is closed to the user that Dokku runs as, so the service does not start",
    "sudo chgrp",
    health=None,
)
def _settings_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        mode = site.service.config.stat().st_mode
        site.service.config.chmod(0o600)
        yield
        site.service.config.chmod(mode)


@fault(
    38,
    "fail",
    "spool",
    "elsewhere (paths.data_dir) does not exist",
    "sudo dokku-registryd install",
    health="stopped",
)
def _data_moved_in_the_settings_only(site: Site) -> Iterator[None]:
    with settings(site, f'paths.data_dir = "{site.host.root}/elsewhere"'):
        yield


@fault(
    40,
    "warn",
    "settings",
    f"belongs to user {STRANGER}",
    "Correct it with chown",
    health=None,
)
def _owner_without_a_name(site: Site) -> Iterator[None]:
    with owned(site, STRANGER):
        os.chown(site.host.dokku_root, 0, 0)
        yield


@fault(41, "warn", "spool", "300 trigger files were rejected", "read the .reason files")
def _many_rejected_files(site: Site) -> Iterator[None]:
    folder = site.host.data_dir / "spool" / "rejected"
    for number in range(300):
        (folder / f"{number:016d}.1.1").touch()
        (folder / f"{number:016d}.1.1.reason").write_text("bad")
    yield
    for path in folder.iterdir():
        path.unlink()


@fault(45, "fail", "apps", "Is its disk mounted?", "No data of apps is removed")
def _root_not_mounted(site: Site) -> Iterator[None]:
    with away(site.host.dokku_root):
        site.host.dokku_root.mkdir()
        yield


@fault(46, "warn", "settings", "it is missing, although there were", "disk mounted?")
def _properties_away(site: Site) -> Iterator[None]:
    with away(site.host.config_root):
        yield


@fault(
    47,
    "warn",
    "settings",
    "status.group: this host has no group monitors-of-nothing",
    "sudo groupadd monitors-of-nothing",
)
def _group_that_is_missing(site: Site) -> Iterator[None]:
    with settings(site, 'status.group = "monitors-of-nothing"'):
        yield


@fault(48, "warn", "disk", "less than heal.min_free_disk_mb", "Free disk space")
def _disk_below_floor(site: Site) -> Iterator[None]:
    text = site.service.config.read_text()
    name = "heal.min_free_disk_mb = "
    with changed(
        site.service.config, text.replace(f"{name}0", f"{name}90000000"), mode=0o644
    ):
        yield


@fault(
    51,
    "warn",
    "settings",
    "etc/default/dokku-registryd is closed to the user that Dokku runs as, so hooks",
    "sudo chgrp",
    health=None,
)
def _variables_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        mode = site.host.defaults_file.stat().st_mode
        site.host.defaults_file.chmod(0o600)
        yield
        site.host.defaults_file.chmod(mode)


@fault(
    52,
    "fail",
    "settings",
    "closed to the user that Dokku runs as",
    "sudo chmod a+x",
    health=None,
)
def _settings_in_a_closed_folder(site: Site) -> Iterator[None]:
    with owned(site):
        folder = site.host.root / "closed"
        folder.mkdir(mode=0o700)
        kept = site.service.config
        (folder / "config.toml").write_text(kept.read_text())
        site.service.config = folder / "config.toml"
        yield
        site.service.config = kept
        shutil.rmtree(folder)


@fault(
    55,
    "warn",
    "image",
    "missing on this host; the image is here",
    "dokku registryd:set web heal on",
)
def _name_missing_without_heal(site: Site) -> Iterator[None]:
    with value(site, "heal", "off", plugin="registryd"):
        name = site.reference(1)
        image = site.names()[name]
        site.untag(name)
        yield
        site.tag(image, name.rpartition(":")[0], "1")


@fault(
    61,
    "fail",
    "spool",
    "not found: ",
    "systemctl start dokku-registryd",
    health="stopped",
)
def _spool_missing(site: Site) -> Iterator[None]:
    with stopped(site), away(site.host.data_dir / "spool" / "tmp"):
        yield


@fault(
    62,
    "warn",
    "settings",
    "DOKKU_REGISTRYD_HEAL is not a setting",
    "has no effect",
)
def _unknown_variable(site: Site) -> Iterator[None]:
    with defaults(site, "DOKKU_REGISTRYD_HEAL=off"):
        yield


@fault(
    64,
    "warn",
    "deploy",
    "is not a regular file and is ignored",
    "Remove it",
)
def _folder_in_place_of_a_reply(site: Site) -> Iterator[None]:
    folder = site.host.data_dir / "deploying" / "web" / "odd"
    folder.mkdir(parents=True)
    yield
    shutil.rmtree(folder)
