"""What an operator does after a job that failed: clauses without a full stop.

`status` shows them, and so does the last line of a deploy that failed: below it Dokku
prints only an exit status.
"""

_OF_PUSHES = "git-hook"  # the source of a deploy by `git push`
_OF_COMMANDS = "registryd:"  # how the source of a deploy by a command of ours begins


def push_again(app: str) -> str:
    """Return how to push a release that an app runs."""
    return f"push it with: dokku registryd:push {app}"


def release_again(app: str, source: str) -> str:
    """Return how to release an app again.

    Args:
        app: The app.
        source: What began the deploy that failed, as Dokku says it; empty if unknown.
    """
    if source == _OF_PUSHES:
        # Git has rejected the push, so a rebuild would build the commit before.
        return "push the commit again with: git push"
    if source.startswith(_OF_COMMANDS):
        return f"run dokku {source} again"
    return f"deploy again with: dokku ps:rebuild {app}"


def last_line(app: str, source: str) -> str:
    """Return the last line of a release that failed.

    Args:
        app: Its app.
        source: What began the deploy, as for `release_again`.
    """
    way = release_again(app, source)
    return f"What is wrong: dokku registryd:doctor {app}. When that is corrected, {way}"


def last_line_of_push(app: str, error: str) -> str:
    """Return the last line of a push by hand that failed, below its error.

    It is empty if the error names another way: a push would fail again.

    Args:
        app: Its app.
        error: Why it failed.
    """
    if f"dokku ps:rebuild {app}" in error:
        return ""
    return f"When that is corrected, {push_again(app)}"
