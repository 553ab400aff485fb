"""Go's text/template, as Dokku uses it for the property `image-repo-template`.

The data is a struct with one string, `AppName`; for extra tags it has more fields
(`core.release.tag_templates`). Results and error texts are those of
Go 1.26 (https://pkg.go.dev/text/template); golden cases from it are in
`tests/vectors/go-template.jsonl`. Go sets no bounds on what a template takes. This
module does, and its errors then say that the bound is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.gotemplate import (
    budget,
    executor,
    nodes,
    parser,
    quoting,
    values,
)

SOURCE_LIMIT: Final = 8192
"""Maximum characters of a template; usual ones have some hundred."""


class TemplateError(errors.RegistrydError):
    """A template is invalid. Correct the property that it is in."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template renders."""

    text: str
    has_gap: bool
    """Whether it has printed an empty text, such as an unknown value."""


def render(template: str, app_name: str) -> str:
    """Return the text that a template renders for an app's name.

    Raises:
        TemplateError: With Go's text, or with the limit that was reached.
    """
    return render_fields(template, {"AppName": app_name}).text


def render_fields(template: str, fields: Mapping[str, str | int]) -> Rendered:
    """Return what a template renders for a struct of strings and integers.

    Raises:
        TemplateError: With Go's text, or with the limit that was reached.
    """
    try:
        done = _execute(template, fields)
    except nodes.LimitError as error:
        reason = f" it {error}, which dokku-registryd does not allow"
    except nodes.SyntaxFailure as error:
        reason = str(error)
    except nodes.ExecutionFailure as error:
        reason = _place(template, error)
    else:
        return Rendered(quoting.readable(bytes(done.output)), done.has_gap)
    text = f"template: {parser.MAIN}:{reason}"
    raise TemplateError(quoting.readable(quoting.encode(text)))


def _execute(template: str, fields: Mapping[str, str | int]) -> budget.Budget:
    if len(template) > SOURCE_LIMIT:
        raise nodes.LimitError(f"is longer than {SOURCE_LIMIT} characters")
    definitions = parser.parse(template)
    data = values.Data(
        tuple(
            (name, quoting.encode(value) if isinstance(value, str) else value)
            for name, value in fields.items()
        )
    )
    return executor.execute(definitions, parser.MAIN, data)


def _place(template: str, error: nodes.ExecutionFailure) -> str:
    before = template[: error.node.at]
    line = before.count("\n") + 1
    column = len(quoting.encode(before.rpartition("\n")[2]))
    name = quoting.quote_text(error.template)
    return f"{line}:{column}: executing {name} at <{error.node}>: {error}"
