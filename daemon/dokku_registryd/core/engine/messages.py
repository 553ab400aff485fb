"""Requests to the Engine and entries of its listings, as values.

Names are as the Engine prints them; `<none>`, which means no name, is omitted, and so
are digests that containerd's stores list among the names.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import images, reference

_CONTAINERD_DRIVER: Final = "io.containerd.snapshotter"
_HUB_ACCOUNT: Final = "https://index.docker.io/v1/"
# The kernel's names of machines, and those of images (Go's GOARCH).
_MACHINES: Final = {
    "x86_64": "amd64",
    "i386": "386",
    "i686": "386",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
}

OLDEST_API: Final = (1, 24)  # docker-py rejects older ones
# The newest tested version; 1.52 changed the events.
NEWEST_API: Final = (1, 51)
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)


def choose_api(served: str) -> str:
    """Return the API version to speak with an Engine that serves up to `served`.

    The oldest one if `served` is not a version.
    """
    found = _VERSION.fullmatch(served)
    version = (int(found[1]), int(found[2])) if found else OLDEST_API
    chosen = max(OLDEST_API, min(version, NEWEST_API))
    return "{}.{}".format(*chosen)


def split_name(name: str) -> tuple[str, str]:
    """Return repository and tag of an image's name, as the Engine's API expects them.

    Raises:
        InvalidReferenceError: It is not a name, or is an image ID.
    """
    parsed = reference.parse(name)
    repository = parsed.with_tag("").familiar
    if repository == "sha256":
        raise errors.InvalidReferenceError(
            f"{name} is an image ID, but the name of an image is needed"
        )
    return repository, parsed.tag or "latest"


def removable_name(name: str) -> str:
    """Return the name of an image with its tag, or with its digest if it has one."""
    parsed = reference.parse(name)
    if parsed.digest:
        return parsed.with_digest(parsed.digest).familiar
    return ":".join(split_name(name))


def encode_login(auth: logins.AuthConfig | None) -> str:
    """Return a login for the Engine's header; an empty one is anonymous."""
    return base64.urlsafe_b64encode(json.dumps(_login(auth)).encode()).decode()


def holds(image: images.LocalImage, digest: str) -> bool:
    """Return whether an image is the one with this digest in a registry."""
    return bool(digest) and digest in image.identities


def parse_image(raw: Mapping[str, Any], *, relay: str = "") -> images.LocalImage:
    """Parse an entry of the image listing, or an inspected image.

    Args:
        raw: The Engine's answer.
        relay: The host of the relay, whose names are temporary.
    """
    labels = raw.get("Labels") or (raw.get("Config") or {}).get("Labels") or {}
    names = _names(raw.get("RepoTags"))
    passing = tuple(name for name in names if relay_protocol.is_name_at(relay, name))
    # Engine 26.1 with containerd's store lists digests that were pulled here only.
    digests = [name for name in names if "@" in name]
    digests += _names(raw.get("RepoDigests"))
    return images.LocalImage(
        image_id=str(raw["Id"]),
        references=tuple(
            name for name in names if "@" not in name and name not in passing
        ),
        passing=passing,
        repo_digests=tuple(
            name
            for name in dict.fromkeys(digests)
            if not relay_protocol.is_name_at(relay, name)
        ),
        labels=tuple(sorted((str(key), str(value)) for key, value in labels.items())),
        manifests=tuple(_manifests(raw.get("Manifests"))),
        # A listing has whole seconds, and a build may make two images within one.
        created=str(raw.get("Created") or "").removesuffix("Z"),
    )


def parse_container(raw: Mapping[str, Any]) -> images.LocalContainer:
    """Parse an entry of the container listing."""
    labels = raw.get("Labels") or {}
    names = raw.get("Names") or [""]
    return images.LocalContainer(
        image_id=str(raw.get("ImageID") or ""),
        image=str(raw.get("Image") or ""),
        app=str(labels.get(images.APP_LABEL) or ""),
        is_running=raw.get("State") == "running",
        container_id=str(raw.get("Id") or ""),
        name=str(names[0]).removeprefix("/"),
        kind=str(labels.get(images.CONTAINER_LABEL) or ""),
        is_script=images.SCRIPT_LABEL in labels,
    )


def parse_facts(info: Mapping[str, Any]) -> images.EngineFacts:
    """Parse the Engine's answer about itself."""
    proxies = {
        "http": info.get("HttpProxy"),
        "https": info.get("HttpsProxy"),
        "no": info.get("NoProxy"),
    }
    return images.EngineFacts(
        version=str(info.get("ServerVersion") or ""),
        image_store="containerd" if _has_containerd_store(info) else "classic",
        insecure_registries=tuple(_insecure(_mapping(info.get("RegistryConfig")))),
        proxies=tuple((key, str(value)) for key, value in proxies.items() if value),
        root_dir=str(info.get("DockerRootDir") or ""),
        platform=_platform(info),
    )


def _platform(info: Mapping[str, Any]) -> str:
    """Return the Engine's platform; it names the machine as the kernel does."""
    system, machine = info.get("OSType"), info.get("Architecture")
    if not isinstance(system, str) or not isinstance(machine, str):
        return ""
    return f"{system}/{_MACHINES.get(machine, machine)}" if system and machine else ""


def _names(listed: Iterable[object] | None) -> tuple[str, ...]:
    # Engine 26.1 repeats a repository for every tag that it has.
    names = dict.fromkeys(str(name) for name in listed or ())
    return tuple(name for name in names if "<none>" not in name)


def _manifests(listed: object) -> Iterable[str]:
    """Yield the digests of an index's local images, without attestations."""
    for entry in listed if isinstance(listed, list) else ():
        found = _mapping(entry)
        if found.get("Kind") == "image" and found.get("Available") is True:
            yield str(found.get("ID") or "")


def _has_containerd_store(info: Mapping[str, Any]) -> bool:
    return _CONTAINERD_DRIVER in str(info.get("DriverStatus"))


def _insecure(settings: Mapping[str, Any]) -> Iterable[str]:
    networks = settings.get("InsecureRegistryCIDRs")
    yield from map(str, networks if isinstance(networks, list) else ())
    for name, index in _mapping(settings.get("IndexConfigs")).items():
        if not _mapping(index).get("Secure", True):
            yield str(name)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def login_body(auth: logins.AuthConfig) -> dict[str, str]:
    """Return a login for the Engine's `POST /auth`."""
    return {
        "username": auth.username,
        "password": auth.password.reveal(),
        "serveraddress": auth.domain,
    }


def _login(auth: logins.AuthConfig | None) -> dict[str, str]:
    if auth is None:
        return {}
    is_hub = auth.domain == reference.DOCKER_HUB
    login = {"ServerAddress": _HUB_ACCOUNT if is_hub else auth.domain}
    if auth.identity_token:
        return login | {"IdentityToken": auth.identity_token.reveal()}
    return login | {"Username": auth.username, "Password": auth.password.reveal()}
