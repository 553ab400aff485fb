"""How the properties of one app are read: own value, global value, and mistakes."""

from dataclasses import dataclass, field

from dokku_registryd import errors
from dokku_registryd.core.dokku import computed


@dataclass(slots=True)
class Source:
    """Reads properties of one app and collects their mistakes.

    Args:
        app: The app's name, or `--global`.
        read: Returns a property's raw text: (plugin folder, app or `--global`, name).
    """

    app: str
    read: computed.Reader
    mistakes: list[str] = field(default_factory=list)
    """Invalid values, each with its property and a hint."""
    left_out: list[str] = field(default_factory=list)
    """Ignored values, each with its property and a hint."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Our unreadable properties, and why."""

    def core(self, name: str) -> str:
        """Return an app's property of Dokku's plugin, which is trimmed."""
        return self.read(computed.CORE, self.app, name).strip()

    def core_or_global(self, name: str) -> str:
        """Return the same, or the global one, which is not trimmed."""
        return self.core(name) or self.read(computed.CORE, computed.GLOBAL, name)

    def ours(self, name: str) -> str:
        """Return a property of ours, or the global one; empty if unreadable."""
        # Our own properties must not prevent what Dokku's plugin would do.
        try:
            value = self.read(computed.OURS, self.app, name).strip()
            return value or self.read(computed.OURS, computed.GLOBAL, name).strip()
        except errors.UnreadableError as error:
            self.unread.append((name, str(error)))
            return ""

    def own(self, name: str) -> str:
        """Return a property of ours that has no global value."""
        try:
            return self.read(computed.OURS, self.app, name).strip()
        except errors.UnreadableError as error:
            self.unread.append((name, str(error)))
            return ""
