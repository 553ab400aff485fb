"""`check`: the settings in effect, and warnings about this host.

Mistakes in the settings raise `ConfigurationError` and end with status 78. All other
findings are warnings: the service starts, but probably not as intended.
"""

import argparse
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from dokku_registryd import PROGRAM, config, errors
from dokku_registryd.adapters.dokku import property_survey
from dokku_registryd.adapters.engine import engine_socket, push_way
from dokku_registryd.adapters.host import programs, variables_file
from dokku_registryd.adapters.registry import certificate_folders
from dokku_registryd.adapters.spool import peek
from dokku_registryd.adapters.status import peers
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.install import (
    environment_files,
    running_settings,
    unit_access,
)
from dokku_registryd.core.install import paths as install_paths
from dokku_registryd.core.registry import hosts
from dokku_registryd.verbs import output, service_variables
from dokku_registryd.verbs.service import closed_files
from dokku_registryd.wiring import notifications

DEFAULTS_FILE = service_variables.FILE
DEFAULTS_VARIABLE = service_variables.VARIABLE


def perform(arguments: argparse.Namespace, out: output.Output) -> int:
    """Print settings, paths and warnings."""
    environ: Mapping[str, str] = arguments.environ
    settings = config.load(
        file=arguments.config, overrides=arguments.overrides, environ=environ
    )
    file, _ = config.config_file(arguments.config, environ)
    places = _places(settings, file)
    warnings = [
        *_about_closed(file, settings, environ),
        *list_warnings(settings, environ, arguments.root),
        *_about_counterparts(settings),
        *about_notifications(settings, environ, file),
    ]
    if arguments.format == "json":
        out.json(
            {
                "settings": dict(config.describe(settings)),
                "places": places,
                "warnings": warnings,
            }
        )
        return 0
    for key, value in [*config.describe(settings), *places.items()]:
        out.line(f"{key} = {_render(value)}")
    for warning in warnings:
        out.error(f"warning: {warning}")
    out.line(_verdict(len(warnings)))
    return 0


def _verdict(warnings: int) -> str:
    if not warnings:
        return "The settings are valid."
    return f"The settings are valid; {warnings} warning{'s' * (warnings > 1)}."


def list_warnings(
    settings: config.Settings, environ: Mapping[str, str], root: str = ""
) -> list[str]:
    """Return warnings about variables and paths, each with a hint.

    Without those about what `doctor` looks at itself.
    """
    return [
        *_about_variables(settings, environ),
        *_about_running(settings, environ),
        *_about_unit(settings, environ, root),
        *_about_places(settings),
        *_about_owners(settings),
        *_about_properties(settings),
        *about_certificates(settings),
        *_about_group(settings.status.group),
    ]


def about_notifications(
    settings: config.Settings, environ: Mapping[str, str], file: str
) -> Iterator[str]:
    """Yield what keeps messages from the operator; nothing is sent."""
    table = settings.notify
    if table.urls or table.heartbeat_url:
        with contextlib.suppress(OSError):
            if Path(file).stat().st_mode & stat.S_IROTH:
                yield (
                    f"{file} contains secrets ([notify]), and every user can read it:"
                    f" chown root:dokku {file} && chmod 640 {file}"
                )
    for channel in notifications.build_channels(settings, service_environ(environ)):
        reason = channel.check()
        if reason:
            yield f"{channel.name}: {reason}."


def _places(settings: config.Settings, file: str) -> dict[str, str | None]:
    return {
        "settings_file": file if Path(file).exists() else None,
        "data_dir": str(settings.data_dir),
        "ledger_file": str(settings.ledger_file),
        "spool_dir": str(settings.spool_dir),
        "config_root": str(settings.config_root),
        "docker_config_dir": str(settings.docker_config_dir),
    }


def _render(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)


def _about_variables(
    settings: config.Settings, environ: Mapping[str, str]
) -> Iterator[str]:
    file = environ.get(DEFAULTS_VARIABLE, DEFAULTS_FILE)
    yield from _about_lines(file)
    defaults = read_defaults(Path(file))
    for name in config.unknown_variables({**defaults, **environ}):
        yield f"{name} is not a setting and has no effect."
    for name in map(config.variable, config.fields()):
        if name in defaults and environ.get(name) != defaults[name]:
            yield (
                f"{name} in {file} is for the service; this command has another value."
            )
    name = config.variable("paths.data_dir")
    seen = defaults.get(name) or f"{settings.paths.dokku_lib_root}/data/registryd"
    if Path(seen) != settings.data_dir:
        yield (
            f"Hooks write trigger files to {seen}, but the data folder is "
            f"{settings.data_dir}. Set {name} in {file}."
        )


def _about_running(
    settings: config.Settings, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield the settings that the running service does not use yet."""
    running = running_settings.parse(peek.teller(str(settings.data_dir)))
    # `_about_variables` names those that only this command lacks.
    elsewhere = {
        key
        for key in config.NEEDS_RESTART
        if service_environ(environ).get(config.variable(key))
        != environ.get(config.variable(key))
    }
    written = {
        key: value for key, value in config.describe(settings) if key not in elsewhere
    }
    for text in running_settings.differences(running, written):
        yield f"{text}."


def _about_unit(
    settings: config.Settings, environ: Mapping[str, str], root: str
) -> Iterator[str]:
    """Warn if the data folder was moved, but not in the unit."""
    if not Path(install_paths.Paths(root=root).systemd_sign).is_dir():
        return
    wanted = [f"--property={name}" for name in unit_access.PROPERTIES]
    try:
        shown = programs.run(("systemctl", "show", *wanted, PROGRAM), environ)
    except errors.RegistrydError:
        return  # without an answer there is nothing to warn about
    folder = settings.data_dir
    if unit_access.forbids(shown, str(folder)):
        yield (
            f"The unit {PROGRAM} makes {folder} read-only for the service: add"
            f" ReadWritePaths={folder} below [Service] with systemctl edit {PROGRAM},"
            f" then systemctl restart {PROGRAM}."
        )


def service_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the service, as far as this process can tell."""
    file = environ.get(DEFAULTS_VARIABLE, DEFAULTS_FILE)
    return {**read_defaults(Path(file)), **environ}


def read_defaults(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines as systemd and the hooks do."""
    return variables_file.read(path).values


def _about_lines(file: str) -> Iterator[str]:
    found = variables_file.read(Path(file))
    for number in found.idle:
        yield f"{file}: line {number} is not NAME=value and has no effect."
    for name in found.unexpanded:
        yield f"{file}: the value of {name} is used literally, without expansion."
    for name in found.values:
        if not environment_files.is_for_hooks(name):
            yield f"{file}: {name} applies to the service, but not to hooks."


def _about_places(settings: config.Settings) -> Iterator[str]:
    for key, folder in (
        ("paths.dokku_root", Path(settings.paths.dokku_root)),
        ("paths.dokku_lib_root", Path(settings.paths.dokku_lib_root)),
    ):
        if not folder.is_dir():
            yield f"{key}: {folder} is not a folder. Is Dokku installed there?"
    socket = settings.engine.socket
    if socket.startswith("tcp://"):
        yield _about_clear_text(socket)
    if socket.startswith("tcp://") and settings.engine.push_path != "engine":
        yield (
            "engine.socket: an Engine at tcp:// cannot reach the relay of the service,"
            " so it pushes directly. If that is intended, set engine.push_path to"
            " engine."
        )


def _about_counterparts(settings: config.Settings) -> Iterator[str]:
    """Yield warnings about the Engine and about pushes, which `doctor` looks at."""
    socket = settings.engine.socket
    path = Path(socket.removeprefix("unix://"))
    if refusal := engine_socket.complaint(socket):
        if not _is_owner(settings):  # who needs no access, which is root access
            refusal = f"{path} is closed to you. Run this as root or user dokku"
        yield f"engine.socket: {refusal}."
    elif socket.startswith("unix://") and not path.is_socket():
        yield f"engine.socket: {path} is not a socket. Is Docker running?"
    reason = push_way.read(str(settings.data_dir))
    is_chosen = settings.engine.push_path == "engine" or socket.startswith("tcp://")
    if reason and not is_chosen:
        yield f"engine.push_path: {push_ways.describe(reason)}."


def _about_owners(settings: config.Settings) -> Iterator[str]:
    yield from _about_owner(settings.data_dir, settings)
    yield from _about_owner(settings.docker_config_dir / "config.json", settings)


def _is_owner(settings: config.Settings) -> bool:
    """Return whether this process runs as the user of the service."""
    with contextlib.suppress(OSError):
        return Path(settings.paths.dokku_root).stat().st_uid == os.geteuid()
    return True


def _about_closed(
    file: str, settings: config.Settings, environ: Mapping[str, str]
) -> list[str]:
    defaults = environ.get(DEFAULTS_VARIABLE, DEFAULTS_FILE)
    files = closed_files.Files.look(file, defaults)
    root = Path(settings.paths.dokku_root)
    found = (files.about_settings(root), files.about_defaults(root))
    return [text for text in found if text]


def _about_group(name: str) -> Iterator[str]:
    if name and peers.find_group(name) is None:
        yield (
            f"status.group: this host has no group {name}, so only root and the user of"
            f" the service may use the status socket. Create it with: sudo groupadd"
            f" {name}; then: sudo systemctl restart dokku-registryd"
        )


def _about_clear_text(socket: str) -> str:
    host = hosts.bare_host(socket.removeprefix("tcp://"))
    is_loopback = hosts.is_address(host) and hosts.kinds_of([host]) == {
        hosts.Kind.LOOPBACK
    }
    if host == "localhost" or is_loopback:
        return (
            f"engine.socket: every user of this host can connect to {socket}, which"
            " gives root access. Use unix:// instead."
        )
    return (
        f"engine.socket: {socket} is not encrypted. Logins cross the network in clear"
        " text, and any client that reaches the port has root access. Use unix://, or"
        " a tunnel (ssh -L) to a Unix socket on this host."
    )


def _about_properties(settings: config.Settings) -> Iterator[str]:
    """Yield warnings about unreadable files that a release or a hook needs."""
    reader = None
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            status = Path(settings.paths.dokku_root).stat()
            reader = property_survey.Reader(uid=status.st_uid, gid=status.st_gid)
    found = property_survey.unreadable(
        settings.config_root, settings.deployed_dir, reader
    )
    yield from (text if text.endswith("?") else f"{text}." for text in found)


def about_certificates(settings: config.Settings) -> Iterator[str]:
    """Yield warnings about registry certificates that the service cannot use."""
    reader = None
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            owner = Path(settings.paths.dokku_root).stat()
            socket = Path(settings.engine.socket.removeprefix("unix://"))
            group = socket.stat().st_gid if socket.exists() else None
            # The unit adds the service to the group of the Engine's socket.
            reader = certificate_folders.visitor(owner, further_group=group)
    folder = Path(settings.paths.certs_dir)
    for text in certificate_folders.survey(folder, reader):
        yield f"paths.certs_dir: {text}."


def _about_owner(path: Path, settings: config.Settings) -> Iterator[str]:
    """Warn if a private path and Dokku's root have different owners."""
    try:
        status = path.stat()
        owner = Path(settings.paths.dokku_root).stat().st_uid
    except FileNotFoundError:
        return  # The service creates the folders; a login creates the auth config.
    except PermissionError:
        yield f"{path} cannot be read. Run this as user dokku."
        return
    if status.st_uid != owner:
        yield (
            f"{path} belongs to user {status.st_uid}, but {settings.paths.dokku_root} "
            f"belongs to {owner}. Correct it with chown."
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        yield f"{path} is accessible to other users. Correct it with chmod go=."
