"""The status endpoint: owns the status socket and the loopback port.

Its creator holds the spool lock. A socket that cannot be opened is logged, and the
service continues without it.
"""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import structlog

from dokku_registryd import config
from dokku_registryd.adapters.status import peers, server, sockets
from dokku_registryd.runtime import status_pages

_Opened = TypeVar("_Opened")


class StatusEndpoint:
    """Serves the sockets of the settings until it is closed.

    Args:
        settings: The settings in effect.
        environ: Has the folder that systemd created.
        pages: The content.
    """

    def __init__(
        self,
        settings: config.Settings,
        environ: Mapping[str, str],
        pages: status_pages.StatusPages,
    ) -> None:
        self._settings = settings
        self._log = structlog.get_logger()
        self._place: sockets.UnixPlace | None = None
        self._loopback: socket.socket | None = None
        self.pages = pages
        wanted = settings.status
        group = self._find_group()
        if wanted.socket:
            path = sockets.place(wanted.socket, settings.data_dir, environ)
            self._place = self._open(str(path), lambda: self._open_socket(path, group))
        if wanted.port:
            self._loopback = self._open(
                f"127.0.0.1:{wanted.port}",
                lambda: sockets.listen_on_loopback(wanted.port),
            )
        self._server = server.StatusServer(
            self._listeners(), pages.answer, peers.PeerCheck(group)
        )
        if self._listeners():
            self._server.start()
            self._log.info(
                "status.opened",
                socket=str(self._place.path) if self._place else "",
                port=wanted.port if self._loopback else 0,
            )

    def close(self) -> None:
        """Stop serving, and remove all files."""
        if self._server.ident is not None:
            self._server.stop()
        if self._place is not None:
            self._place.close()
        if self._loopback is not None:
            self._loopback.close()

    def _listeners(self) -> list[socket.socket]:
        unix = [self._place.listener] if self._place else []
        return unix + ([self._loopback] if self._loopback else [])

    def _find_group(self) -> int | None:
        name = self._settings.status.group
        group = peers.find_group(name) if name else os.getegid()
        if group is None:
            self._log.warning(
                "settings.suspicious",
                message=f"status.group: this host has no group {name}, so only root"
                " and the user of the service have access",
            )
        return group

    def _open_socket(self, path: Path, group: int | None) -> sockets.UnixPlace:
        # The unit forbids us to change groups of files, so all users may connect.
        is_foreign = group is not None and group != os.getegid()
        return sockets.UnixPlace(
            path, self._settings.data_dir, is_for_anybody=is_foreign
        )

    def _open(self, where: str, opening: Callable[[], _Opened]) -> _Opened | None:
        try:
            return opening()
        except OSError as error:
            reason = error.strerror or str(error)
            self._log.warning("status.failed", error=f"cannot open {where}: {reason}")
            return None
