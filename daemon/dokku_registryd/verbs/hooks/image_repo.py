"""`image-repo`: answers the one question of Dokku that needs a Go template."""

import argparse
import sys
from pathlib import Path

from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.core import gotemplate
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.text import terminal_text
from dokku_registryd.verbs.output import Output


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the computed image repository of an app, with core's error messages."""
    environ = arguments.environ
    lib_root = Path(environ.get("DOKKU_LIB_ROOT") or "/var/lib/dokku")
    files = property_files.PropertyFiles(
        config_root=lib_root / "config",
        dokku_root=Path(environ.get("DOKKU_ROOT") or "/home/dokku"),
        deployed_root=lib_root,
    )
    try:
        out.line(policy.image_repo(arguments.app, files.get))
    except gotemplate.TemplateError as error:
        sys.stderr.write(
            " !     Unable to determine image repo from template:"
            " Unable to parse image-repo-template:"
            f" {terminal_text.printable(str(error))}\n"
        )
        return 1
    return 0
