r"""The page `/status`: what only the running service knows, for the verb `status`.

One fact a line: a name, a blank, a value. `reason`, `check` (that of the reason above
it), `silent` (a registry, since when, and why), `login` (a kind of trouble, a login
with its blanks as `%20`, and why) and `unchecked` (what was not checked, and why) may
occur several times. A fact that is not known has no line. Programs of several versions
talk to each other, so a reader ignores unknown names::

    ready no
    reason the Docker Engine does not answer: see systemctl status docker
    check engine
    pid 812
    data_dir /var/lib/dokku/data/registryd
    version 0.3.0
    mode takeover
    engine 29.0.1
    store containerd
    apps 12
    wanted 24
    missing 0
    lost 0
    moved 0
    freeable 3
    swept_at 1764430000.2
    silent r.example:5000 1764430000.2 cannot reach r.example:5000: Connection refused
    login login_refused ghcr.io%20(the%20global%20login%20ci) the registry answers 401
    unchecked logins pending
    free_bytes 81604378624
    follow {"problem": "", "kept": 2, …}
"""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Iterable

PATH = "/status"
SILENT = "silent"
LOGIN = "login"
UNCHECKED = "unchecked"
_TOO_MUCH = 1e18  # and "inf" and "nan"


def render(facts: "Iterable[tuple[str, object]]") -> str:
    """Return the page for names and values, in their order; None has no line."""
    return "".join(
        f"{name} {' '.join(str(value).split())}\n"
        for name, value in facts
        if value is not None
    )


def silence(domain: str, since: float, reason: str) -> str:
    """Return a registry that does not answer, as `Page.silent` reads it."""
    return f"{domain} {since:.1f} {reason}"


def login(kind: str, subject: str, reason: str) -> str:
    """Return a trouble of a login, as `Page.logins` reads it."""
    return f"{kind} {subject.replace('%', '%25').replace(' ', '%20')} {reason}"


class Page:
    """What the service says.

    Args:
        text: The page; empty if the service did not answer.
    """

    __slots__ = ("_facts", "_logins", "_silent", "failing", "reasons", "unchecked")

    def __init__(self, text: str) -> None:
        pairs = [line.partition(" ") for line in text.split("\n")]
        self._facts = {name: value for name, _, value in pairs if value}
        self.failing = _failing(pairs)
        """The checks that fail, each with the reason; an older service names none."""
        self.reasons = [reason for _, reason in self.failing]
        self._silent = [value for name, _, value in pairs if name == SILENT]
        self._logins = [value for name, _, value in pairs if name == LOGIN]
        unseen = [value.partition(" ") for name, _, value in pairs if name == UNCHECKED]
        self.unchecked = [(what, why) for what, _, why in unseen]
        """What was not checked, each with the reason, as `unchecked` names them."""

    @property
    def is_ready(self) -> bool | None:
        """Whether the service is ready; None if it did not say."""
        ready = self._facts.get("ready")
        return None if ready is None else ready == "yes"

    @property
    def silent(self) -> "list[tuple[str, float, str]]":
        """Registries that do not answer: each with seconds since the epoch, and why."""
        found = []
        for value in self._silent:
            domain, _, rest = value.partition(" ")
            since, _, reason = rest.partition(" ")
            seconds = _number(since)
            if seconds is not None:
                found.append((domain, float(seconds), reason))
        return found

    @property
    def logins(self) -> "list[tuple[str, str, str]]":
        """Troubles of logins: each with its kind, the login and the reason."""
        found = []
        for value in self._logins:
            kind, _, rest = value.partition(" ")
            subject, _, reason = rest.partition(" ")
            shown = subject.replace("%20", " ").replace("%25", "%")
            found.append((kind, shown, reason))
        return found

    def text(self, name: str) -> str | None:
        """Return a fact as text; None if it is not known."""
        return self._facts.get(name)

    def number(self, name: str) -> float | None:
        """Return a fact as a number; None if it is not known, or is not a number."""
        return _number(self._facts.get(name, ""))


def _failing(pairs: "list[tuple[str, str, str]]") -> "list[tuple[str, str]]":
    found: list[tuple[str, str]] = []
    for name, _, value in pairs:
        if name == "reason":
            found.append(("", value))
        elif name == "check" and found:
            found[-1] = (value, found[-1][1])
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not abs(value) < _TOO_MUCH:
        return None
    return int(value) if value.is_integer() else value
