"""The state of the service, as far as this user can see it, and one of its pages."""

import importlib
from collections.abc import Mapping

from dokku_registryd import errors
from dokku_registryd.adapters.host import service_unit
from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.status import service_states, status_page

_SOCKET = "status.sock"  # as `adapters.status.sockets` names it
_RUN_SOCKET = f"/run/dokku-registryd/{_SOCKET}"
NO_ACCESS = (
    "this user has no access to the service: run this as root or dokku, or add the user"
    " to the group status.group"
)
"""Why a service does not answer a user whom its socket does not admit."""


class View:
    """The service at one moment.

    Args:
        state: Its state.
        role: Who owns the spool, `daemon` or `hook`; empty if unknown, or no process.
        answer: HTTP status and text of the page; None if it did not answer.
        is_closed: Whether this user may not read the data folder.
        refusal: Why the service refuses to answer this user; empty if it does not.
    """

    __slots__ = ("answer", "is_closed", "refusal", "role", "state")

    def __init__(
        self,
        state: service_states.State,
        *,
        role: str,
        answer: tuple[int, str] | None,
        is_closed: bool,
        refusal: str,
    ) -> None:
        self.state = state
        self.role = role
        self.answer = answer
        self.is_closed = is_closed
        self.refusal = refusal


def look(
    data_dir: str,
    environ: Mapping[str, str],
    target: str = "/livez",
    *,
    root: str = "",
) -> View:
    """Return the state of the service, and a page of it.

    Args:
        data_dir: The data folder.
        environ: The environment, for systemctl.
        target: The path of the page.
        root: The folder used instead of `/`; empty for that.
    """
    is_closed = peek.is_closed(data_dir)
    holder = peek.look(data_dir)
    is_held = holder is not None and holder.role == peek.DAEMON
    answer, refusal, is_silent = None, "", False
    if is_held or is_closed:
        path = f"{root}{_RUN_SOCKET}" if is_closed else f"{data_dir}/{_SOCKET}"
        answer, refusal, is_silent = _ask(path, target)
    if is_held:
        unit = service_unit.glance(root)
    else:
        unit = service_unit.ask(environ, root)
        # It may have started since the first look at the lock.
        holder = peek.look(data_dir)
    pid = holder.pid if holder else unit.pid
    is_proven = is_closed and (answer is not None or is_silent)
    role = peek.DAEMON if is_proven else holder.role if holder else ""
    sight = service_states.Sight(
        data_dir=data_dir,
        role=role,
        pid=pid,
        unit=unit,
        is_closed=is_closed,
        is_silent=is_silent,
        is_suspended=is_silent and _is_suspended(pid),
        elsewhere="" if role or is_closed or not unit.pid else _folder_elsewhere(root),
    )
    state = service_states.judge(sight)
    return View(state, role=role, answer=answer, is_closed=is_closed, refusal=refusal)


def _folder_elsewhere(root: str) -> str:
    """Return the data folder of the service that systemd runs; empty if unknown."""
    answer, _, _ = _ask(f"{root}{_RUN_SOCKET}", status_page.PATH)
    return status_page.Page(answer[1] if answer else "").text("data_dir") or ""


def _ask(path: str, target: str) -> tuple[tuple[int, str] | None, str, bool]:
    """Return the answer, why this user gets none, and whether none came in time."""
    # Its import takes longer than the rest of a look at a service that is stopped.
    client = importlib.import_module("dokku_registryd.adapters.status.client")
    try:
        return client.ask(path, target), "", False
    except client.SilentError:
        return None, "", True
    except errors.TransientError as error:
        return None, str(error), False
    except PermissionError:
        return None, NO_ACCESS, False
    except OSError:
        return None, "", False  # It has no socket.


def _is_suspended(pid: int) -> bool:
    processes = importlib.import_module("dokku_registryd.adapters.host.processes")
    return bool(pid and processes.is_stopped(pid))
