"""Computed values of Dokku's own properties, shared by reports and releases.

The rules, odd ones included, are those of Dokku 0.38.27 (`plugins/registry`,
functions.go and report.go). `properties` has the other rules of a release. Users and
scripts wait for reports, so this module imports almost nothing.
"""

import importlib
from collections.abc import Callable

GLOBAL = "--global"
CORE = "registry"
"""Folder of the properties that we share with Dokku's own plugin."""
OURS = "registryd"
"""Folder of our own properties."""

Reader = Callable[[str, str, str], str]
"""Returns a property's raw text: (plugin folder, app or `--global`, name)."""

_DOCKER_HUB = frozenset({"docker.io", "hub.docker.com"})


def server(text: str) -> str:
    """Return a server property as Dokku prepends it to a repository."""
    host = text.strip().removesuffix("/")
    return "" if host in _DOCKER_HUB or not host else f"{host}/"


def without_login(text: str) -> str:
    """Return an address or a repository with `USER:PASSWORD` replaced by stars.

    The login ends at the last `@`, regardless of the password. The part behind the `@`
    of a digest is shown: `web@sha256:...`.
    """
    _, mark, rest = text.rpartition("@")
    return f"***@{rest}" if mark and not rest.startswith("sha256:") else text


def image_repo(app: str, read: Reader) -> str:
    """Return the app's image repository.

    Raises:
        TemplateError: The template is invalid.
    """
    explicit = read(CORE, app, "image-repo").strip()
    if explicit:
        return explicit
    template = read(CORE, app, "image-repo-template").strip()
    template = template or read(CORE, GLOBAL, "image-repo-template").strip()
    return (_render(template, app) if template else "") or f"dokku/{app}"


def _render(template: str, app: str) -> str:
    # Most apps have no template.
    gotemplate = importlib.import_module("dokku_registryd.core.gotemplate")
    return str(gotemplate.render(template, app)).strip()
