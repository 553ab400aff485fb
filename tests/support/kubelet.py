"""Which login a kubelet takes from a pull secret for an image.

Dokku's scheduler-k3s puts an app's whole `config.json` into a secret of the type
`kubernetes.io/dockerconfigjson` (Dokku 0.38.27, plugins/scheduler-k3s, triggers.go and
pull_secret.go). A kubelet has rules of its own for the keys: Kubernetes 1.33,
pkg/credentialprovider, `BasicDockerKeyring` in keyring.go, `DockerConfigEntry` in
config.go. A login that Docker finds there may be none for a kubelet.
"""

import base64
import fnmatch
import json
from urllib.parse import SplitResult, urlsplit

Login = tuple[str, str]
"""User name and password."""
_HUB_HOSTS = frozenset({"docker.io", "index.docker.io"})
_HUB_KEY = "index.docker.io"


def logins(config: bytes, image: str) -> list[Login]:
    """Return the logins that a kubelet tries for an image, in its order.

    Args:
        config: The content of `config.json`.
        image: The image as Docker normalizes it, without its tag:
            `docker.io/library/redis`.

    Raises:
        ValueError: An entry cannot be decoded, so the whole secret is refused.
    """
    found: dict[str, list[Login]] = {}
    for address, entry in (json.loads(config).get("auths") or {}).items():
        found.setdefault(_key(address), []).append(_decode(entry))
    # The more specific of two keys with the same beginning comes first.
    matching = [key for key in sorted(found, reverse=True) if _matches(key, image)]
    if matching:
        return [login for key in matching for login in found[key]]
    return found.get(_HUB_KEY, []) if _is_on_hub(image) else []


def _key(address: str) -> str:
    if not address.startswith(("https://", "http://")):
        address = f"https://{address}"
    url = urlsplit(address)
    path = url.path[3:] if url.path.startswith(("/v1/", "/v2/")) else url.path
    return url.netloc + (path if path != "/" else "")


def _decode(entry: dict[str, str]) -> Login:
    """Return the login of an entry; tokens are not read."""
    encoded = entry.get("auth", "")
    if not encoded:
        return entry.get("username", ""), entry.get("password", "")
    user, colon, password = (
        base64.b64decode(encoded, validate=True).decode().partition(":")
    )
    if not colon:
        raise ValueError("unable to parse auth field")
    return user, password


def _matches(key: str, image: str) -> bool:
    pattern, target = urlsplit(f"https://{key}"), urlsplit(f"https://{image}")
    (parts, port), (wanted, wanted_port) = _split(pattern), _split(target)
    return (
        port == wanted_port
        and len(parts) == len(wanted)
        and target.path.startswith(pattern.path)
        and all(map(fnmatch.fnmatchcase, wanted, parts))
    )


def _split(url: SplitResult) -> tuple[list[str], str]:
    host, colon, port = url.netloc.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = url.netloc, ""
    return host.strip("[]" if port else "").split("."), port


def _is_on_hub(image: str) -> bool:
    first, slash, _ = image.partition("/")
    if not slash or first in _HUB_HOSTS:
        return bool(first)
    return bool(first) and "." not in first and ":" not in first
