"""Who may install, where things go, and what is said when a step fails."""

import os
import shutil
from pathlib import Path

import pytest

from dokku_registryd import cli, errors
from dokku_registryd.core.install import paths
from dokku_registryd.core.install.host_state import Facts, Mode
from dokku_registryd.core.install.plans import Kind, Step
from dokku_registryd.verbs.host import installing, modes
from dokku_registryd.verbs.output import Output
from support import open_way


def places_of(*options: str, **environ: str) -> paths.Paths:
    """Return where `install` with these options would put things."""
    arguments = cli.parse(["install", *options])
    arguments.environ = environ
    return installing.Host(arguments).where


def test_root_is_needed() -> None:
    """Each user but root is refused in Dokku's words."""
    with pytest.raises(errors.RegistrydError, match="command must be run as root"):
        installing.require_root(1000, "")


@pytest.mark.parametrize(("euid", "root"), [(0, ""), (1000, "/tmp/host"), (0, "/r")])
def test_root_is_not_needed_in_a_folder(euid: int, root: str) -> None:
    """Root may install, and each user in a folder of their own."""
    installing.require_root(euid, root)


def test_moved_root(tmp_path: Path) -> None:
    """A folder that stands for `/` has everything below it."""
    found = places_of("--root", f"{tmp_path}/")

    assert found.dokku_root == f"{tmp_path}/home/dokku"
    assert found.data_dir == f"{tmp_path}/var/lib/dokku/data/registryd"
    assert found.plugins == f"{tmp_path}/var/lib/dokku/plugins"
    assert found.settings == f"{tmp_path}/etc/dokku-registryd/config.toml"
    assert found.unit == f"{tmp_path}/etc/systemd/system/dokku-registryd.service"


def test_dokkus_variables(tmp_path: Path) -> None:
    """What Dokku says of its folders counts where the settings say nothing."""
    found = places_of(
        f"--root={tmp_path}",
        "--set=paths.dokku_root=/srv/apps",
        DOKKU_ROOT="/home/other",
        DOKKU_LIB_ROOT="/srv/lib",
        PLUGIN_CORE_PATH="/srv/core",
    )

    assert (found.dokku_root, found.lib_root) == ("/srv/apps", "/srv/lib")
    assert found.data_dir == "/srv/lib/data/registryd"
    assert (found.plugins, found.core_plugins) == ("/srv/lib/plugins", "/srv/core")


def test_settings_file_of_the_folder(tmp_path: Path) -> None:
    """The settings file that lies in the folder is read, as the service does."""
    settings = tmp_path / "etc" / "dokku-registryd" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[paths]\ndata_dir = '/srv/data'\n")

    assert places_of(f"--root={tmp_path}").data_dir == "/srv/data"


def test_variables_of_unit_and_hooks(tmp_path: Path) -> None:
    """Where unit and hooks are told to look is where things are put."""
    defaults = tmp_path / "etc" / "default" / "dokku-registryd"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("DOKKU_REGISTRYD_PATHS__DATA_DIR='/srv/our data'\n")

    assert places_of(f"--root={tmp_path}").data_dir == "/srv/our data"


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 1), (0o711, 0)])
def test_certificates_of_the_engine(mode: int, expected: int) -> None:
    """The operator is told of a folder that the service cannot read."""
    with open_way.folder() as root:
        etc = root / "etc" / "docker"
        etc.mkdir(parents=True)
        etc.chmod(mode)
        home = root / "home" / "dokku"
        home.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(home, 65534, 65534)
        arguments = cli.parse(["install", f"--root={root}"])
        arguments.environ = {}

        told = installing.Host(arguments).closed()

    assert len(told) == expected
    assert all(f"sudo chmod 0711 {etc}" in text for text in told)


STEPS = [
    Step(kind=Kind.MAKE_FOLDERS, text="Done already", is_done=True),
    Step(kind=Kind.ENABLE_PLUGIN, text="Enable it", hint="See what it says"),
    Step(kind=Kind.ADOPT, text="Adopt"),
]


def carry_out(*failures: Exception) -> tuple[list[str], list[Kind]]:
    """Run three steps, of which the second may fail; return what was said and done."""
    said: list[str] = []
    done: list[Kind] = []

    def perform(kind: Kind) -> None:
        if kind is Kind.ENABLE_PLUGIN and failures:
            raise failures[0]
        done.append(kind)

    out = Output(line=said.append, error=said.append)
    try:
        installing.carry_out(STEPS, perform, out, ways="To go on: again")
    except installing.InstallationError as error:
        said.append(str(error))
    return said, done


def test_steps_are_said_and_done() -> None:
    """Each step is said; what is done already is not done again."""
    said, done = carry_out()

    assert said == ["       Done already", "       Enable it", "       Adopt"]
    assert done == [Kind.ENABLE_PLUGIN, Kind.ADOPT]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (errors.RegistrydError("plugn enable: no"), "plugn enable: no"),
        (OSError(28, "No space left on device", "/x"), "/x: No space left on device"),
    ],
    ids=["program", "disk"],
)
def test_failure_ends_it(failure: Exception, reason: str) -> None:
    """After a failure nothing follows but the reason, the cure, and the way on."""
    said, done = carry_out(failure)

    (complaint,) = said[2:]
    assert complaint == (
        f"this step failed: Enable it ({reason}). See what it says. The remaining"
        " steps were skipped. To go on: again"
    )
    assert done == []


@pytest.mark.parametrize(
    ("options", "repeated"),
    [
        ([], "dokku-registryd install"),
        (["--root", "/a b"], "dokku-registryd install --root '/a b'"),
        (["--config", "/c"], "dokku-registryd install --config /c"),
    ],
)
def test_how_a_call_is_repeated(options: list[str], repeated: str) -> None:
    """The command that goes on has the options that say where."""
    arguments = cli.parse(["install", *options])

    assert installing.command(arguments, "install") == repeated


@pytest.fixture
def pushing(tmp_path: Path) -> Path:
    """Give a folder that stands for `/`, on whose host the app `web` pushes."""
    (tmp_path / "home/dokku/web").mkdir(parents=True)
    (tmp_path / "etc/default").mkdir(parents=True)
    registry = tmp_path / "var/lib/dokku/config/registry/web"
    registry.mkdir(parents=True)
    (registry / "push-on-release").write_text("true")
    return tmp_path


def chosen(root: Path, facts: Facts, **environ: str) -> Mode:
    """Return the mode that the plugin's own hook installs."""
    arguments = cli.parse(["install", "--from-plugin", f"--root={root}"])
    arguments.environ = environ
    mode, _ = modes.choose(installing.Host(arguments), facts)
    return mode


def test_mode_of_a_host_that_pushes(pushing: Path) -> None:
    """Where Dokku's own plugin pushes it stays in charge, if nothing else is said."""
    assert chosen(pushing, Facts()) is Mode.COMPANION
    assert chosen(pushing, Facts(is_core_enabled=False)) is Mode.TAKEOVER
    asked = {"DOKKU_REGISTRYD_MODE": "takeover"}
    assert chosen(pushing, Facts(noted_mode="companion"), **asked) is Mode.TAKEOVER


def test_mode_in_the_file_of_variables(pushing: Path) -> None:
    """The file counts at a first installation, and a recorded mode afterwards."""
    file = pushing / "etc/default/dokku-registryd"
    file.write_text("DOKKU_REGISTRYD_MODE=takeover\n")

    assert chosen(pushing, Facts()) is Mode.TAKEOVER
    assert chosen(pushing, Facts(noted_mode="companion")) is Mode.COMPANION


def test_whether_an_app_pushes(pushing: Path) -> None:
    """Apps that cannot be listed may push: no installation says that none does."""
    host = installing.Host(cli.parse(["install", f"--root={pushing}"]))
    apps = Path(host.where.dokku_root)

    assert modes.is_pushing(host) is True
    shutil.rmtree(host.where.config_root)
    assert modes.is_pushing(host) is False
    shutil.rmtree(apps)
    assert modes.is_pushing(host) is None
    apps.mkdir()
    assert modes.is_pushing(host) is None


def test_invalid_mode(pushing: Path) -> None:
    """A variable with another value stops the installation."""
    with pytest.raises(
        installing.InstallationError,
        match="DOKKU_REGISTRYD_MODE is invalid: set it to takeover or companion",
    ):
        chosen(pushing, Facts(), DOKKU_REGISTRYD_MODE="x")


def test_checkout(tmp_path: Path) -> None:
    """A plugin's folder with the service in it is a checkout, with hooks outside."""
    plugin = tmp_path / "var/lib/dokku/plugins/available/registryd"
    assert not places_of(f"--root={tmp_path}").is_checkout
    package = plugin / "daemon" / "dokku_registryd"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()

    found = places_of(f"--root={tmp_path}")

    assert found.is_checkout
    assert found.hooks == f"{tmp_path}/opt/dokku-registryd/hooks"
