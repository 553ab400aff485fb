"""Valid values of properties, and their stored form.

Dokku stores any value and fails at the next release. Here an unusable value is refused,
with a suggestion.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from dokku_registryd import errors
from dokku_registryd.core.dokku import (
    computed,
    core_properties,
    follow_property,
    keeping,
    mirror_property,
    policy,
    tag_lists,
)
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import holds

Check = Callable[[str, str], "Accepted"]

_DAY = 86400
_MAX_KEPT = 10_000
_MAX_DAYS = 3650
_MAX_TEXT = 40  # characters of a number and an age; it bounds what int() gets
_YES = frozenset({"1", "t", "y", "on", "yes", "true", "enable", "enabled"})
_NO = frozenset({"0", "f", "n", "off", "no", "false", "disable", "disabled"})
_SAMPLE_APP = "app"
# Spellings that Dokku itself treats as Docker Hub.
_DOCKER_HUB = frozenset({"docker.io", "hub.docker.com"})


class ValueRefusedError(errors.RegistrydError):
    """A value is unusable. The message says which ones are valid."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The stored value, and a warning about it."""

    text: str
    warning: str = ""


def push_on_release(_app: str, text: str) -> Accepted:
    """Accept `true`, the only text that Dokku compares with, or `false`."""
    return Accepted(_choice("push-on-release", text, on="true", off="false"))


def push_extra_tags(app: str, text: str) -> Accepted:
    """Accept a list of tags; Dokku does not trim items, so they are stored trimmed.

    Of a template the result for sample values is checked.
    """
    items = (item.strip() for item in tag_lists.split(text))
    tags = list(dict.fromkeys(filter(None, items)))
    if not tags:
        raise ValueRefusedError(f"push-extra-tags contains no tag: {text!r}")
    sample = "" if app == policy.GLOBAL else app
    for tag in tags:
        if tag_lists.is_template(tag):
            templates = importlib.import_module(
                "dokku_registryd.core.release.tag_templates"
            )
            if objection := templates.objection(tag, sample):
                raise ValueRefusedError(f"push-extra-tags: {objection}")
            continue
        if not reference.is_tag(tag):
            raise ValueRefusedError(
                f"push-extra-tags must be tags separated by commas, such as"
                f" stable,latest; {tag!r} is not a valid tag"
            )
        if core_properties.is_numeric(tag):
            raise ValueRefusedError(
                f"push-extra-tags must not be numbers, as numbers are the tags of"
                f" releases; use v{tag} instead of {tag}"
            )
    return Accepted(",".join(tags))


def image_repo(_app: str, text: str) -> Accepted:
    """Accept a repository, without tag or digest."""
    repository = text.strip()
    _check_repository("image-repo", repository)
    return Accepted(repository)


def image_repo_template(app: str, text: str) -> Accepted:
    """Accept a template that renders a repository for an app's name.

    An invalid template is stored too, because Dokku's own tests store one and expect it
    back; until it is corrected the repository is `dokku/APP`.
    """
    sample = _SAMPLE_APP if app == policy.GLOBAL else app
    # Importing it takes longer than all other properties.
    gotemplate = importlib.import_module("dokku_registryd.core.gotemplate")
    try:
        rendered = gotemplate.render(text.strip(), sample).strip()
    except gotemplate.TemplateError as error:
        return Accepted(
            text,
            f"image-repo-template is invalid, so dokku/APP is used: {error}."
            " The name of the app is {{ .AppName }}",
        )
    _check_repository(f"image-repo-template, for {sample},", rendered)
    return Accepted(text)


def server(_app: str, text: str) -> Accepted:
    """Accept a registry's host, optionally with port and path."""
    place = text.strip()
    hint = _server_hint(place)
    if hint:
        raise ValueRefusedError(
            f"server must be a registry's host, such as ghcr.io or"
            f" registry.example.com:5000, not {_shown(place)!r}. {hint}"
        )
    return Accepted(place)


def push_policy(_app: str, text: str) -> Accepted:
    """Accept `wait` or `background`."""
    value = text.strip()
    if value not in {"wait", "background"}:
        raise ValueRefusedError(
            f"push-policy must be wait or background, not {value!r}"
        )
    return Accepted(value)


def push_deadline(_app: str, text: str) -> Accepted:
    """Accept a duration from a second to a day."""
    value = text.strip()
    # Enough for the seconds of a day, and short enough for int().
    is_short = len(value) <= len(str(_DAY)) + 1
    seconds = policy.parse_seconds(value) if is_short else None
    if seconds is None or not 1 <= seconds <= _DAY:
        raise ValueRefusedError(
            f"push-deadline must be a duration of at most a day, such as 90s, 15m, 2h"
            f" or 1d, not {value!r}"
        )
    return Accepted(value)


def heal(_app: str, text: str) -> Accepted:
    """Accept `on` or `off`."""
    return Accepted(_choice("heal", text, on="on", off="off"))


def release_records(_app: str, text: str) -> Accepted:
    """Accept `on` or `off`."""
    return Accepted(_choice("release-records", text, on="on", off="off"))


def keep_releases(_app: str, text: str) -> Accepted:
    """Accept a number of releases, an age, or both."""
    return Accepted(_kept("keep-releases", text.strip()))


def keep_remote(_app: str, text: str) -> Accepted:
    """Accept a number of releases, an age, both, or `all`."""
    value = text.strip()
    is_all = value == keeping.ALL
    return Accepted(value if is_all else _kept("keep-remote", value, ", or all"))


def hold(_app: str, text: str) -> Accepted:
    """Accept holds: `all` or numbers, each with a reason or without one."""
    found, mistake = holds.parse(text)
    if mistake:
        raise ValueRefusedError(
            "hold must be all or numbers of releases, with a reason behind a colon,"
            f" such as 'all: freeze until Monday; 38: the last good one';"
            f" {mistake!r} is neither"
        )
    if len(found.numbers) > holds.MAX_HOLDS:
        raise ValueRefusedError(f"hold must be {holds.MAX_HOLDS} releases at most")
    return Accepted(holds.render(found))


def mirror(app: str, text: str) -> Accepted:
    """Accept `off`, or a registry's host with or without a repository."""
    place = text.strip().rstrip("/")
    if place == mirror_property.OFF:
        return Accepted(place)
    hint = _server_hint(place)
    if not hint:
        is_shared = app == policy.GLOBAL
        sample = f"org/{_SAMPLE_APP}"
        try:
            mirror_property.repository_of(place, sample, is_shared=is_shared)
        except errors.InvalidReferenceError as error:
            hint = f"Docker refuses it: {error}"
    if hint:
        raise ValueRefusedError(
            "mirror must be off, or a registry's host with or without a repository,"
            f" such as backup.example.com:5000/org/web, not {_shown(place)!r}. {hint}"
        )
    return Accepted(place)


def follow(_app: str, text: str) -> Accepted:
    """Accept `off`, or repositories with their registries, separated by commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if [part for part in parts if _shown(part) != part]:
        raise ValueRefusedError(
            "follow must not contain a login. Remove the part before the @, and use"
            " dokku registry:login"
        )
    found, wrong = follow_property.parse(text)
    if wrong or not (found or parts == [follow_property.OFF]):
        raise ValueRefusedError(
            f"follow must be off, or at most {follow_property.MOST} repositories with"
            " their registries, separated by commas, such as ghcr.io/org/web, not"
            f" {wrong[0] if wrong else text.strip()!r}"
        )
    return Accepted(",".join(dict.fromkeys(parts)))


REGISTRY: dict[str, Check] = {
    "image-repo": image_repo,
    "image-repo-template": image_repo_template,
    "push-extra-tags": push_extra_tags,
    "push-on-release": push_on_release,
    "server": server,
}
REGISTRYD: dict[str, Check] = {
    "follow": follow,
    "heal": heal,
    "hold": hold,
    "keep-releases": keep_releases,
    "keep-remote": keep_remote,
    "mirror": mirror,
    "push-deadline": push_deadline,
    "push-policy": push_policy,
    "release-records": release_records,
}
REGISTRYD_OF_APPS: frozenset[str] = frozenset({"hold"})
"""Those of `REGISTRYD` that cannot be set globally."""
REGISTRYD_OF_HOST: frozenset[str] = frozenset({follow_property.NAME})
"""Those of `REGISTRYD` that can only be set globally."""


def _kept(name: str, value: str, more: str = "") -> str:
    kept = keeping.parse(value) if len(value) <= _MAX_TEXT else None
    most_seconds = _MAX_DAYS * _DAY
    if kept is None or kept.count > _MAX_KEPT or kept.seconds > most_seconds:
        raise ValueRefusedError(
            f"{name} must be a number of releases from 0 to {_MAX_KEPT}, an age of at"
            f" most {_MAX_DAYS}d, or both: 10, 30d or 10,30d{more}, not {value!r}"
        )
    return "".join(value.split())


def _choice(name: str, text: str, *, on: str, off: str) -> str:
    value = text.strip()
    if value in {on, off}:
        return value
    meant = on if value.lower() in _YES else off if value.lower() in _NO else ""
    question = f". Did you mean {meant}?" if meant else ""
    raise ValueRefusedError(f"{name} must be {on} or {off}, not {value!r}{question}")


def _check_repository(what: str, repository: str) -> None:
    if _shown(repository) != repository:
        raise ValueRefusedError(
            f"{what} must be a repository such as org/web, not {_shown(repository)!r}:"
            " it must not contain a login, use dokku registry:login"
        )
    try:
        # Docker reads a first part with capitals as a host, which is not intended.
        has_capitals = repository.lower() != repository
        image = reference.parse(
            f"docker.io/{repository}" if has_capitals else repository
        )
    except errors.InvalidReferenceError as error:
        raise ValueRefusedError(
            f"{what} must be a repository such as org/web, not {repository!r}: {error}"
        ) from error
    if image.tag or image.digest:
        raise ValueRefusedError(
            f"{what} must be a repository without a tag, such as org/web, not"
            f" {repository!r}: the tag is the number of the release"
        )


def _shown(text: str) -> str:
    return computed.without_login(text)


def _server_hint(place: str) -> str:
    """Return a hint about an invalid server; empty if it is valid."""
    if _shown(place) != place:
        return "Remove the login before the @, and use dokku registry:login"
    bare = place.removesuffix("/")
    host = bare.partition("/")[0]
    is_docker_hub = reference.normalize_domain(host) == reference.DOCKER_HUB
    if bare in _DOCKER_HUB:
        return ""
    if "://" in place:
        return f"Remove {place.partition('://')[0]}://"
    if "//" in place:
        return "Use a single slash"
    if is_docker_hub and host != reference.DOCKER_HUB:
        return "Docker Hub is docker.io"
    return _reference_hint(bare, host)


def _reference_hint(bare: str, host: str) -> str:
    try:
        image = reference.parse(f"{bare}/image")
    except errors.InvalidReferenceError as error:
        return f"Docker refuses {bare}/image: {error}"
    if image.domain != host:
        return (
            "A host has a dot or a port: for a user or an organisation on Docker Hub"
            " set image-repo"
        )
    return ""
