"""How a fault of a host is planted, and what must be said of it.

Each is a function that spoils a site, yields, and repairs it. Its row says what
`doctor` must say: level, check, a part of the text that names the fault, and the way
out. `health` names those that keep the service from its work.
"""

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from support.site import Site

NOBODY: Final = 65534
STRANGER: Final = 54_321
Plant = Callable[[Site], Iterator[None]]


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
) -> Callable[[Plant], Row]:
    """Make a row of a function that plants a fault."""
    return lambda plant: Row(
        number=number,
        name=plant.__name__.strip("_"),
        plant=contextlib.contextmanager(plant),
        level=level,
        check=check,
        text=text,
        cure=cure,
        health=health,
    )


def rows(*modules: ModuleType) -> list[Row]:
    """Return the rows of some modules, by their numbers."""
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Row)
    ]
    return sorted(found, key=lambda row: row.number)


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


@contextlib.contextmanager
def frozen(site: Site) -> Iterator[None]:
    """Let the service hang."""
    site.service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.service.signal(signal.SIGCONT)
