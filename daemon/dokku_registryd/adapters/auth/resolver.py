"""Logins of apps: an app's own auth config first, then the global one.

Docker reads one auth config at a time, so an app's own login would hide all global
ones; here both files are read in turn. An error in one app's file concerns only that
app, and no message contains the content of a file.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.auth import folders, helpers
from dokku_registryd.core.auth import config_edits, config_file
from dokku_registryd.core.auth.config_file import AuthFile, HeldLogin
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.dokku import app_names

_FILE_NAME: Final = folders.FILE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A login and its source."""

    auth: AuthConfig
    helper: str
    """The helper that stores it; empty for the file itself."""
    is_global: bool
    """Whether it comes from the global file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The result of erasing logins from helpers."""

    domains: tuple[str, ...]
    """Erased logins."""
    kept: list[HeldLogin]
    """Logins that another file still uses."""


class AuthConfigs:
    """Implements `ports.Credentials`. Nothing is cached between calls.

    Args:
        config_root: The folder with `APP/config.json`.
        global_dir: The folder of the global `config.json`.
        helper_timeout: Seconds that a credential helper may run.
        helper_path: The folders to search for helpers.
        helper_home: HOME of helpers; ours if not given.
        helper_environ: Further variables for helpers.
    """

    def __init__(
        self,
        *,
        config_root: Path,
        global_dir: Path,
        helper_timeout: float,
        helper_path: str,
        helper_home: Path | None = None,
        helper_environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._config_root = config_root
        # The operator's own folder; unlike an app's folder it may be a link.
        self._global_dir = global_dir.resolve()
        self.helpers = helpers.CredentialHelpers(
            path=helper_path,
            timeout=helper_timeout,
            home=str(helper_home or Path.home()),
            environ=helper_environ,
        )

    def resolve(self, app: str, domain: str) -> AuthConfig | None:
        """Return the app's login for a registry, without a cache; None for anonymous.

        The first match wins: the helper of the app's file for the registry, its
        `auths`, then both of the global file. An empty `app` uses only the global
        file.

        Raises:
            AuthenticationError: A required file or helper cannot be used.
        """
        found = self.locate(app, domain)
        return None if found is None else found.auth

    def locate(self, app: str, domain: str) -> Located | None:
        """Return the login as `resolve` does, with its source.

        Raises:
            AuthenticationError: A required file or helper cannot be used.
        """
        for folder in self._folders(app):
            try:
                found = self._find(_read(folder), domain)
            except config_file.MalformedAuthError as error:
                raise errors.AuthenticationError(
                    f"cannot read the login for {domain} in {folder / _FILE_NAME}:"
                    f" {error}. {self._way_out(folder, domain)}"
                ) from None
            except helpers.HelperError as error:
                raise errors.AuthenticationError(
                    f"cannot get the login for {domain}, which"
                    f" {folder / _FILE_NAME} leaves to a credential helper: {error}"
                ) from error
            if found is not None:
                auth, helper = found
                is_global = folder == self._global_dir
                return Located(
                    auth=replace(auth, domain=domain, owner="" if is_global else app),
                    helper=helper,
                    is_global=is_global,
                )
        return None

    def forget(self, directory: str) -> list[str]:
        """Erase the logins of a detached auth config directory from their helpers.

        A login that the global file or another app still uses is kept. Doing it twice
        is harmless.

        Returns:
            The domains that were erased.

        Raises:
            TransientError: A helper failed, or other uses of a login are unknown.
        """
        folder = Path(directory)
        try:
            held = _read(folder).all_held_logins()
        except config_file.MalformedAuthError:
            return []  # The domain is not valid, so no login could be used.
        # A helper may fail for long; the login in the file itself is removed at once.
        with contextlib.suppress(OSError), folders.opened(folder) as opened:
            document = config_file.load(opened.read())
            stripped = config_edits.without_secrets(document)
            if stripped != document:
                opened.replace(config_edits.render(stripped))
        return list(self.erase(folder, held).domains)

    def erase(self, folder: Path, logins: Iterable[HeldLogin]) -> Erased:
        """Make helpers forget logins, unless a file outside `folder` uses them too.

        Raises:
            TransientError: A helper failed, or other uses of a login are unknown.
        """
        waiting = list(logins)
        in_use = list(self._held_by_others(folder)) if waiting else []
        kept: list[HeldLogin] = []
        erased: list[str] = []
        failed: list[str] = []
        for login in waiting:
            if any(login.same_as(other) for other in in_use):
                kept.append(login)
                continue
            try:
                if self.helpers.erase(login.helper, login.server):
                    erased.append(login.domain)
            except helpers.HelperError as error:
                failed.append(f"{login.domain} ({error})")
        if failed:
            raise errors.TransientError(
                f"cannot erase the logins of {folder} for {', '.join(failed)}"
            )
        return Erased(domains=tuple(dict.fromkeys(erased)), kept=kept)

    def folder(self, app: str) -> Path:
        """Return the folder of an app's auth config; the empty name is the global one.

        Raises:
            AuthenticationError: The text is not an app name.
        """
        if not app:
            return self._global_dir
        if not app_names.is_app_name(app):
            raise errors.AuthenticationError(
                f"cannot look up logins of {app[:100]!r}: that is not an app name"
            )
        return self._config_root / app

    def _folders(self, app: str) -> list[Path]:
        return list(dict.fromkeys((self.folder(app), self._global_dir)))

    def _way_out(self, folder: Path, domain: str) -> str:
        whose = "--global" if folder == self._global_dir else folder.name
        return f"Repair it, or log in again: dokku registry:login {whose} {domain} USER"

    def _find(self, file: AuthFile, domain: str) -> tuple[AuthConfig, str] | None:
        trouble: helpers.HelperError | None = None
        for held in file.asked_helpers(domain):
            try:
                found = self.helpers.get(held.helper, held.server)
            except helpers.HelperError as error:
                trouble = error
                break
            if found is not None:
                return found, held.helper
        own = file.login(domain)
        if own is not None:
            return own, ""
        if trouble is not None:
            raise trouble
        return None

    def _held_by_others(self, folder: Path) -> Iterator[HeldLogin]:
        for other in [self._global_dir, *self._app_folders()]:
            if other == folder:
                continue
            try:
                yield from _read(other).all_held_logins()
            except config_file.MalformedAuthError as error:
                raise errors.TransientError(
                    f"cannot tell whether {other / _FILE_NAME} still uses the logins of"
                    f" {folder}: {error}. Repair or remove that file"
                ) from None

    def _app_folders(self) -> list[Path]:
        try:
            return sorted(self._config_root.iterdir())
        except FileNotFoundError:
            return []


def _read(folder: Path) -> AuthFile:
    """Read the auth config of a folder; an absent one says nothing.

    Raises:
        MalformedAuthError: It is there and cannot be used.
    """
    try:
        with folders.opened(folder) as opened:
            return config_file.parse(opened.read())
    except FileNotFoundError:
        return AuthFile()
    except NotADirectoryError:
        if folder.is_symlink():
            raise config_file.MalformedAuthError("its folder is a link") from None
        return AuthFile()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it cannot be read"
        if error.errno == errno.ELOOP:
            reason = "it is a link, and none is followed here"
        raise config_file.MalformedAuthError(reason) from None
