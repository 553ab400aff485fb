"""Whose 404 it is."""

import json

import pytest

from dokku_registryd.core.registry import absence

ERRORS = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode()
PAGE = b"<html><head><title>404 Not Found</title></head></html>"
TEXT = b"404 page not found\n"
HTML = "text/html; charset=utf-8"
API = {"docker-distribution-api-version": "registry/2.0"}


@pytest.mark.parametrize(
    ("headers", "body", "has_api_header", "expected"),
    [
        ({"content-type": "application/json"}, ERRORS, False, True),
        ({"content-type": "application/json"}, ERRORS, True, True),
        ({"content-type": "text/html"}, ERRORS, True, True),
        ({"content-type": "application/json"}, b'{"message":"no"}', True, True),
        ({**API, "content-type": "text/plain"}, TEXT, True, True),
        ({**API, "content-type": HTML}, PAGE, False, True),
        ({}, b"", True, True),
        ({"content-type": HTML}, b"\r\n", True, True),
        ({"content-type": "text/plain"}, TEXT, False, True),
        ({}, TEXT, False, True),
        ({"content-type": "text/plain"}, TEXT, True, False),
        ({}, b"{", True, False),
        ({"content-type": HTML}, PAGE, False, False),
        ({"content-type": "Application/XHTML+XML"}, PAGE, False, False),
        ({"content-type": HTML}, PAGE, True, False),
    ],
)
def test_whose_404(
    headers: dict[str, str], body: bytes, has_api_header: bool, expected: bool
) -> None:
    """JSON, no body and the API's header are a registry's; pages never are."""
    told = absence.is_told(headers, body, has_api_header=has_api_header)

    assert told == expected


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, API, b"", True),
        (200, {}, b"{}", True),
        (200, {"content-type": HTML}, b"true", True),
        (401, {"www-authenticate": "Bearer"}, PAGE, True),
        (401, API, b"", True),
        (200, {"content-type": HTML}, PAGE, False),
        (200, {}, b"", False),
        (401, {}, PAGE, False),
        (404, API, b"", False),
        (502, API, PAGE, False),
    ],
)
def test_who_greets(
    status: int, headers: dict[str, str], body: bytes, expected: bool
) -> None:
    """A registry answers 200 or 401, and not with a page."""
    assert absence.is_greeting(status, headers, body) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, False), (401, False), (404, False), (408, True), (429, True), (502, True)],
)
def test_who_says_nothing(status: int, expected: bool) -> None:
    """A server that is too busy may stand before a registry."""
    assert absence.tells_nothing(status) == expected
