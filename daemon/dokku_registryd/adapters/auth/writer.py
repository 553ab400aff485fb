"""Stores logins for Docker, and removes them.

What `docker login` and `docker logout` do to a file and its credential helpers, with
what they lack: two writers never undo each other's work, a file is whole whenever the
machine stops, and a login that another file still uses stays in its helper.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.auth import folders, helpers
from dokku_registryd.adapters.auth.resolver import AuthConfigs
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.auth import config_edits, config_file
from dokku_registryd.core.auth.config_file import HeldLogin
from dokku_registryd.core.auth.logins import AuthConfig


class AuthWriter:
    """Changes the auth configs that `AuthConfigs` reads.

    Args:
        credentials: Knows the folders, the helpers, and who uses what.
    """

    def __init__(self, credentials: AuthConfigs) -> None:
        self._credentials = credentials

    def check(self, app: str) -> None:
        """Return if a login could be stored for an app; the empty name is global.

        Raises:
            PermanentError: What is there must not be overwritten.
        """
        folder = self._credentials.folder(app)
        with _explained("store the login", folder):
            if folder.is_dir():
                with folders.opened(folder) as opened:
                    _load(opened)

    def log_in(self, app: str, auth: AuthConfig) -> None:
        """Store a user name and password for one registry.

        Raises:
            PermanentError: It cannot be stored; what was there is untouched.
            TransientError: Another process keeps the folder locked.
        """
        folder = self._credentials.folder(app)
        with _explained("store the login", folder):
            atomic.make_folder(folder)
            with folders.opened(folder) as opened:
                opened.lock()
                document = _load(opened)
                held = config_file.parse_document(document).keeper(auth.domain)
                if held is None:
                    changed = config_edits.with_login(document, auth)
                else:
                    self._credentials.helpers.store(held.helper, held.server, auth)
                    changed = config_edits.with_held_login(document, auth.domain)
                opened.replace(config_edits.render(changed))
                if app:
                    opened.close_to_others()

    def log_out(self, app: str, domain: str) -> list[HeldLogin]:
        """Remove the login for one registry; a missing one is fine.

        Returns:
            The logins that stay in their helpers, because another file uses them.

        Raises:
            PermanentError: It cannot be removed.
            TransientError: Another process keeps the folder locked.
        """
        folder = self._credentials.folder(app)
        with _explained("remove the login", folder):
            if not folder.is_dir():
                return []
            with folders.opened(folder) as opened:
                opened.lock()
                document = _load(opened)
                held = config_file.parse_document(document).held_logins(domain)
                # Helpers first: if they fail, the file still lists the logins to erase.
                kept = self._credentials.erase(folder, held).kept
                changed = config_edits.without_login(document, domain)
                if document and changed != document:
                    opened.replace(config_edits.render(changed))
            return kept


def _load(opened: folders.AuthFolder) -> config_edits.Document:
    try:
        content = opened.read()
    except FileNotFoundError:
        return {}
    return config_file.load(content)


@contextlib.contextmanager
def _explained(action: str, folder: Path) -> Iterator[None]:
    """Add the file to an error, never its content."""
    path = folder / folders.FILE_NAME
    try:
        yield
    except config_file.MalformedAuthError as error:
        raise errors.PermanentError(
            f"cannot {action} in {path}: {error}. Repair that file, or move it out of"
            " the way"
        ) from None
    except helpers.HelperError as error:
        raise errors.PermanentError(
            f"cannot {action} that {path} leaves to a credential helper: {error}"
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "the system refuses"
        raise errors.PermanentError(
            f"cannot {action} in {path}: {reason}. The folder must belong to the user"
            " dokku, hold no link, and have space left"
        ) from error
