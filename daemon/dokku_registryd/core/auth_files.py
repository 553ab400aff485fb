"""The auth config file (`config.json`) as `docker login` writes it, read as values.

Source: docker/cli, cli/config/configfile/file.go. Three places may know a login: an
entry of `auths`, a helper for one host (`credHelpers`), a helper for all (`credsStore`;
`docker login` then leaves an empty entry in `auths`).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dokku_registryd.core import json_documents, reference
from dokku_registryd.core.logins import AuthConfig, Secret

# What Docker calls Docker Hub when it talks to helpers.
HUB_SERVER: Final = "https://index.docker.io/v1/"


class MalformedAuthError(ValueError):
    """A file or entry that cannot be read; says where, never what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLogin:
    """A login that a helper keeps."""

    helper: str
    server: str
    """As the helper knows it: a host, or the address of Docker Hub."""

    @property
    def domain(self) -> str:
        """The registry in the one spelling that is compared."""
        return reference.normalize_domain(self.server)

    def same_as(self, other: "HeldLogin") -> bool:
        """Tell whether both are one login, however the server is spelled."""
        return (self.helper, self.domain) == (other.helper, other.domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFile:
    """What one file says. An absent file says nothing."""

    # Not in repr: entries hold passwords.
    auths: Mapping[str, Any] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, Any] = field(default_factory=dict)
    store: str = ""

    def login(self, domain: str) -> AuthConfig | None:
        """Return the login that the file itself holds; an empty entry is none.

        Raises:
            MalformedAuthError: An entry for this very domain cannot be read.
        """
        for key in self._keys(domain):
            found = _parse_entry(domain, self.auths[key])
            if found is not None:
                return found
        return None

    def held_logins(self, domain: str) -> list[HeldLogin]:
        """Return which helpers to ask for a domain's login, in order."""
        servers = dict.fromkeys((server_for(domain), *self._keys(domain)))
        own = self._helper_of(domain)
        return [
            HeldLogin(helper=helper, server=server)
            for helper in dict.fromkeys((own, self.store))
            if helper
            for server in servers
        ]

    def keeper(self, domain: str) -> HeldLogin | None:
        """Return which helper a new login is given to; None for the file itself."""
        helper = self._helper_of(domain) or self.store
        server = server_for(reference.normalize_domain(domain))
        return HeldLogin(helper=helper, server=server) if helper else None

    def all_held_logins(self) -> list[HeldLogin]:
        """Return every login that a helper keeps because of this file."""
        found = []
        for key in self.auths:
            helper = self._helper_of(key) or self.store
            if helper:
                found.append(HeldLogin(helper=helper, server=_spelled(key)))
        for key, helper in self.helpers.items():
            held = HeldLogin(helper=str(helper), server=_spelled(key))
            if not any(held.same_as(other) for other in found):
                found.append(held)
        return found

    def _helper_of(self, domain: str) -> str:
        wanted = reference.normalize_domain(domain)
        for key, helper in self.helpers.items():
            if reference.normalize_domain(key) == wanted:
                return str(helper)
        return ""

    def _keys(self, domain: str) -> Iterator[str]:
        wanted = reference.normalize_domain(domain)
        for key in self.auths:
            if reference.normalize_domain(key) == wanted:
                yield key


def parse(content: bytes) -> AuthFile:
    """Read a file.

    Raises:
        MalformedAuthError: It is no auth config at all.
    """
    return parse_document(load(content))


def parse_document(document: dict[str, Any]) -> AuthFile:
    """Read a file's content as `load` gives it."""
    return AuthFile(
        auths=_section(document, "auths"),
        helpers=_section(document, "credHelpers"),
        store=document.get("credsStore") or "",
    )


def load(content: bytes) -> dict[str, Any]:
    """Return a file's whole content, with the sections that we read checked.

    Raises:
        MalformedAuthError: It is no auth config at all.
    """
    try:
        document = json_documents.load(content) if content.strip() else {}
    except json_documents.MalformedJsonError as error:
        raise MalformedAuthError(str(error)) from None
    if not isinstance(document, dict):
        raise MalformedAuthError("it is no JSON object")
    if not isinstance(document.get("credsStore") or "", str):
        raise MalformedAuthError("credsStore is no text")
    for name in ("auths", "credHelpers"):
        _section(document, name)
    return document


def server_for(domain: str) -> str:
    """Return what helpers call a registry (docker/cli, GetAuthConfigKey)."""
    normal = reference.normalize_domain(domain)
    return HUB_SERVER if normal == reference.DOCKER_HUB else domain


def _spelled(key: str) -> str:
    is_hub = reference.normalize_domain(key) == reference.DOCKER_HUB
    return HUB_SERVER if is_hub else key


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name) or {}
    if not isinstance(section, dict):
        raise MalformedAuthError(f"{name} is no object")
    return section


def _parse_entry(domain: str, entry: object) -> AuthConfig | None:
    if not isinstance(entry, dict):
        raise MalformedAuthError(f"the entry for {domain} is no object")
    texts = {
        name: _text(domain, entry, name)
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
        raise MalformedAuthError(f"{name} of the entry for {domain} is no text")
    return value


def _decode(domain: str, encoded: str) -> tuple[str, str]:
    """Split `auth`; the password may end in NUL bytes (docker/cli, decodeAuth)."""
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise MalformedAuthError(
            f"auth of the entry for {domain} is no base64 text"
        ) from None
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise MalformedAuthError(
            f"auth of the entry for {domain} is not of the form user:password"
        )
    return username, password.strip("\0")
