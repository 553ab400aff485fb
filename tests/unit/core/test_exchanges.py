"""The labels under which requests to registries are counted."""

import pytest

from dokku_registryd.core.registry.exchanges import Exchange


def exchange(
    host: str = "r.example", named_by: str = "", status: int | None = 200
) -> Exchange:
    """Build one."""
    return Exchange(
        host=host, named_by=named_by, method="GET", status=status, seconds=0.5
    )


@pytest.mark.parametrize(
    ("host", "named_by", "registry"),
    [
        ("r.example:5000", "", "r.example:5000"),
        ("auth.r.example", "r.example", "r.example"),
        ("registry-1.docker.io", "", "docker.io"),
        ("auth.docker.io", "registry-1.docker.io", "docker.io"),
    ],
)
def test_registry(host: str, named_by: str, registry: str) -> None:
    """A token server or a storage counts for the registry, as its operator names it."""
    assert exchange(host, named_by).registry == registry


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "200"), (429, "429"), (503, "503"), (299, "2xx"), (999, "9xx")],
)
def test_outcome(status: int, outcome: str) -> None:
    """A registry that invents statuses does not make further series."""
    assert exchange(status=status).outcome == outcome


def test_no_answer() -> None:
    """A request without an answer has a label too."""
    assert exchange(status=None).outcome == "none"
