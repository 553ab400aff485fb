"""A refusal means the same from both sources, with a hint for each operation."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.engine import stream
from dokku_registryd.core.registry import refusal_errors, refusals
from dokku_registryd.core.registry.refusals import Errand, Ground

NAME = "r.example/org/web:1"


@pytest.mark.parametrize("ground", Ground)
@pytest.mark.parametrize("errand", Errand)
def test_every_ground_is_an_error_with_a_sentence(
    ground: Ground, errand: Errand
) -> None:
    """No ground is without an error, and no sentence has a full stop of its own."""
    assert issubclass(refusals.error_class(ground), errors.RegistrydError)
    assert not refusals.sentence(ground, errand).endswith(".")


@pytest.mark.parametrize("status", list(range(400, 500)))
def test_only_some_refusals_pass(status: int) -> None:
    """Of those below 500 four may be met once and not again."""
    kind = refusals.error_class(refusals.judge(status))

    passes = status in {408, 425, 429, 499}
    assert issubclass(kind, errors.TransientError) is passes
    assert issubclass(kind, errors.PermanentError) is not passes


@pytest.mark.parametrize(
    ("status", "code", "words", "text", "told"),
    [
        pytest.param(
            413,
            "",
            "413 Request Entity Too Large",
            "failed to copy: unexpected status: 413 Request Entity Too Large",
            "client_max_body_size",
            id="body-limit",
        ),
        pytest.param(
            403,
            "DENIED",
            "The system is in read only mode. Any modification is prohibited.",
            "denied: The system is in read only mode. Any modification is prohibited.",
            "maintenance mode",
            id="read-only",
        ),
        pytest.param(
            405,
            "DENIED",
            "System is currently read-only. Pulls will succeed but all write operations"
            " are currently suspended.",
            "denied: System is currently read-only. Pulls will succeed but all write"
            " operations are currently suspended.",
            "maintenance mode",
            id="read-only-of-quay",
        ),
        pytest.param(
            403,
            "DENIED",
            "Your authorization token has expired. Reauthenticate and try again.",
            "denied: Your authorization token has expired. Reauthenticate and try"
            " again.",
            "Log in again",
            id="expired",
        ),
        pytest.param(
            403,
            "DENIED",
            "adding 1 MiB will exceed the configured upper limit of 1.0 GiB.",
            "error from registry: adding 1 MiB will exceed the configured upper limit"
            " of 1.0 GiB.",
            "no space left",
            id="quota",
        ),
        pytest.param(
            407,
            "",
            "Proxy Authentication Required",
            'Get "https://r.example/v2/": Proxy Authentication Required',
            "The proxy to the registry",
            id="proxy",
        ),
        pytest.param(
            400,
            "MANIFEST_INVALID",
            "manifest invalid",
            "manifest invalid: manifest invalid",
            "this kind of image",
            id="manifest",
        ),
        pytest.param(
            403,
            "DENIED",
            "Artifact Registry API has not been used in project 1 or it is disabled.",
            "denied: Artifact Registry API has not been used in project 1 or it is"
            " disabled.",
            "Enable the registry's API",
            id="disabled",
        ),
    ],
)
def test_both_ways_say_the_same(
    status: int, code: str, words: str, text: str, told: str
) -> None:
    """What the registry says to us, and what an Engine makes of it, are one error."""
    heard = refusal_errors.build_error(
        refusal_errors.Refusal(
            purpose=f"push {NAME}",
            status=status,
            codes=(code,) if code else (),
            text=words,
            errand=Errand.PUSH,
        )
    )
    passed_on = stream.refusal("push", NAME, text)

    assert type(heard) is type(passed_on)
    assert told in str(heard)
    assert told in str(passed_on)


@pytest.mark.parametrize(
    ("status", "errand", "told"),
    [
        (403, Errand.LOOK_UP, "may not read this"),
        (403, Errand.PUSH, "is not allowed to do this"),
        (404, Errand.LOGIN, "There is no registry at this address"),
        (404, Errand.PUSH, "create the repository"),
        (405, Errand.LOGIN, "There is no registry at this address"),
        (405, Errand.PUSH, "Check the properties server and image-repo"),
        (405, Errand.TOKEN, "The registry names this address for logins"),
        (412, Errand.LOOK_UP, "until it is scanned or signed"),
    ],
)
def test_advice_is_that_of_the_errand(status: int, errand: Errand, told: str) -> None:
    """A user who logs in is not told to push an image again."""
    assert told in refusals.sentence(refusals.judge(status), errand)


@pytest.mark.parametrize(
    ("status", "codes", "text"),
    [
        (404, (), ""),
        (404, ("NAME_UNKNOWN",), "no such service"),
        (415, (), "unsupported media type"),
        (405, (), "method not allowed"),
    ],
)
def test_a_token_server_says_nothing_of_images(
    status: int, codes: tuple[str, ...], text: str
) -> None:
    """It has no images to miss, and its missing method is not maintenance."""
    error = refusal_errors.build_error(
        refusal_errors.Refusal(
            purpose=f"look up {NAME}, at its token server",
            status=status,
            codes=codes,
            text=text,
            errand=Errand.TOKEN,
        )
    )

    assert type(error) is errors.InvalidRequestError
    assert "The registry names this address for logins" in str(error)


def test_a_project_that_is_called_like_a_ground() -> None:
    """A name within the words of another refusal decides nothing."""
    text = "project quota not found"

    assert refusals.judge(404, text=text) is Ground.MISSING


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            (
                "<html> <head><title>413 Request Entity Too Large</title></head> <body>"
                " <center><h1>413 Request Entity Too Large</h1></center> <hr>"
                "<center>nginx/1.22.1</center> </body> </html>"
            ),
            "answers 413 (Request Entity Too Large). ",
        ),
        ("<!DOCTYPE html><HTML><TITLE> Sign in </TITLE>", "answers 413 (Sign in). "),
        ("<html><title>413</title>", "answers 413. "),
        ("<html>too much", "answers 413 (<html>too much). "),
        ("too large: <title>a</title>", "answers 413 (too large: <title>a</title>). "),
    ],
    ids=["nginx", "other case", "status only", "no title", "no page"],
)
def test_the_page_of_a_proxy(text: str, told: str) -> None:
    """Of a page an operator sees the title."""
    error = refusal_errors.build_error(
        refusal_errors.Refusal(purpose="push r.example/web:1", status=413, text=text)
    )

    assert told in str(error)
