"""What a registry's proxy does in place of the registry's answer, and to what."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from torture import tokens

# Not by its digest: such a request is for several tags, and names none in its path.
MANIFEST: Final = re.compile(r"/v2/(?P<path>.+)/manifests/(?P<tag>[^/?:]+)(?=[?]|$)")
Concern = Literal["all", "pushes", "tags that exist", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A manifest that the registry took."""

    path: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdeed:
    """What the proxy does in place of the registry's answer.

    Attributes:
        way: `reset`, `cut`, `stall`, `answer`, `lie`, `lose`, `slow`: reset at once,
            after half of a request's body, never answer, answer with `status`, state a
            wrong digest, do the work and lose the answer, or answer late.
        status: The answer's status.
        headers: Its headers.
        code: The error code in its body.
        seconds: How late an answer is.
        concerns: What requests it is done to.
    """

    way: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    code: str = "UNKNOWN"
    seconds: float = 0.0
    concerns: Concern = "all"


def concerns(misdeed: Misdeed, line: str) -> bool:
    """Tell whether a request, `METHOD /path`, is one that it is done to."""
    if misdeed.concerns == "tokens":
        return line.partition(" ")[2].startswith(tokens.PATH)
    if misdeed.concerns == "pushes":
        is_upload = line.startswith("POST") and "/blobs/uploads" in line
        return is_upload or (line.startswith("PUT") and "/manifests/" in line)
    if misdeed.way == "cut":
        return line.startswith(("PATCH", "PUT"))
    if misdeed.way == "lie":
        return line.startswith(("HEAD", "GET")) and "/manifests/" in line
    if misdeed.way == "lose":
        return line.startswith("PUT") and "/manifests/" in line
    return True
