"""Faults of a host that operators really meet, planted one at a time.

Each is a function that spoils a site, yields, and repairs it. Its row says what
`doctor` must say: level, check, a part of the text that names the fault, and the way
out. `health` names those that keep the service from its work.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import seeding
from support.dokku_host import GLOBAL
from support.site import Site

NOBODY: Final = 65534
STRANGER: Final = 54_321
Plant = Callable[[Site], Iterator[None]]
FAULTS: "list[Row]" = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault, and what must be said of it."""

    number: int
    """Its number in the table of faults; the further ones begin at 51."""
    name: str
    plant: Callable[[Site], AbstractContextManager[None]]
    level: str
    """Of the finding; empty if the fault is none."""
    check: str
    text: str
    cure: str
    health: str | None
    """A part of what `health` says; empty if it has nothing to say, None if the fault
    is planted in a way that says nothing about the service."""


def fault(
    number: int,
    level: str = "",
    check: str = "",
    text: str = "",
    cure: str = "",
    *,
    health: str | None = "",
) -> Callable[[Plant], Plant]:
    """Make a planting function a row."""

    def add(plant: Plant) -> Plant:
        FAULTS.append(
            Row(
                number=number,
                name=plant.__name__.strip("_"),
                plant=contextlib.contextmanager(plant),
                level=level,
                check=check,
                text=text,
                cure=cure,
                health=health,
            )
        )
        return plant

    return add


# -- what several have in common


@contextlib.contextmanager
def owned(site: Site, user: int = NOBODY) -> Iterator[None]:
    """Give the data to another user, who `doctor` then runs as."""
    paths = [site.host.dokku_root, site.host.data_dir]
    paths += site.host.data_dir.rglob("*")
    for path in paths:
        os.chown(path, user, user, follow_symlinks=False)
    try:
        yield
    finally:
        for path in [site.host.dokku_root, *_tree(site.host.data_dir)]:
            os.chown(path, 0, 0, follow_symlinks=False)


def _tree(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


@contextlib.contextmanager
def changed(path: Path, content: str | None, *, mode: int = 0o600) -> Iterator[None]:
    """Give a file another content, or none; it need not exist."""
    kept = path.with_name(f".kept.{path.name}")
    existed = path.exists()
    if existed:
        path.rename(kept)
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        if existed:
            kept.rename(path)


@contextlib.contextmanager
def away(path: Path) -> Iterator[None]:
    """Move something away."""
    kept = path.rename(path.with_name(f"{path.name}.away"))
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        kept.rename(path)


@contextlib.contextmanager
def stopped(site: Site) -> Iterator[None]:
    """Stop the service for a while."""
    site.service.stop()
    try:
        yield
    finally:
        site.service.start()


@contextlib.contextmanager
def storage(site: Site) -> Iterator[None]:
    """Give the registry its content of before back."""
    folder = site.registry.folder / "storage"
    kept = folder.with_name("storage.kept")
    shutil.copytree(folder, kept)
    try:
        yield
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


@contextlib.contextmanager
def beside(site: Site, *commands: str) -> Iterator[None]:
    """Have verbs see another system: these commands change mounts of theirs alone."""
    kept = site.service.beside
    steps = " && ".join([*commands, 'exec "$@"'])
    path = site.host.root / "beside"
    path.write_text(
        f"#!/bin/sh\nexec unshare --mount /bin/sh -c '{steps}' sh {kept} \"$@\"\n"
    )
    path.chmod(0o755)
    site.service.beside = path
    try:
        yield
    finally:
        site.service.beside = kept


def value(
    site: Site, name: str, text: str, *, app: str = "web", plugin: str = "registry"
) -> AbstractContextManager[None]:
    """Set a property for a while."""
    return changed(site.host.config_root / plugin / app / name, text)


def settings(site: Site, line: str) -> AbstractContextManager[None]:
    """Add a line to the settings file for a while."""
    text = site.service.config.read_text()
    return changed(site.service.config, f"{text}{line}\n", mode=0o644)


def login(site: Site, content: object) -> AbstractContextManager[None]:
    """Give the app another auth config for a while."""
    path = site.host.config_root / "registry" / "web" / "config.json"
    text = content if isinstance(content, str) else json.dumps(content)
    return changed(path, text)


def defaults(site: Site, line: str) -> AbstractContextManager[None]:
    """Add a line to the file of variables for a while."""
    text = site.host.defaults_file.read_text()
    return changed(site.host.defaults_file, f"{text}{line}\n", mode=0o644)


def program(site: Site, script: str) -> Path:
    """Write a program."""
    path = site.host.root / "some-program"
    path.write_text(script)
    path.chmod(0o755)
    return path


def auth(site: Site, server: str) -> dict[str, object]:
    """Return an auth config with the right password for a spelling of the server."""
    ((_, entry),) = site.basic_login()["auths"].items()
    return {"auths": {server: entry}}


# -- 1 to 3: files of root


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


@fault(3, "fail", "ledger", "ledger.sqlite3", "unable to open", health=None)
def _ledger_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        for path in site.host.data_dir.glob("ledger.sqlite3*"):
            os.chown(path, 0, 0)
        yield


# -- 4 to 12: logins and addresses


@fault(4, "fail", "registry", "cannot log in", "Log in again with dokku registry:login")
def _expired_login(site: Site) -> Iterator[None]:
    with login(site, site.basic_login("an-old-password")):
        yield


@fault(5, "fail", "login", "docker-credential-none", "nstall")
def _missing_helper(site: Site) -> Iterator[None]:
    with login(site, {"auths": {site.server: {}}, "credsStore": "none"}):
        yield


@fault(6, "fail", "login", "cannot read the login", "registry:login")
def _half_a_login(site: Site) -> Iterator[None]:
    with login(site, '{"auths": {"x'):
        yield


@fault(7, "fail", "registry", "registry.invalid is a name", "cannot be resolved")
def _unknown_server(site: Site) -> Iterator[None]:
    # Names are looked up in files only, so that no question leaves this machine.
    files = site.host.root / "nsswitch.conf"
    files.write_text("hosts: files\n")
    with (
        value(site, "server", "registry.invalid"),
        beside(site, f"mount --bind {files} /etc/nsswitch.conf"),
    ):
        yield


@fault(8, "fail", "properties", "is not a valid repository", "dokku registry:set web")
def _server_with_scheme(site: Site) -> Iterator[None]:
    with value(site, "server", f"https://{site.server}"):
        yield


@fault(9, "fail", "registry", "127.0.0.1:9 does not answer", "Connection refused")
def _closed_port(site: Site) -> Iterator[None]:
    with value(site, "server", "127.0.0.1:9"):
        yield


@fault(10)
def _login_with_path(site: Site) -> Iterator[None]:
    with login(site, auth(site, f"https://{site.server}/v1/")):
        yield


@fault(11, "warn", "login", "none for 127.0.0.1", "dokku registry:login web")
def _login_for_another_spelling(site: Site) -> Iterator[None]:
    with login(site, auth(site, site.server.replace("127.0.0.1", "localhost"))):
        yield


@fault(12, "fail", "properties", "Org/Web is not a valid", "dokku registry:set web")
def _capitals(site: Site) -> Iterator[None]:
    with value(site, "image-repo", "Org/Web"):
        yield


# -- 13 to 20: properties

_TEMPLATE: Final = "image-repo-template '"


@fault(13, "fail", "properties", "Appname", f"dokku registry:set web {_TEMPLATE}")
def _template_of_an_app(site: Site) -> Iterator[None]:
    with value(site, "image-repo-template", "org/{{ .Appname }}"):
        yield


@fault(13, "fail", "properties", "unclosed", f"dokku registry:set --global {_TEMPLATE}")
def _template_of_all_apps(site: Site) -> Iterator[None]:
    with value(site, "image-repo-template", "org/{{ .AppName", app=GLOBAL):
        yield


@fault(
    14,
    "warn",
    "push",
    "push-on-release is 'True', and only 'true' means on: it is never pushed",
    "dokku registry:set web push-on-release true",
)
def _switch_with_capital(site: Site) -> Iterator[None]:
    with value(site, "push-on-release", "True"):
        yield


@fault(
    15,
    "fail",
    "properties",
    "push-extra-tags: 'v1.0!' is not a valid tag",
    "dokku registry:set web push-extra-tags latest,stable",
)
def _invalid_tags(site: Site) -> Iterator[None]:
    with value(site, "push-extra-tags", "latest, v1.0!"):
        yield


@fault(
    16,
    "fail",
    "properties",
    "push-policy: 'backgroud' is neither wait nor background",
    "dokku registryd:set web push-policy wait",
)
def _misspelled_policy(site: Site) -> Iterator[None]:
    with value(site, "push-policy", "backgroud", plugin="registryd"):
        yield


@fault(
    17,
    "warn",
    "properties",
    "keep-release is not a property of registryd",
    "dokku registryd:set web keep-releases VALUE",
)
def _misspelled_property(site: Site) -> Iterator[None]:
    with value(site, "keep-release", "5", plugin="registryd"):
        yield


@fault(
    18,
    "warn",
    "repository",
    "dokku/web is also the repository of api",
    "dokku registry:set web image-repo ORG/NAME",
)
def _shared_repository(site: Site) -> Iterator[None]:
    site.make_app("api", image_repo="dokku/web")
    yield
    site.host.destroy_app("api")


@fault(
    19,
    "warn",
    "release",
    "Dokku's last number is 1, the registry's is 9",
    "the next release gets the first free number above 1",
)
def _number_behind(site: Site) -> Iterator[None]:
    with storage(site):
        seeding.push(site.registry, "dokku/web", "9", "of another host")
        yield


@fault(
    20,
    "fail",
    "properties",
    "Unable to convert existing tag version (4x)",
    "the last pushed number, 1: echo 1 | sudo -u dokku tee",
)
def _number_with_letter(site: Site) -> Iterator[None]:
    with value(site, "tag-version", "4x"):
        yield


# -- 21 to 23: images


def _lose_image(site: Site) -> None:
    for name in [name for name in site.names() if "dokku/web:" in name]:
        site.untag(f"{name}?force=true")


@contextlib.contextmanager
def _image_again(site: Site) -> Iterator[None]:
    """Have the image back at the end, by a heal of the service."""
    names = {name for name in site.names() if "dokku/web:" in name}
    yield
    done = site.service.run("heal", "web")
    assert done.returncode == 0, done
    assert names <= site.names().keys()


@fault(
    21,
    "fail",
    "release",
    "is neither on this host nor in the registry",
    "dokku ps:rebuild web",
    health="stopped",
)
def _image_gone_everywhere(site: Site) -> Iterator[None]:
    with _image_again(site), storage(site), stopped(site):
        _lose_image(site)
        digest = site.remote().digest(1)
        assert digest
        site.remote().delete(digest)
        yield


@fault(
    22,
    "fail",
    "release",
    "is not in the registry",
    "Push it with: dokku registryd:push web",
)
def _image_gone_from_the_registry(site: Site) -> Iterator[None]:
    with storage(site):
        digest = site.remote().digest(1)
        assert digest
        site.remote().delete(digest)
        yield


@fault(
    23,
    "warn",
    "image",
    "missing on this host; only the registry has the image",
    "dokku registryd:heal web",
    health="stopped",
)
def _image_gone_from_the_host(site: Site) -> Iterator[None]:
    with _image_again(site), stopped(site):
        _lose_image(site)
        yield


# -- 24 to 29: Engine and service


@fault(
    24,
    "fail",
    "engine",
    "does not answer",
    "systemctl status docker",
    health="the Docker Engine does not answer: see systemctl status docker",
)
def _engine_stopped(site: Site) -> Iterator[None]:
    site.engine.kill()
    site.service.wait_for("engine.lost")
    yield
    site.engine.start()


@fault(
    26,
    "warn",
    "service",
    "stopped: deploys push by themselves",
    "systemctl start dokku-registryd",
    health="systemctl start dokku-registryd",
)
def _service_stopped(site: Site) -> Iterator[None]:
    with stopped(site):
        yield


# -- 30 to 35: the plugin


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


# -- 36 to 40: settings and folders


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
    "sudo chmod a+r",
    health=None,
)
def _settings_of_root(site: Site) -> Iterator[None]:
    with owned(site):
        mode = site.service.config.stat().st_mode
        site.service.config.chmod(0o600)
        yield
        site.service.config.chmod(mode)


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


# -- 41 to 50: data


@fault(41, "warn", "spool", "300 trigger files were rejected", "read the .reason files")
def _many_rejected_files(site: Site) -> Iterator[None]:
    folder = site.host.data_dir / "spool" / "rejected"
    for number in range(300):
        (folder / f"{number:016d}.1.1").touch()
        (folder / f"{number:016d}.1.1.reason").write_text("bad")
    yield
    for path in folder.iterdir():
        path.unlink()


@fault(
    42,
    "warn",
    "service",
    "stopped: deploys push by themselves",
    "systemctl start dokku-registryd",
    health="systemctl start dokku-registryd",
)
def _stale_lock(site: Site) -> Iterator[None]:
    site.service.kill()
    (site.host.data_dir / "lock").write_text("daemon 99999\n")
    yield
    site.service.start()


@fault(
    43,
    "fail",
    "ledger",
    "was written by a newer dokku-registryd",
    "install the newer version again",
    health="stopped",
)
def _newer_ledger(site: Site) -> Iterator[None]:
    with stopped(site), _schema(site, 999):
        yield


@contextlib.contextmanager
def _schema(site: Site, version: int) -> Iterator[None]:
    path = site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as book:
        (known,) = book.execute("PRAGMA user_version").fetchone()
        book.execute(f"PRAGMA user_version = {version}")
        book.commit()
    try:
        yield
    finally:
        with contextlib.closing(sqlite3.connect(path)) as book:
            book.execute(f"PRAGMA user_version = {known}")
            book.commit()


@fault(44, "fail", "ledger", "is damaged", "ledger.sqlite3", health="stopped")
def _damaged_ledger(site: Site) -> Iterator[None]:
    with stopped(site):
        folder = site.host.data_dir
        for path in folder.glob("ledger.sqlite3-*"):
            path.unlink()
        with changed(folder / "ledger.sqlite3", "nonsense" * 4096):
            yield


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
    49, "fail", "registry", "cannot log in", "Log in again with dokku registry:login"
)
def _push_that_waits_for_a_login(site: Site) -> Iterator[None]:
    with (
        value(site, "push-policy", "background", plugin="registryd"),
        login(site, site.basic_login("an-old-password")),
    ):
        yield


@fault(
    50,
    "warn",
    "service",
    "runs 0.0.1, but",
    "sudo dokku-registryd install",
)
def _older_service(site: Site) -> Iterator[None]:
    lock = site.host.data_dir / "lock"
    told = lock.read_text()
    lock.write_text(
        "".join(
            "version 0.0.1\n" if line.startswith("version ") else line
            for line in told.splitlines(keepends=True)
        )
    )
    yield
    lock.write_text(told)


# -- 51 and above: further ones


@fault(
    51,
    "warn",
    "settings",
    "etc/default/dokku-registryd is closed to the user that Dokku runs as, so hooks",
    "sudo chmod a+r",
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
    56,
    "warn",
    "properties",
    "keep-releases has no effect among the properties of registry",
    "dokku registryd:set web keep-releases VALUE",
)
def _property_of_the_other_plugin(site: Site) -> Iterator[None]:
    with value(site, "keep-releases", "5"):
        yield


@fault(
    57,
    "warn",
    "push",
    r"push-on-release is 'true\n', and only 'true' means on: apps without",
    "dokku registry:set --global push-on-release true",
)
def _global_switch_with_line_break(site: Site) -> Iterator[None]:
    with value(site, "push-on-release", "true\n", app=GLOBAL):
        yield


@fault(
    58,
    "fail",
    "properties",
    "push-extra-tags: 'no tag' is not a valid tag",
    "dokku registry:set --global push-extra-tags latest,stable",
)
def _invalid_tags_for_all(site: Site) -> Iterator[None]:
    with value(site, "push-extra-tags", "no tag", app=GLOBAL):
        yield


@fault(
    59,
    "fail",
    "properties",
    "value out of range",
    "the last pushed number, 1: echo 1 | sudo -u dokku tee",
)
def _number_out_of_range(site: Site) -> Iterator[None]:
    with value(site, "tag-version", "9" * 30):
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
    63,
    "fail",
    "release",
    "was pushed",
    "Find out who else pushes",
)
def _number_moved_by_others(site: Site) -> Iterator[None]:
    with storage(site):
        seeding.push(site.registry, "dokku/web", "1", "of another host")
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


@contextlib.contextmanager
def frozen(site: Site) -> Iterator[None]:
    """Let the service hang."""
    site.service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.service.signal(signal.SIGCONT)
