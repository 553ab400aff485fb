"""Findings of `doctor`: each cause is told once."""

from dokku_registryd.core.status import findings


def test_what_another_failure_explains() -> None:
    """It is left out while that check fails, and stays otherwise."""
    follows = findings.warn("service", "it is not ready: no Engine", follows="engine")
    other = findings.warn("service", "it is not ready: no sweep", follows="sweep")
    failed = findings.fail("engine", "it does not answer")
    passed = findings.ok("engine", "it answers")
    of_app = findings.fail("engine", "not for this app", app="web")

    assert findings.fold([follows, other, failed]) == [other, failed]
    assert findings.fold([follows, passed, of_app]) == [follows, passed, of_app]
