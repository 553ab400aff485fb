"""Changes to an auth config (`config.json`), as `docker login` and `logout` make them.

Each function returns a new document. Everything that does not concern the registry
stays: other entries, unknown keys such as `HttpHeaders`, and their order. All spellings
of the registry are one entry, because an old one would override the new one.
"""

import base64
import json
from typing import Any, Final

from dokku_registryd.core.auth import config_file
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference

Document = dict[str, Any]

_AUTHS: Final = config_file.AUTHS
_HELPER_KEYS: Final = (config_file.HELPERS, config_file.STORE)


def with_login(document: Document, auth: AuthConfig) -> Document:
    """Return the document with a user name and password for one registry."""
    text = f"{auth.username}:{auth.password.reveal()}"
    encoded = base64.b64encode(text.encode()).decode()
    return _with_entry(document, auth.domain, {"auth": encoded})


def with_held_login(document: Document, domain: str) -> Document:
    """Return the document with an empty entry for a login that a helper stores."""
    return _with_entry(document, domain, {})


def without_login(document: Document, domain: str) -> Document:
    """Return the document without a registry; `auths` stays, even if empty."""
    return {**document, _AUTHS: _others(document, domain)}


def without_secrets(document: Document) -> Document:
    """Return the part of the document that names the logins that helpers store.

    An empty document means that there are none.
    """
    helpers = {key: document[key] for key in _HELPER_KEYS if document.get(key)}
    if not helpers:
        return {}
    servers: Document = document.get(_AUTHS) or {}
    return {_AUTHS: {server: {} for server in servers}, **helpers}


def render(document: Document) -> bytes:
    """Return the file's content, indented as Docker does."""
    return json.dumps(document, indent="\t").encode()


def _with_entry(document: Document, domain: str, entry: Document) -> Document:
    server = config_file.server_for(reference.normalize_domain(domain))
    # Assigned last, but an existing entry in this spelling keeps its position.
    kept = _others(document, domain, but=server)
    return {**document, _AUTHS: {**kept, server: entry}}


def _others(document: Document, domain: str, *, but: str = "") -> Document:
    wanted = reference.normalize_domain(domain)
    auths: Document = document.get(_AUTHS) or {}
    return {
        key: entry
        for key, entry in auths.items()
        if key == but or reference.normalize_domain(key) != wanted
    }
