"""Addresses that registries state: compared by host, and never trusted."""

from urllib.parse import urljoin, urlsplit


def resolve(url: str, target: str) -> str:
    """Return the absolute form of an address; an invalid one is unchanged."""
    try:
        return urljoin(url, target)
    except ValueError:
        return target


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port, which must be equal to send a login along.

    An invalid address has an origin that is equal to no other.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port


def netloc(url: str) -> str:
    """Return host and port of an address; empty for none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def is_same_host(url: str, other: str) -> bool:
    """Return whether two addresses have the same host and port, with any scheme."""
    places = []
    for one in (url, other):
        try:
            parts = urlsplit(one)
            port = parts.port
        except ValueError:
            return False
        places.append((parts.hostname, None if port in {80, 443} else port))
    return places[0] == places[1] and bool(places[0][0])
