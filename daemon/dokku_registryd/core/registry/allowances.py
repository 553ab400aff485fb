"""What a registry says of its limit for requests, in headers of its answers.

Docker Hub states it with each manifest, for HEAD too, which it does not count
(https://docs.docker.com/docker-hub/usage/pulls/): `ratelimit-limit: 100;w=21600` and
`ratelimit-remaining: 76;w=21600`. GitLab has the same headers without the window. All
input is untrusted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_RESERVE: Final = 0.5  # the share of the limit that checks leave to heals and deploys
_LEAST: Final = 50  # what they leave if the limit is not stated
_COUNT: Final = re.compile(r"\s*([0-9]{1,9})\s*(?:[;,].*)?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many requests a registry still allows."""

    left: int
    limit: int | None = None

    @property
    def is_scarce(self) -> bool:
        """Whether the rest should be left to heals and deploys."""
        if self.limit is None:
            return self.left <= _LEAST
        return self.left <= self.limit * _RESERVE


def parse(headers: Mapping[str, str]) -> Allowance | None:
    """Return what an answer states; None if it states nothing.

    Args:
        headers: Names in lower case.
    """
    left = _count(headers.get("ratelimit-remaining", ""))
    if left is None:
        return None
    return Allowance(left, _count(headers.get("ratelimit-limit", "")))


def _count(header: str) -> int | None:
    found = _COUNT.fullmatch(header)
    return int(found[1]) if found else None
