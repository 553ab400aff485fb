"""A package that is installed in an environment of its own, and can be upgraded.

What it needs comes from the environment of the tests; nothing is downloaded. So a test
can have one version run while another one is installed.
"""

import shutil
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import Final

import dokku_registryd

_PACKAGE: Final = Path(dokku_registryd.__file__).parent
_ROOT: Final = _PACKAGE.parents[1]
_EXECUTABLE: Final = 0o755
_PROGRAM: Final = """\
#!{python}
import sys
from dokku_registryd.cli import main
sys.exit(main())
"""


def _shared() -> dict[str, str]:
    """Return what a wheel has beside the modules, and where."""
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    return dict(wheel["force-include"])


class InstalledCopy:
    """The package of this checkout, below a folder such as /opt/dokku-registryd."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        """The folder that modules are imported from."""
        needed = f"{sysconfig.get_path('purelib')}\n"
        (self.packages / "needed.pth").write_text(needed)
        self._package = self.packages / "dokku_registryd"
        self.put_back()
        self.python = folder / "bin" / "python"
        self.program = folder / "bin" / "dokku-registryd"
        self.program.write_text(_PROGRAM.format(python=self.python))
        self.program.chmod(_EXECUTABLE)

    def put_back(self) -> None:
        """Install what is in this checkout, in place of what was installed before.

        It is compiled as far as this checkout is, as what pip installs.
        """
        shutil.rmtree(self._package, ignore_errors=True)
        shutil.copytree(_PACKAGE, self._package)
        for source, target in _shared().items():
            place = self.packages / target
            place.parent.mkdir(exist_ok=True)
            is_folder = (_ROOT / source).is_dir()
            (shutil.copytree if is_folder else shutil.copy)(_ROOT / source, place)

    def upgrade(self, version: str) -> None:
        """Install a version that differs in nothing else."""
        self.edit("__init__.py", f'"{dokku_registryd.__version__}"', f'"{version}"')

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one module, as an upgrade does."""
        path = self._package / name
        text = path.read_text()
        assert old in text, f"{name} has no {old}"
        path.unlink()
        path.write_text(text.replace(old, new))
        # As pip does; a second is all that would tell the compiled one from ours.
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)

    def add_schema(self) -> None:
        """Let the ledger have one more version of its schema."""
        path = self._package / "adapters" / "ledger" / "schema.py"
        text = path.read_text()
        head, _, tail = text.rpartition('",\n)\n')
        assert head, "the migrations end otherwise than they did"
        column = "ALTER TABLE jobs ADD COLUMN origin TEXT NOT NULL DEFAULT ''"
        path.unlink()
        path.write_text(f'{head}",\n    "{column}",\n)\n{tail}')
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
