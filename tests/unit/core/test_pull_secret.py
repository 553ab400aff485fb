"""The logins that we store, read as a cluster's nodes read Dokku's pull secret."""

import json
from typing import Any

import pytest

from dokku_registryd.core.auth import config_edits
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference
from support import kubelet

LOGIN = ("ci", "pass:word")
ECR = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"


def stored(server: str, before: dict[str, Any] | None = None) -> bytes:
    """Return the file after `registry:login SERVER`."""
    auth = AuthConfig(domain=server, username=LOGIN[0], password=Secret(LOGIN[1]))
    return config_edits.render(config_edits.with_login(before or {}, auth))


@pytest.mark.parametrize(
    ("server", "image"),
    [
        ("docker.io", "org/web:3"),
        ("index.docker.io", "docker.io/org/web:3"),
        ("https://index.docker.io/v1/", "redis:7"),
        ("hub.docker.com", "org/web:3"),
        ("ghcr.io", "ghcr.io/org/web:3"),
        ("https://ghcr.io/", "ghcr.io/org/web:3"),
        ("GHCR.io", "ghcr.io/org/web:3"),
        ("r.example:5000", "r.example:5000/web:3"),
        ("https://r.example:5000/v2/", "r.example:5000/org/web:3"),
        ("127.0.0.1:5000", "127.0.0.1:5000/web:3"),
        ("localhost:5000", "localhost:5000/web:3"),
        ("[fd00::1]:5000", "[fd00::1]:5000/web:3"),
        (ECR, f"{ECR}/org/web:3"),
        ("public.ecr.aws", "public.ecr.aws/alias/web:3"),
    ],
)
def test_a_login_is_found(server: str, image: str) -> None:
    """A node finds the login for the image of a release, and only this one."""
    repository = reference.parse(image).repository

    assert kubelet.logins(stored(server), repository) == [LOGIN]


@pytest.mark.parametrize(
    ("server", "image"),
    [
        ("r.example", "r.example:5000/web:3"),
        ("r.example:5000", "r.example/web:3"),
        ("r.example", "a.r.example/web:3"),
        ("ghcr.io", "org/web:3"),
        ("docker.io", "ghcr.io/org/web:3"),
    ],
)
def test_a_login_of_another_registry_is_not_used(server: str, image: str) -> None:
    """No registry gets the login of another one."""
    assert kubelet.logins(stored(server), reference.parse(image).repository) == []


@pytest.mark.parametrize(
    "spelling", ["https://r.example/v1/", "http://r.example", "r.example/"]
)
def test_an_older_spelling_does_not_come_first(spelling: str) -> None:
    """A login that was stored in another spelling is replaced for nodes as well."""
    before = {"auths": {spelling: {"auth": "b2xkOm9sZA=="}}}

    found = kubelet.logins(stored("r.example", before), "r.example/org/web")

    assert found == [LOGIN]


def test_a_login_that_a_helper_has() -> None:
    """A node gets an entry without a password, since the file has none."""
    document = config_edits.with_held_login({"credsStore": "pass"}, "ghcr.io")

    found = kubelet.logins(config_edits.render(document), "ghcr.io/org/web")

    assert found == [("", "")]


@pytest.mark.parametrize(
    ("auths", "image", "expected"),
    [
        # From Kubernetes' own tests (keyring_test.go), as cases of this reading.
        ({"*.kubernetes.io": "a"}, "prefix.kubernetes.io/x", ["a"]),
        ({"*.kubernetes.io": "a"}, "a.b.kubernetes.io/x", []),
        ({"hello.kubernetes.io/blah": "a"}, "hello.kubernetes.io/blah/x", ["a"]),
        ({"hello.kubernetes.io/blah": "a"}, "hello.kubernetes.io/x", []),
        ({"quay.io": "a", "quay.io/coreos": "b"}, "quay.io/coreos/etcd", ["b", "a"]),
        ({"https://index.docker.io/v1/": "a"}, "docker.io/library/x", ["a"]),
        ({"index.docker.io/v1": "a"}, "docker.io/library/x", []),
    ],
)
def test_a_reading_of_keys(
    auths: dict[str, str], image: str, expected: list[str]
) -> None:
    """The reading that these tests rely on has the rules of Kubernetes."""
    entries = {key: {"username": user} for key, user in auths.items()}
    config = json.dumps({"auths": entries}).encode()

    assert [user for user, _ in kubelet.logins(config, image)] == expected


def test_an_entry_that_cannot_be_decoded() -> None:
    """One such entry takes all logins of the secret away."""
    config = b'{"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}}'

    with pytest.raises(ValueError, match="auth field"):
        kubelet.logins(config, "r.example/web")
