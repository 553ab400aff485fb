"""Extra tags that are templates: `{{ .GitShortRev }}`, `{{ .Branch }}-{{ .Number }}`.

They are written in the language of `image-repo-template` (`core.gotemplate`), and get
the values of one release: what was recorded with its number, so that each attempt moves
the same tags. A tag without `{{` is not a template, and never read here.
"""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dokku_registryd.core.dokku import tag_lists
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import origins
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release

Fields = Mapping[str, str | int]

_NOT_IN_TAGS: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_FIELD: Final = re.compile(r"\.([A-Za-z]+)")
_SHOWN: Final = 80
"""Characters of a template, or of its result, in a message."""
_MOST_OF_REASON: Final = 200
_SAMPLE_APP: Final = "app"
_SAMPLE: Final = Origin(revision="3f1c9a7be2" * 4, branch="main")
NAMES: Final = (".App", ".Branch", ".Date", ".GitRev", ".GitShortRev", ".Number")
"""The values that a template can have; `.AppName` is `.App`, as in other templates."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The extra tags of one release."""

    tags: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    """Why templates give no tag, a sentence each."""


def objection(tag: str, app: str) -> str:
    """Return why a template gives no release of an app a tag; empty if it can.

    It is tried with sample values. Without a result it may be meant for some releases
    only, as `{{ if eq .Branch "main" }}stable{{ end }}`.
    """
    sample = _fields(app or _SAMPLE_APP, 1, "20260102", _SAMPLE)
    return _result(tag, sample)[1]


def resolve(tags: Iterable[str], release: Release, origin: Origin) -> Resolved:
    """Return the extra tags of a release, without duplicates.

    Args:
        tags: Tags and templates.
        release: The release; its number may change until it is pushed.
        origin: What was recorded of its origin.
    """
    found: dict[str, None] = {}
    skipped: list[str] = []
    date = datetime.fromtimestamp(release.created_at, UTC).strftime("%Y%m%d")
    fields = _fields(release.app, release.number, date, origin)
    for tag in tags:
        text, problem = (
            _result(tag, fields) if tag_lists.is_template(tag) else (tag, "")
        )
        if problem:
            skipped.append(problem)
        elif text:
            found[text] = None
    return Resolved(tuple(found), tuple(skipped))


def _fields(app: str, number: int, date: str, origin: Origin) -> Fields:
    return {
        "App": app,
        "AppName": app,
        "Branch": _NOT_IN_TAGS.sub("-", origin.branch),
        "Date": date,
        "GitRev": origin.revision,
        "GitShortRev": origins.short_revision(origin.revision),
        "Number": number,
    }


def _result(tag: str, fields: Fields) -> tuple[str, str]:
    """Return the tag that a template gives, and why it gives none.

    Both are empty if it gives nothing on purpose.
    """
    # Most apps have no templates, and reports start without their language.
    gotemplate = importlib.import_module("dokku_registryd.core.gotemplate")
    shown = _shorten(tag)
    try:
        rendered = gotemplate.render_fields(tag, fields)
    except gotemplate.TemplateError as error:
        reason = _shorten(str(error), _MOST_OF_REASON)
        return "", f"{shown} is not a valid template: {reason}. It can have {_listed()}"
    text = rendered.text.strip()
    if rendered.has_gap:
        unknown = [f".{name}" for name in _unknown(tag, fields)]
        return "", (
            f"{shown} gives no tag, as"
            f" {' and '.join(unknown) or 'a value'} of this release is unknown"
        )
    if not text:
        return "", ""
    if text.isascii() and text.isdigit():
        return "", (
            f"{shown} gives a number, and numbers are the tags of releases; use"
            f" v{shown} instead"
        )
    if not reference.is_tag(text):
        result = _shorten(text)
        return "", f"{shown} gives {result!r}, which is not a valid tag"
    return text, ""


def _unknown(tag: str, fields: Fields) -> Iterator[str]:
    named = _FIELD.findall(tag)
    for name, value in fields.items():
        if value == "" and name in named:
            yield name


def _shorten(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _listed() -> str:
    return f"{', '.join(NAMES[:-1])} and {NAMES[-1]}"
