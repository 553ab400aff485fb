"""Several tags of one manifest in one request: its parameter, and the answer's header.

Source: the OCI distribution specification, "Pushing Manifests", endpoint end-7b, in its
main branch since 2026-04-22 (pull request 600; not in 1.1.1):
https://github.com/opencontainers/distribution-spec/blob/967efdc/spec.md. A manifest is
put by its digest, with `?tag=1.2&tag=latest`. Only the tags that the header `OCI-Tag`
of the answer lists were accepted: a registry without this part stores the manifest, and
ignores the parameter.
"""

from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import quote

HEADER: Final = "oci-tag"
MOST: Final = 10
"""Tags of one request that a registry should accept."""
_MAX_HEADER: Final = 16 << 10  # characters; ten tags have at most some 1300


def groups(tags: Sequence[str]) -> list[Sequence[str]]:
    """Split tags into parts of which each fits into one request."""
    return [tags[first : first + MOST] for first in range(0, len(tags), MOST)]


def query(tags: Collection[str]) -> str:
    """Return the query of the request for some tags."""
    return "&".join(f"tag={quote(tag, safe='')}" for tag in tags)


def accepted(header: str, tags: Collection[str]) -> frozenset[str]:
    """Return those of the tags that the answer lists.

    Args:
        header: The values of all `OCI-Tag` lines, joined by commas (RFC 9110, 5.3).
        tags: The requested tags.
    """
    listed = {text.strip() for text in header[:_MAX_HEADER].split(",")}
    return frozenset(listed.intersection(tags))
