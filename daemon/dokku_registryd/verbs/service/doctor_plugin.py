"""The check of `doctor` for the plugin: does a deploy reach this program?

It asks as the user that Dokku's hooks run as: the links and files of the plugin, the
program that hooks call, and the unit of the service.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from dokku_registryd import __version__, config, errors
from dokku_registryd.adapters.host import plugin_files, programs, shipped_files
from dokku_registryd.core.install import paths, plugin_facts
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.verbs.service import check

_CHECK = "plugin"
_NAME = "dokku-registryd"
_PROGRAM_SECONDS = 15.0
_INSTALL = "sudo dokku-registryd install"


def examine(settings: config.Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings about the plugin; one that is `ok` if nothing is wrong."""
    environ = check.service_environ(environ)
    lib_root = Path(settings.paths.dokku_lib_root)
    try:
        facts = plugin_files.PluginFiles(
            lib_root, settings.data_dir, lambda: environ
        ).look()
    except OSError as error:
        yield findings.fail(
            _CHECK,
            f"cannot read the files of this package ({error.filename}:"
            f" {error.strerror}). Install it in a folder that all users can read, such"
            " as /opt/dokku-registryd",
        )
        return
    found = [
        Finding(level=fault.level, check=_CHECK, text=fault.text)
        for fault in plugin_facts.faults(facts)
    ]
    found += _about_program(environ)
    found += _about_unit(settings, environ)
    yield from found
    if not found:
        yield findings.ok(
            _CHECK,
            f"enabled as {facts.mode}; hooks and program are those of {__version__}",
        )


def _about_program(environ: Mapping[str, str]) -> Iterator[Finding]:
    name, path = plugin_files.find_program(environ)
    if path is None:
        return  # which is a fault of the plugin already
    where = environ.get(check.DEFAULTS_VARIABLE, check.DEFAULTS_FILE)
    hint = "Install it again"
    if name != _NAME:
        hint = f"Correct {plugin_facts.PROGRAM_VARIABLE} in {where}"
    try:
        said = programs.run([path, "--version"], environ, seconds=_PROGRAM_SECONDS)
    except errors.RegistrydError as error:
        yield findings.fail(
            _CHECK,
            f"the program that hooks call does not start ({error}), so deploys of apps"
            " that push fail. Make its virtual environment again, then call:"
            f" {_INSTALL}",
        )
        return
    if said.strip() != f"{_NAME} {__version__}":
        yield findings.warn(
            _CHECK,
            f"hooks call {path}, which is another program or version than this one,"
            f" {__version__}. {hint}",
        )


def _about_unit(
    settings: config.Settings, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield findings about an installed unit; `service` reports a missing one."""
    where = _places(settings, environ)
    text = _read(where.unit)
    if not text:
        return
    # A drop-in may allow a moved data folder, so both texts are right.
    usual = dataclasses.replace(where, data_dir=f"{where.lib_root}/data/registryd")
    if text not in {place.localize(shipped_files.unit()) for place in (where, usual)}:
        yield findings.warn(
            _CHECK,
            f"{where.unit} is not the unit of {__version__} for these paths. Replace it"
            f" with: {_INSTALL}. Your own changes belong to: systemctl edit {_NAME}",
        )


def _places(settings: config.Settings, environ: Mapping[str, str]) -> paths.Paths:
    # `install --root FOLDER` has this file below the same folder as the unit.
    file = environ.get(check.DEFAULTS_VARIABLE, check.DEFAULTS_FILE)
    is_usual = file.endswith(check.DEFAULTS_FILE)
    return paths.Paths(
        root=file.removesuffix(check.DEFAULTS_FILE) if is_usual else "",
        dokku_root=settings.paths.dokku_root,
        lib_root=settings.paths.dokku_lib_root,
        data_dir=str(settings.data_dir),
    )


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
