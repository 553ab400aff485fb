"""What to do after a job that failed."""

import pytest

from dokku_registryd.core.job import ways_out


@pytest.mark.parametrize(
    ("source", "way"),
    [
        ("git-hook", "push the commit again with: git push"),
        ("registryd:rollback", "run dokku registryd:rollback again"),
        ("ps:rebuild", "deploy again with: dokku ps:rebuild web"),
        ("", "deploy again with: dokku ps:rebuild web"),
    ],
)
def test_a_release(source: str, way: str) -> None:
    """The way before is the way again: a rebuild may build another commit."""
    assert ways_out.release_again("web", source) == way


def test_the_last_line() -> None:
    """It names the command that finds the cause, and what follows."""
    assert ways_out.last_line("web", "") == (
        "What is wrong: dokku registryd:doctor web. When that is corrected, deploy"
        " again with: dokku ps:rebuild web"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            "the registry refuses the login. Log in again",
            "When that is corrected, push it with: dokku registryd:push web",
        ),
        ("another client pushed there. Release it with dokku ps:rebuild web", ""),
    ],
)
def test_the_last_line_of_a_push(error: str, line: str) -> None:
    """The error above has said what is wrong, and perhaps another way out."""
    assert ways_out.last_line_of_push("web", error) == line
