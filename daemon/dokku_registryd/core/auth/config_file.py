"""The auth config file (`config.json`), parsed as Docker does.

Source: docker/cli, cli/config/configfile/file.go and cli/config/credentials. A login
can be stored in three places: by a helper for one host (`credHelpers`), by a helper for
all hosts (`credsStore`; `docker login` then writes an empty entry to `auths`), or in an
entry of `auths`. Docker asks the configured helper, and prefers the spelling that it
writes itself. Like all Go programs it accepts keys in any case.
writes itself before any other. Like everything written in Go it takes keys in any case.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference
from dokku_registryd.core.text import json_documents

# Docker Hub's name in requests to helpers.
HUB_SERVER: Final = "https://index.docker.io/v1/"
AUTHS: Final = "auths"
HELPERS: Final = "credHelpers"
STORE: Final = "credsStore"
_NAMES: Final = {name.lower(): name for name in (AUTHS, HELPERS, STORE)}
_SCHEME: Final = re.compile(r"^[a-z]+://", re.IGNORECASE)
_WHOLE_REGISTRY: Final = {"", "v1", "v2"}


class MalformedAuthError(ValueError):
    """A file or entry is invalid; the message says where, never its content."""


class Fit(IntEnum):
    """How well a key of a file matches a registry; the smallest is the best."""

    EXACT = 0
    """It is the spelling that Docker writes."""
    SPELLED = 1
    """It is an address of the registry, such as `https://HOST/v1/`."""
    INSIDE = 2
    """It is part of the registry: a namespace, or a token of Docker Hub's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLogin:
    """A login that a helper stores."""

    helper: str
    server: str
    """The helper's name for it: a host, or the address of Docker Hub."""

    @property
    def domain(self) -> str:
        """The registry in the normalized spelling, for comparisons."""
        return reference.normalize_domain(self.server)

    def same_as(self, other: "HeldLogin") -> bool:
        """Return whether both are the same login, in any spelling of the server."""
        return (self.helper, _place(self.server)) == (
            other.helper,
            _place(other.server),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFile:
    """The content of one file. An absent file is empty."""

    # Not in repr: entries contain passwords.
    auths: Mapping[str, Any] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, Any] = field(default_factory=dict)
    store: str = ""

    def login(self, domain: str) -> AuthConfig | None:
        """Return the login stored in the file itself; an empty entry does not count.

        Raises:
            MalformedAuthError: An entry for this domain is invalid.
        """
        for key in self._usable_keys(domain):
            found = _parse_entry(domain, self.auths[key])
            if found is not None:
                return found
        return None

    def asked_helpers(self, domain: str) -> list[HeldLogin]:
        """Return the helper for a domain's login, and its names in the order to try.

        Raises:
            MalformedAuthError: The helper's name is not a string.
        """
        helper = self._helper_of(domain)
        servers = dict.fromkeys((server_for(domain), *self._usable_keys(domain)))
        return [HeldLogin(helper=helper, server=server) for server in servers if helper]

    def held_logins(self, domain: str) -> list[HeldLogin]:
        """Return all logins that helpers may store for a domain."""
        servers = dict.fromkeys((server_for(domain), *self._keys(domain)))
        return [
            HeldLogin(helper=helper, server=server)
            for helper in dict.fromkeys((self._helper_of(domain), self.store))
            if helper
            for server in servers
        ]

    def keeper(self, domain: str) -> HeldLogin | None:
        """Return the helper that stores a new login; None for the file itself."""
        helper = self._helper_of(domain)
        server = server_for(reference.normalize_domain(domain))
        return HeldLogin(helper=helper, server=server) if helper else None

    def all_held_logins(self) -> list[HeldLogin]:
        """Return every login that helpers store because of this file."""
        found: list[HeldLogin] = []
        kept = [(key, self._helper_of(key)) for key in self.auths]
        kept += [(key, self._helper_of(key)) for key in self.helpers]
        for key, helper in kept:
            held = HeldLogin(helper=helper, server=_spelled(key))
            if helper and not any(held.same_as(other) for other in found):
                found.append(held)
        return found

    def _helper_of(self, domain: str) -> str:
        """Return the helper for a domain; an empty name disables the store for it."""
        keys = _fitting(self.helpers, domain)
        helper = self.helpers[keys[0]] if keys else self.store
        if not isinstance(helper or "", str):
            raise MalformedAuthError(
                f"the helper for {domain} in credHelpers is not a string"
            )
        return helper or ""

    def _keys(self, domain: str) -> list[str]:
        return _fitting(self.auths, domain)

    def _usable_keys(self, domain: str) -> list[str]:
        """Return the keys that may have a login for the whole registry.

        Docker also uses an entry for a namespace if there is no better one, except
        Docker Hub's, some of which are tokens of a browser.
        """
        is_hub = reference.normalize_domain(domain) == reference.DOCKER_HUB
        worst = Fit.SPELLED if is_hub else Fit.INSIDE
        return [key for key in self._keys(domain) if _fit(key, domain) <= worst]


def _fitting(section: Mapping[str, Any], domain: str) -> list[str]:
    wanted = reference.normalize_domain(domain)
    keys = [key for key in section if reference.normalize_domain(key) == wanted]
    return sorted(keys, key=lambda key: _fit(key, domain))


def _fit(key: str, domain: str) -> Fit:
    if key == server_for(domain):
        return Fit.EXACT
    return Fit.INSIDE if _is_inside(key) else Fit.SPELLED


def _is_inside(key: str) -> bool:
    _, _, path = _SCHEME.sub("", key.strip()).partition("/")
    return path.strip("/").lower() not in _WHOLE_REGISTRY


def _place(server: str) -> str:
    """Return the normalized form of a key: a registry, or a part of it."""
    if _is_inside(server):
        return _SCHEME.sub("", server.strip().lower()).rstrip("/")
    return reference.normalize_domain(server)


def parse(content: bytes) -> AuthFile:
    """Read a file.

    Raises:
        MalformedAuthError: It is not an auth config.
    """
    return parse_document(load(content))


def parse_document(document: dict[str, Any]) -> AuthFile:
    """Parse a file's content as returned by `load`."""
    return AuthFile(
        auths=_section(document, AUTHS),
        helpers=_section(document, HELPERS),
        store=document.get(STORE) or "",
    )


def load(content: bytes) -> dict[str, Any]:
    """Return a file's whole content, with the sections that we read validated.

    Their keys are renamed to the names that Docker writes, regardless of their case.

    Raises:
        MalformedAuthError: It is not an auth config.
    """
    try:
        document = json_documents.load(content) if content.strip() else {}
    except json_documents.MalformedJsonError as error:
        raise MalformedAuthError(str(error)) from None
    if not isinstance(document, dict):
        raise MalformedAuthError("it is not a JSON object")
    known = _with_known_names(document)
    if not isinstance(known.get(STORE) or "", str):
        raise MalformedAuthError(f"{STORE} is not a string")
    for name in (AUTHS, HELPERS):
        _section(known, name)
    return known


def _with_known_names(document: dict[str, Any]) -> dict[str, Any]:
    """Rename sections as Docker does; merge the entries of duplicate sections."""
    known: dict[str, Any] = {}
    for key, value in document.items():
        name = _NAMES.get(key.lower(), key)
        before = known.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            known[name] = before | value
        else:
            known[name] = value
    return known


def server_for(domain: str) -> str:
    """Return the helpers' name for a registry (docker/cli, GetAuthConfigKey)."""
    normal = reference.normalize_domain(domain)
    return HUB_SERVER if normal == reference.DOCKER_HUB else domain


def _spelled(key: str) -> str:
    is_hub = reference.normalize_domain(key) == reference.DOCKER_HUB
    return HUB_SERVER if is_hub and not _is_inside(key) else key


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name) or {}
    if not isinstance(section, dict):
        raise MalformedAuthError(f"{name} is not an object")
    return section


def _parse_entry(domain: str, entry: object) -> AuthConfig | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise MalformedAuthError(f"the entry for {domain} is not an object")
    folded = {name.lower(): value for name, value in entry.items()}
    texts = {
        name: _text(domain, folded, name)
        for name in ("auth", "username", "password", "identitytoken")
    }
    username, password = texts["username"], texts["password"]
    if texts["auth"]:
        username, password = _decode(domain, texts["auth"])
    if not texts["identitytoken"] and not (username and password):
        return None
    return AuthConfig(
        domain=domain,
        username=username,
        password=Secret(password),
        identity_token=Secret(texts["identitytoken"]),
    )


def _text(domain: str, entry: dict[str, Any], name: str) -> str:
    value = entry.get(name) or ""
    if not isinstance(value, str):
        raise MalformedAuthError(f"{name} of the entry for {domain} is not a string")
    return value


def _decode(domain: str, encoded: str) -> tuple[str, str]:
    """Split `auth`; the password may end in NUL bytes (docker/cli, decodeAuth)."""
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise MalformedAuthError(
            f"auth of the entry for {domain} is not valid base64"
        ) from None
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise MalformedAuthError(
            f"auth of the entry for {domain} does not have the form user:password"
        )
    return username, password.strip("\0")
