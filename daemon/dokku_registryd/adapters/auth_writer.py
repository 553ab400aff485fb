"""Stores logins where Docker finds them, and takes them away again.

What `docker login` and `docker logout` do to a file and its credential helpers, with
what they lack: two writers never undo each other's work, a file is whole whenever the
machine stops, and a login that another file still uses stays in its helper.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters import (
    auth_folders,
    credential_helpers,
    files,
)
from dokku_registryd.adapters.auth import AuthConfigs
from dokku_registryd.core import auth_edits, auth_files
from dokku_registryd.core.auth_files import HeldLogin
from dokku_registryd.core.logins import AuthConfig


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
                with auth_folders.opened(folder) as opened:
                    _load(opened)

    def log_in(self, app: str, auth: AuthConfig) -> None:
        """Store a user name and password for one registry.

        Raises:
            PermanentError: It cannot be stored; what was there is untouched.
        """
        folder = self._credentials.folder(app)
        with _explained("store the login", folder):
            files.make_folder(folder)
            with auth_folders.opened(folder) as opened:
                opened.lock()
                document = _load(opened)
                held = auth_files.parse_document(document).keeper(auth.domain)
                if held is None:
                    changed = auth_edits.with_login(document, auth)
                else:
                    self._credentials.helpers.store(held.helper, held.server, auth)
                    changed = auth_edits.with_held_login(document, auth.domain)
                opened.replace(auth_edits.render(changed))
                if app:
                    opened.close_to_others()

    def log_out(self, app: str, domain: str) -> list[HeldLogin]:
        """Remove the login for one registry; none there is fine.

        Returns:
            The logins that stay in their helpers, because another file uses them.

        Raises:
            PermanentError: It cannot be removed.
        """
        folder = self._credentials.folder(app)
        with _explained("remove the login", folder):
            if not folder.is_dir():
                return []
            with auth_folders.opened(folder) as opened:
                opened.lock()
                document = _load(opened)
                held = auth_files.parse_document(document).held_logins(domain)
                # First the helpers: if they fail, the file still tells what to erase.
                kept = self._credentials.erase(folder, held).kept
                changed = auth_edits.without_login(document, domain)
                if document and changed != document:
                    opened.replace(auth_edits.render(changed))
            return kept


def _load(opened: auth_folders.AuthFolder) -> auth_edits.Document:
    try:
        content = opened.read()
    except FileNotFoundError:
        return {}
    return auth_files.load(content)


@contextlib.contextmanager
def _explained(action: str, folder: Path) -> Iterator[None]:
    """Say which file is to blame, and never what it holds."""
    path = folder / auth_folders.FILE_NAME
    try:
        yield
    except auth_files.MalformedAuthError as error:
        raise errors.PermanentError(
            f"cannot {action} in {path}: {error}. Repair that file, or move it out of"
            " the way"
        ) from None
    except credential_helpers.HelperError as error:
        raise errors.PermanentError(
            f"cannot {action} that {path} leaves to a credential helper: {error}"
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "the system refuses"
        raise errors.PermanentError(
            f"cannot {action} in {path}: {reason}. The folder must belong to the user"
            " dokku, hold no link, and have space left"
        ) from error
