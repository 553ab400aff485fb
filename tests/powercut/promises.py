"""What was promised, and whether a state after a power cut keeps it."""

import json
from dataclasses import dataclass
from typing import Protocol

from powercut.facts import Facts


class Promise(Protocol):
    """Something that holds from a moment on."""

    def why_broken(self, facts: Facts) -> str:
        """Return what is wrong; empty if the promise is kept."""


@dataclass(frozen=True, slots=True)
class Says:
    """A file has one of these contents; None means no file."""

    path: str
    contents: frozenset[bytes | None]

    def why_broken(self, facts: Facts) -> str:
        """Return what the file says instead."""
        content = facts.files.get(self.path)
        found = content if isinstance(content, bytes) else None
        wanted = sorted(map(str, self.contents))
        return "" if found in self.contents else f"{self.path} is {found!r}: {wanted}"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """An auth config has a login for a server, or has none."""

    path: str
    server: str
    is_there: bool

    def why_broken(self, facts: Facts) -> str:
        """Return what is missing or left."""
        text = facts.text(self.path)
        try:
            auths = json.loads(text or "{}").get("auths", {})
        except ValueError:
            return f"{self.path} cannot be read"
        if (self.server in auths) == self.is_there:
            return ""
        return f"{self.path} {'lacks' if self.is_there else 'still has'} the login"


@dataclass(frozen=True, slots=True)
class Left:
    """A trigger that a hook has left is in the spool or in the ledger."""

    trigger_id: str

    def why_broken(self, facts: Facts) -> str:
        """Return that it is nowhere."""
        is_known = self.trigger_id in facts.ledger.jobs
        if is_known or facts.waits(self.trigger_id):
            return ""
        return f"trigger {self.trigger_id} is neither in the spool nor in the ledger"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A release whose deploy went on is pushed, or will be."""

    image_id: str

    def why_broken(self, facts: Facts) -> str:
        """Return that it is unknown, or that it would never be pushed."""
        for release in facts.ledger.releases:
            if release.image_id == self.image_id and (
                release.state == "pushed" or facts.waits(release.job_id)
            ):
                return ""
        return f"the release of {self.image_id[:19]} is neither pushed nor waiting"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A number that the registry has is in the ledger: the intent came before it."""

    path: str
    number: int

    def why_broken(self, facts: Facts) -> str:
        """Return that the ledger does not know it."""
        for release in facts.ledger.releases:
            if (release.image_repo, release.number) == (self.path, self.number):
                return ""
        return f"the registry has {self.path}:{self.number}, the ledger has not"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A digest that a tag moved to is in the ledger: it came before the tag."""

    path: str
    digest: str

    def why_broken(self, facts: Facts) -> str:
        """Return that the ledger does not know it."""
        for release in facts.ledger.releases:
            if (release.image_repo, release.digest) == (self.path, self.digest):
                return ""
        return f"a tag of {self.path} is at {self.digest[:19]}, unknown to the ledger"


@dataclass(frozen=True, slots=True)
class Live:
    """What went live is recorded, or the latest trigger, which says so, still waits."""

    app: str
    number: int
    trigger_id: str = ""

    def why_broken(self, facts: Facts) -> str:
        """Return what is recorded instead."""
        text = facts.text(f"{facts.data}/deployed/{self.app}") or "\n\n\n"
        if text.split("\n")[2] == str(self.number) or facts.waits(self.trigger_id):
            return ""
        return f"{self.app} runs {self.number}, but {text!r} is recorded"


@dataclass(frozen=True, slots=True)
class Counted:
    """Dokku's counter is at this number, or at a later one."""

    path: str
    number: int

    def why_broken(self, facts: Facts) -> str:
        """Return where it is instead."""
        text = facts.text(self.path) or "0"
        is_kept = text.isdigit() and int(text) >= self.number
        return "" if is_kept else f"{self.path} is {text!r}, not {self.number}"


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of a destroyed app is where the next app of its name would find it."""

    app: str

    def why_broken(self, facts: Facts) -> str:
        """Return what is left."""
        places = (
            f"{facts.config}/registry/{self.app}",
            f"{facts.config}/registryd/{self.app}",
            f"{facts.data}/deployed/{self.app}",
        )
        left = [place for place in places if place in facts.files]
        return f"{self.app} is gone, but left {left}" if left else ""


@dataclass(frozen=True, slots=True)
class Erased:
    """A helper has erased the login of a destroyed app, or it can be found for that.

    Attributes:
        app: The app.
        server: What the login is for.
        kept_at: The path of the file in which the helper keeps it.
    """

    app: str
    server: str
    kept_at: str

    def why_broken(self, facts: Facts) -> str:
        """Return that the helper has it, and that it is not recorded anywhere."""
        if self.kept_at not in facts.files:
            return ""
        for path in facts.files:
            is_internal = path == f"{facts.config}/registry/{self.app}/config.json"
            is_aside = f"/forgotten/.{self.app}." in path or (
                f"/forgotten/{self.app}." in path
            )
            is_aside = is_aside and path.endswith("/config.json")
            if (is_internal or is_aside) and self.server in (facts.text(path) or ""):
                return ""
        return f"unknown which logins of {self.app} helpers keep"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is expected any more."""

    def why_broken(self, facts: Facts) -> str:
        """Return nothing."""
        return ""
