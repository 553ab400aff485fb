"""What is remembered of registries that get layers in pieces."""

from dokku_registryd.adapters.registry.upload_limits import SIZES, Limits

LARGE, SMALL = SIZES
HOST = "r.example"


def test_sizes_only_become_smaller() -> None:
    """Another upload that knows less does not raise what was found."""
    limits = Limits()

    assert limits.of(HOST) is None
    assert limits.lower(HOST, None)
    assert limits.of(HOST) == LARGE
    assert limits.lower(HOST, LARGE)
    assert limits.lower(HOST, None)
    assert limits.of(HOST) == SMALL


def test_there_is_a_smallest_size() -> None:
    """A refusal of less than that is final."""
    limits = Limits()

    assert limits.lower(HOST, SMALL + 1)
    assert not limits.lower(HOST, SMALL)
    assert not limits.lower(HOST, 0)
    assert limits.of(HOST) == SMALL


def test_doubt_ends() -> None:
    """A precaution is for now; a limit stays."""
    limits = Limits()
    limits.doubt(HOST)
    assert limits.of(HOST) == LARGE
    limits.trust(HOST)
    assert limits.of(HOST) is None
    limits.lower(HOST, None)

    limits.trust(HOST)

    assert limits.of(HOST) == LARGE
    assert not limits.reject(HOST)


def test_a_registry_without_pieces() -> None:
    """It gets them as a precaution once, and then only if it has a limit."""
    limits = Limits()
    limits.doubt(HOST)
    assert limits.reject(HOST)
    limits.doubt(HOST)

    assert limits.of(HOST) is None
    assert limits.lower(HOST, None)
    assert limits.of(HOST) == LARGE


def test_a_limit_takes_the_place_of_a_doubt() -> None:
    """Pieces are no precaution then, so a refusal of them counts."""
    limits = Limits()
    limits.doubt(HOST)
    limits.lower(HOST, LARGE)

    assert not limits.reject(HOST)
    assert limits.of(HOST) == SMALL


def test_memory_is_bounded() -> None:
    """However many registries there are, the latest are remembered."""
    limits = Limits()
    hosts = [f"r{number}.example" for number in range(1000)]

    for host in hosts:
        limits.lower(host, None)
    for host in hosts:
        limits.doubt(f"more-{host}")

    known = [host for host in hosts if limits.of(host)]
    assert known == hosts[-256:]
    assert sum(limits.of(f"more-{host}") is not None for host in hosts) == 256
