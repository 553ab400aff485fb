"""Who says that something does not exist: a registry, or what stands before it.

A proxy whose registry is away answers 404 as a registry does, and so does a web server
that is none. What was taken for absent then is pushed again, told as lost or removed.

A registry tells in a JSON body (OCI specification, "Error Codes"), or without a body,
or has the header of Docker's API (`Docker-Distribution-Api-Version`), which most send
with each answer and some never. A page is not theirs, and a text is not if the same
host has sent that header before; unless the registry answers all the same, since some
proxies replace what it says with 404 (`is_greeting`).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from dokku_registryd.core.registry import protocol, refusals
from dokku_registryd.core.text import json_documents

API_HEADER: Final = "docker-distribution-api-version"
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


def is_page(headers: Mapping[str, str]) -> bool:
    """Return whether an answer is a page for a browser, such as a proxy shows."""
    stated = headers.get("content-type", "").partition(";")[0]
    return stated.strip().lower() in _PAGES


def is_greeting(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a registry has answered `GET /v2/`, with or without a login.

    OCI specification, "Determining Support": 200 or 401. All have the header, JSON, or
    the challenge of a login.

    Args:
        status: The status of the answer.
        headers: Its headers, with names in lower case.
        body: Its body.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return API_HEADER in headers or "www-authenticate" in headers
    return status == HTTPStatus.OK and (API_HEADER in headers or _is_json(body))


def tells_nothing(status: int) -> bool:
    """Return whether an answer to `GET /v2/` leaves open who would have answered.

    Args:
        status: Its status: that of a server that is too busy, or away.
    """
    return (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status == HTTPStatus.TOO_MANY_REQUESTS
        or status in refusals.TEMPORARY
    )


def is_told(headers: Mapping[str, str], body: bytes, *, has_api_header: bool) -> bool:
    """Return whether a registry has said 404, as far as that shows.

    Args:
        headers: Those of the answer, with names in lower case.
        body: Its body.
        has_api_header: Whether its host has sent `API_HEADER` before.
    """
    if API_HEADER in headers or not body.strip() or protocol.load_object(body):
        return True
    return not (has_api_header or is_page(headers))


def _is_json(body: bytes) -> bool:
    try:
        json_documents.load(body)
    except json_documents.MalformedJsonError:
        return False
    return True
