"""The properties of Dokku's own plugin: where releases go, and their tags.

The rules, odd ones included, are those of Dokku 0.38.27 (`plugins/registry`,
functions.go and report.go).
"""

import importlib
import itertools
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import computed, tag_lists
from dokku_registryd.core.dokku.property_source import Source
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import numbering

_RELEASE: Final = "dokku_registryd.core.release"


def without_login(source: Source, name: str, value: str) -> str:
    """Remove a login from an address: it is not used there, and reports show it."""
    bare = computed.without_login(value)
    if bare != value:
        source.mistakes.append(
            f"{name}: {bare} contains a login. Set it again without the part before"
            f" the @, with dokku registry:set {source.app} {name}, and log in with"
            f" dokku registry:login"
        )
    return bare


def image_repo(source: Source) -> str:
    """Return the repository, without its registry."""
    try:
        return computed.image_repo(source.app, source.read)
    except errors.UnreadableError:
        raise
    except errors.RegistrydError as error:
        source.mistakes.append(f"image-repo-template: {error}")
        return f"dokku/{source.app}"


def extra_tags(source: Source) -> tuple[str, ...]:
    """Return the further tags of each release; numbers are left out."""
    whole = source.core_or_global("push-extra-tags")
    texts = [text.strip() for text in tag_lists.split(whole)]
    tags = dict.fromkeys(text for text in texts if text)
    for template in filter(tag_lists.is_template, list(tags)):
        # Most apps have none, and its import takes longer than all other properties.
        templates = importlib.import_module(f"{_RELEASE}.tag_templates")
        if objection := templates.objection(template, source.app):
            source.left_out.append(f"push-extra-tags: {objection}")
            del tags[template]
    for tag in itertools.filterfalse(tag_lists.is_template, tags):
        if not reference.is_tag(tag):
            source.mistakes.append(f"push-extra-tags: {tag!r} is not a valid tag")
    if numbers := [tag for tag in tags if is_numeric(tag)]:
        # Dokku's own plugin would overwrite the release of that number.
        source.left_out.append(
            f"push-extra-tags: {', '.join(numbers)} ignored, as numbers are the tags of"
            f" releases; use v{numbers[0]} instead"
        )
    return tuple(tag for tag in tags if not is_numeric(tag))


def tag_version(source: Source) -> str:
    """Return the counter as it is written."""
    raw = source.read(computed.CORE, source.app, "tag-version")
    text = raw.strip()
    is_number = text.isascii() and text.isdigit()
    if is_number and numbering.whole_number(text) is None:
        # Dokku's message; a release refuses a text that is not a number the same way.
        source.mistakes.append(
            f"tag-version: Unable to convert existing tag version ({text}) to integer:"
            f' strconv.Atoi: parsing "{text}": value out of range'
        )
    return raw


def is_numeric(tag: str) -> bool:
    """Return whether a tag could be the number of a release."""
    return tag.isascii() and tag.isdigit()
