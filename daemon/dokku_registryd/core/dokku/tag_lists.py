"""The list of extra tags in a property, with templates among them.

`core.release.tag_templates` says what they give. This much is needed to read a policy,
so it imports nothing.
"""

_BEGIN = "{{"
_END = "}}"


def is_template(tag: str) -> bool:
    """Return whether an extra tag is a template."""
    return _BEGIN in tag


def split(text: str) -> list[str]:
    """Split a list of tags at its commas, but not at those within a template."""
    items = [""]
    while text:
        plain, begin, rest = text.partition(_BEGIN)
        inner, end, after = rest.partition(_END)
        if begin and not end:  # Without an end it is plain text.
            plain, begin, inner, after = text, "", "", ""
        first, *more = plain.split(",")
        items[-1] += first
        items += more
        items[-1] += begin + inner + end
        text = after
    return items
