"""What Dokku's own properties come to, as far as a report and a release both tell it.

The rules, odd ones included, are those of Dokku 0.38.27 (`plugins/registry`,
functions.go and report.go). What a release needs besides is in `policy`. People
and scripts wait for reports, so this imports next to nothing.
"""

import importlib
from collections.abc import Callable

GLOBAL = "--global"
CORE = "registry"
"""Folder of the properties that we share with Dokku's own plugin."""
OURS = "registryd"
"""Folder of the properties that are ours alone."""

Reader = Callable[[str, str, str], str]
"""Gives a property's raw text: (plugin folder, app or `--global`, name)."""

_DOCKER_HUB = frozenset({"docker.io", "hub.docker.com"})


def server(text: str) -> str:
    """Return a server property as Dokku puts it before a repository."""
    host = text.strip().removesuffix("/")
    return "" if host in _DOCKER_HUB or not host else f"{host}/"


def without_login(text: str) -> str:
    """Return an address or a repository with stars in place of `USER:PASSWORD`.

    It ends at the last `@`, whatever the password holds. What follows the `@` of a
    digest is shown: `web@sha256:...`.
    """
    _, mark, rest = text.rpartition("@")
    return f"***@{rest}" if mark and not rest.startswith("sha256:") else text


def image_repo(app: str, read: Reader) -> str:
    """Return the app's image repository.

    Raises:
        TemplateError: The template that applies is wrong.
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
