"""How push and pull streams are read, with the words of both image stores."""

import json
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import stream

VECTORS = Path(__file__).parents[2] / "vectors"
HOST = "registry.example:5000"
NAME = f"{HOST}/org/web:500"
DIGEST = "sha256:" + "7de1" * 16
URL = f"https://{HOST}/v2/org/web/blobs/uploads/1?_state=SECRET&digest={DIGEST}"
DENIED = "push access denied, repository does not exist or may require authorization"

# What Engine 20.10 (classic store) and Engine 26.1 and later (containerd store) say.
TEXTS: list[tuple[str, type[errors.RegistrydError]]] = [
    # Logins.
    ("unauthorized: authentication required", errors.AuthenticationError),
    ("no basic auth credentials", errors.AuthenticationError),
    (
        f'Head "http://{HOST}/v2/org/web/manifests/500": no basic auth credentials',
        errors.AuthenticationError,
    ),
    (
        f"{DENIED}: authorization failed: no basic auth credentials",
        errors.AuthenticationError,
    ),
    (
        f"unexpected status from HEAD request to {URL}: 401 Unauthorized",
        errors.AuthenticationError,
    ),
    (
        f'Get "https://{HOST}/v2/": unauthorized: incorrect username or password',
        errors.AuthenticationError,
    ),
    (
        "error from registry: access to the requested resource is not authorized",
        errors.AuthenticationError,
    ),
    # Rights.
    (
        "denied: User: arn:aws:iam::1:user/ci is not authorized to perform: ecr:Put",
        errors.AccessDeniedError,
    ),
    (
        "error from registry: User: arn:1:x is not authorized to perform: ecr:PutImage",
        errors.AccessDeniedError,
    ),
    (
        "denied: requested access to the resource is denied",
        errors.AccessDeniedError,
    ),
    ("error from registry: denied", errors.AccessDeniedError),
    (
        "error from registry: client with IP '203.0.113.7' is not allowed access.",
        errors.AccessDeniedError,
    ),
    (
        "error from registry: installation not allowed to Create organization package",
        errors.AccessDeniedError,
    ),
    # What it does not take.
    ("manifest invalid: manifest invalid", errors.InvalidRequestError),
    ("error from registry: manifest invalid", errors.InvalidRequestError),
    (
        f"unexpected status from POST request to {URL}: 405 Method Not Allowed",
        errors.InvalidRequestError,
    ),
    (
        f"unexpected status from POST request to {URL}: 403 Forbidden",
        errors.AccessDeniedError,
    ),
    (
        f"{DENIED}: server message: insufficient_scope: authorization failed",
        errors.AccessDeniedError,
    ),
    # What is not there.
    (
        (
            "name unknown: The repository with name 'org/web' does not exist in the"
            " registry"
        ),
        errors.ImageNotFoundError,
    ),
    (
        "error from registry: The repository with name 'org/web' does not exist",
        errors.ImageNotFoundError,
    ),
    (
        f"manifest for {NAME} not found: manifest unknown: manifest unknown",
        errors.ImageNotFoundError,
    ),
    (
        f'failed to resolve reference "{NAME}": {NAME}: not found',
        errors.ImageNotFoundError,
    ),
    (f"tag does not exist: {NAME}", errors.ImageNotFoundError),
    (
        f"An image does not exist locally with the tag: {HOST}/org/web",
        errors.ImageNotFoundError,
    ),
    # Limits.
    (
        "toomanyrequests: You have reached your pull rate limit.",
        errors.RateLimitedError,
    ),
    ("toomanyrequests", errors.RateLimitedError),
    (
        "error from registry: toomanyrequests toomanyrequests",
        errors.RateLimitedError,
    ),
    (
        "error from registry: toomanyrequests: access denied for now",
        errors.RateLimitedError,
    ),
    (
        f"unexpected status from GET request to {URL}: 429 Too Many Requests",
        errors.RateLimitedError,
    ),
    ("error parsing HTTP 429 response body: no JSON", errors.RateLimitedError),
    (
        "unexpected HTTP status: 429 Too Many Requests: tag is immutable",
        errors.RateLimitedError,
    ),
    # No limits, but names chosen by users.
    (
        "unauthorized: project toomanyrequests not found: toomanyrequests",
        errors.AuthenticationError,
    ),
    (
        f"unexpected status from HEAD request to {URL}: 403 Forbidden: rate limit",
        errors.AccessDeniedError,
    ),
    (
        f"unexpected status from HEAD request to {URL}: 404 no project timeout",
        errors.ImageNotFoundError,
    ),
    # Tags that may not move.
    (
        (
            "tag invalid: The image tag '500' already exists in the 'org/web'"
            " repository and cannot be overwritten because the repository is immutable."
        ),
        errors.TagImmutableError,
    ),
    (
        (
            "error from registry: The image tag '500' already exists and the tag is"
            " immutable"
        ),
        errors.TagImmutableError,
    ),
    # Faults of the registry and of the way there.
    (
        "received unexpected HTTP status: 500 Internal Server Error",
        errors.RegistryUnavailableError,
    ),
    (
        (
            f"unknown: unexpected status from POST request to {URL}: 503 Service"
            " Unavailable"
        ),
        errors.RegistryBusyError,
    ),
    ("error from registry: unavailable unavailable", errors.RegistryBusyError),
    ("error from registry: unknown unknown", errors.RegistryUnavailableError),
    (
        "received unexpected HTTP status: 504 Denied By The Gateway",
        errors.RegistryUnavailableError,
    ),
    (
        "error parsing HTTP 502 response body: invalid character '<'",
        errors.RegistryUnavailableError,
    ),
    (
        (
            'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection'
            " refused"
        ),
        errors.RegistryUnavailableError,
    ),
    (
        (
            f'failed to do request: Head "{URL}": dial tcp: lookup registry.example: no'
            " such host"
        ),
        errors.RegistryUnavailableError,
    ),
    (
        f'Get "https://{HOST}/v2/": net/http: TLS handshake timeout',
        errors.RegistryUnavailableError,
    ),
    (
        (
            f'Get "https://{HOST}/v2/": net/http: request canceled while waiting for'
            " connection (Client.Timeout exceeded while awaiting headers)"
        ),
        errors.RegistryUnavailableError,
    ),
    (
        "read tcp 10.0.0.1:40404->10.0.0.2:443: read: connection reset by peer",
        errors.RegistryUnavailableError,
    ),
    ("unexpected EOF", errors.RegistryUnavailableError),
    (f'Patch "{URL}": EOF', errors.RegistryUnavailableError),
    # Settings.
    (
        f'Get "https://{HOST}/v2/": x509: certificate signed by unknown authority',
        errors.InvalidRequestError,
    ),
    (
        f'Get "https://{HOST}/v2/": http: server gave HTTP response to HTTPS client',
        errors.InvalidRequestError,
    ),
    # Unknown texts.
    ("the moon is in the wrong phase", errors.TransientError),
    ("filesystem layer verification failed for digest", errors.TransientError),
]


@pytest.mark.parametrize(("text", "kind"), TEXTS, ids=[text[:40] for text, _ in TEXTS])
def test_refusals(text: str, kind: type[errors.RegistrydError]) -> None:
    """Each text of an Engine means one kind of error, whichever store it is."""
    refusal = stream.refusal("push", NAME, text)

    assert type(refusal) is kind
    assert str(refusal).startswith(f"cannot push {NAME}: ")


MEANINGS = {
    "transient": errors.TransientError,
    "permanent": errors.PermanentError,
    "login": errors.AuthenticationError,
}
PASTED = [
    json.loads(line)
    for line in (VECTORS / "engine-refusals.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("case", PASTED, ids=lambda case: case["text"][:50])
def test_texts_that_people_pasted_into_reports(case: dict[str, str]) -> None:
    """What is final is not pushed again until the deadline; what passes is."""
    line = {"errorDetail": {"message": case["text"]}}
    said = stream.error_of(line)

    refusal = stream.refusal("push", "r.example/org/web:1", said)

    assert isinstance(refusal, MEANINGS[case["means"]]), refusal


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (
            "dial tcp: lookup x.example: no such host",
            errors.RegistryUnavailableError,
        ),
        (
            "tls: failed to verify certificate: x509: certificate has expired",
            errors.InvalidRequestError,
        ),
        ("unexpected status code 401 Unauthorized", errors.AuthenticationError),
    ],
)
def test_the_reason_at_the_end_of_a_long_text(
    reason: str, kind: type[errors.RegistrydError]
) -> None:
    """However long the names are that a text repeats, its reason counts and is told."""
    name = f"x.example/{'team/' * 20}web@sha256:{'1' * 64}"
    text = (
        f'failed to resolve reference "{name}": failed to do request: Head'
        f' "https://{name}": {reason}'
    )
    line = {"errorDetail": {"message": text}}

    refusal = stream.refusal("pull", "web", stream.error_of(line))

    assert len(text) > 400
    assert type(refusal) is kind
    assert reason in str(refusal)


@pytest.mark.parametrize(
    "name", ["x.example/denied/timeout:429", "x.example/org/immutable:401"]
)
def test_names_are_no_reasons(name: str) -> None:
    """Words within an image's name do not decide what an error is."""
    refusal = stream.refusal(
        "pull", name, f'failed to resolve reference "{name}": {name}: not found'
    )

    assert type(refusal) is errors.ImageNotFoundError


def test_upload_state_stays_out() -> None:
    """The query of an upload's URL, which lets others go on with it, is left out."""
    text = f"unexpected status from PUT request to {URL}: 500 Internal Server Error"

    refusal = stream.refusal("push", NAME, text)

    assert "SECRET" not in str(refusal)
    assert f"https://{HOST}/v2/org/web/blobs/uploads/1: 500" in str(refusal)


def test_a_login_that_an_engine_passes_on_stays_out() -> None:
    """A registry may repeat what it was sent, and the Engine tells it on."""
    auth = logins.AuthConfig(
        domain=HOST, username="ci", password=logins.Secret("planted-password")
    )
    text = "denied: planted-password, sent as Basic Y2k6cGxhbnRlZC1wYXNzd29yZA=="

    refusal = stream.refusal("push", NAME, text, auth.secrets)
    shown = stream.text_of({"status": text}, auth.secrets)

    for said in (str(refusal), shown):
        assert "planted" not in said
        assert "Y2k6" not in said
        assert "denied: ***" in said


def test_a_long_text_is_read_at_both_ends() -> None:
    """A text without end is judged by 4 KiB of it."""
    text = "denied " + "x" * 200_000 + " unauthorized"

    refusal = stream.refusal("push", NAME, text)

    assert type(refusal) is errors.AuthenticationError
    assert str(refusal).endswith("unauthorized. Log in again with dokku registry:login")


def test_texts_become_one_short_line() -> None:
    """A foreign text is passed on as one line of bounded length."""
    text = stream.clean("denied:\n  <html>\r\n" + "x" * 5000)

    assert text.startswith("denied: <html> x")
    assert len(text) < 410


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            {"error": "short", "errorDetail": {"message": "the whole story"}},
            "the whole",
        ),
        ({"error": "only this"}, "only this"),
        ({"errorDetail": {"code": 401, "message": "only that"}}, "only that"),
        ({"errorDetail": None, "status": "Pushed"}, ""),
        ({"status": "error: not really"}, ""),
    ],
)
def test_error_lines(line: dict[str, Any], text: str) -> None:
    """The error of a line is in either of two places."""
    found = stream.error_of(line)

    assert found.startswith(text)
    assert bool(found) == bool(text)


@pytest.mark.parametrize(
    ("line", "digest"),
    [
        ({"aux": {"Tag": "1", "Digest": DIGEST, "Size": 523}}, DIGEST),
        ({"status": f"1: digest: {DIGEST} size: 523"}, DIGEST),
        ({"status": f"Digest: {DIGEST}"}, DIGEST),
        ({"status": "digest: sha256:short"}, ""),
        ({"aux": {"manifestPushedInsteadOfIndex": True}}, ""),
        ({"aux": None, "status": "Pushed", "id": "cfbbd13fb3a8"}, ""),
        ({}, ""),
    ],
    ids=["aux", "push line", "pull line", "no digest", "other aux", "layer", "empty"],
)
def test_digest_lines(line: dict[str, Any], digest: str) -> None:
    """The digest is in `aux` on classic stores and in a status line on all."""
    assert stream.digest_of(line) == digest


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"status": "Pushed", "progressDetail": {}, "id": "ab"}, "ab: Pushed"),
        ({"status": "Layer already exists", "id": "ab"}, "ab: Layer already exists"),
        ({"status": "Preparing", "progressDetail": {}, "id": "ab"}, ""),
        ({"status": "Waiting", "id": "ab"}, ""),
        ({"status": "Pushing", "progressDetail": {"current": 1}, "id": "ab"}, ""),
        ({"status": "The push refers to repository [x]"}, "The push refers to"),
        ({"aux": {"Digest": DIGEST}}, ""),
    ],
)
def test_lines_for_people(line: dict[str, Any], text: str) -> None:
    """A person sees what has been reached, not each step on the way."""
    found = stream.text_of(line)

    assert found.startswith(text)
    assert bool(found) == bool(text)


def begin() -> stream.Progress:
    """Return the progress of a transfer that began at 100."""
    return stream.Progress(started=100, stall_seconds=30, deadline_seconds=300)


def pushing(current: int, layer: str = "ab") -> dict[str, Any]:
    """Return the line of a layer that is on its way."""
    return {"status": "Pushing", "id": layer, "progressDetail": {"current": current}}


def test_a_repeated_line_is_not_progress() -> None:
    """The heartbeat of a containerd store does not hide that nothing moves."""
    progress = begin()

    verdicts = [progress.note(pushing(7), 100 + second) for second in range(32)]

    assert verdicts.index("no progress for 30 s") == 30


def test_a_layer_that_grows_is_progress() -> None:
    """A transfer that gets on slowly is left alone."""
    progress = begin()

    verdicts = {progress.note(pushing(step), 100 + step * 29) for step in range(10)}

    assert verdicts == {""}


def test_one_layer_of_many_is_progress() -> None:
    """Layers that wait are no harm while another one moves."""
    progress = begin()

    verdicts = set()
    for step in range(10):
        verdicts.add(progress.note({"status": "Waiting", "id": "cd"}, 100 + step * 20))
        verdicts.add(progress.note(pushing(step), 110 + step * 20))

    assert verdicts == {""}


def test_a_deadline_holds_for_all() -> None:
    """A transfer that always moves ends at its deadline all the same."""
    progress = begin()

    verdicts = [progress.note(pushing(step), 100 + step * 10) for step in range(31)]

    assert verdicts[:30] == [""] * 30
    assert verdicts[30] == "it took longer than 300 s"
