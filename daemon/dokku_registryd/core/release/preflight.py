"""What a release refuses before it begins, so that `doctor` can say it earlier."""

from collections.abc import Iterable, Iterator

from dokku_registryd import errors
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import numbering

_SWITCH = "push-on-release"
_STATES = frozenset({"true", "false"})


def objections(policy: dokku_policy.AppPolicy) -> tuple[str, ...]:
    """Return why every release of an app fails at once, each with its property.

    It is empty if a release would begin. Whether the app pushes at all is not judged.
    """
    return tuple(_objections(policy))


def _objections(policy: dokku_policy.AppPolicy) -> Iterator[str]:
    yield from policy.mistakes
    repository = f"{policy.server}{policy.image_repo}"
    try:
        reference.parse(f"{repository}:1")
    except errors.InvalidReferenceError as error:
        yield (
            f"{repository} is not a valid repository: {error}. Correct server or"
            f" image-repo with dokku registry:set {policy.app}"
        )
    text = policy.tag_version.strip()
    if text and not (text.isascii() and text.isdigit()):
        yield (
            # Dokku's message.
            f"tag-version: Unable to convert existing tag version ({text}) to integer:"
            f' strconv.Atoi: parsing "{text}": invalid syntax'
        )
    elif policy.last_number >= numbering.HIGHEST:
        yield (
            f"tag-version: there is no number after {text}. Set it to the last pushed"
            " number"
        )


def odd_switch(app: str, read: dokku_policy.Reader) -> tuple[str, str] | None:
    """Return a push-on-release that is neither true nor false: its owner, its text.

    Dokku compares it with `true`, so an app with any other text is never pushed. A
    global value is compared as it is, an app's without white space.

    Args:
        app: The app, or `--global`.
        read: Returns a property's raw text: (plugin folder, app or `--global`, name).
    """
    own = read(dokku_policy.CORE, app, _SWITCH)
    if app != dokku_policy.GLOBAL and own.strip():
        return None if own.strip() in _STATES else (app, own)
    text = read(dokku_policy.CORE, dokku_policy.GLOBAL, _SWITCH)
    if not text.strip() or text in _STATES:
        return None
    return (dokku_policy.GLOBAL, text)


def shared_repositories(
    policies: Iterable[dokku_policy.AppPolicy],
) -> dict[str, tuple[str, ...]]:
    """Return for each app that shares its repository the other apps that push there.

    Each of them skips the numbers of the others, and their extra tags are the same.
    """
    apps: dict[str, list[str]] = {}
    for policy in policies:
        if policy.push_on_release:
            place = f"{policy.server}{policy.image_repo}"
            apps.setdefault(place, []).append(policy.app)
    return {
        app: tuple(other for other in together if other != app)
        for together in apps.values()
        for app in together
        if len(together) > 1
    }


def sharing(policy: dokku_policy.AppPolicy, others: tuple[str, ...]) -> str:
    """Return a sentence about an app that shares its repository."""
    return (
        f"{policy.server}{policy.image_repo} is also the repository of"
        f" {', '.join(others)}: each app skips the numbers of the others, and extra"
        " tags move to the last release of any. Set another image-repo for one of them"
        f" with: dokku registry:set {policy.app} image-repo ORG/NAME"
    )
