"""The lines of `status` about logins that are refused, or that soon expire."""

from dokku_registryd.core.notify.troubles import Kind

_MOST = 20
_SAID = {Kind.LOGIN_REFUSED: "is refused", Kind.LOGIN_EXPIRES: "expires soon"}
_LOG_IN = "dokku registry:login"


def lines(logins: list[dict[str, object]]) -> list[str]:
    """Return a line for each login, with the way out.

    Args:
        logins: As in the JSON of `status`.
    """
    shown = [_line(entry) for entry in logins[:_MOST]]
    if logins[_MOST:]:
        left = len(logins) - _MOST
        shown.append(f"         {left} more: dokku-registryd status --format json")
    return shown


def _line(entry: dict[str, object]) -> str:
    reason = str(entry["reason"])
    if _LOG_IN not in reason:
        reason = f"{reason}. Log in again with {_LOG_IN}"
    kind = str(entry["kind"])
    # A newer service may know further kinds.
    said = _SAID[Kind(kind)] if kind in set(_SAID) else f"has the trouble {kind}"
    return f"Login:   {entry['login']} {said}: {reason}"
