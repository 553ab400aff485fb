"""What is said to the Engine and read from its listings."""

import base64
import json

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.engine import messages
from dokku_registryd.core.image.images import EngineFacts, LocalContainer, LocalImage

ID = "sha256:" + "a" * 64
DIGEST = "sha256:" + "b" * 64


def test_listed_images_keep_their_names() -> None:
    """Names are those that the Engine prints, without digests and without `<none>`."""
    image = messages.parse_image(
        {
            "Id": ID,
            "RepoTags": ["org/web:3", "<none>:<none>", f"org/web@{DIGEST}"],
            "RepoDigests": [f"org/web@{DIGEST}", f"org/web@{DIGEST}", "<none>@<none>"],
            "Labels": {"b": "2", "a": "1"},
        }
    )

    assert image == LocalImage(
        image_id=ID,
        references=("org/web:3",),
        repo_digests=(f"org/web@{DIGEST}",),
        labels=(("a", "1"), ("b", "2")),
    )


def test_a_pulled_digest_among_the_tags() -> None:
    """Engine 26.1 with containerd's store lists it there only; it is a digest."""
    image = messages.parse_image(
        {
            "Id": ID,
            "RepoTags": [f"org/web@{DIGEST}", "kept.invalid/web:1-a"],
            "RepoDigests": [f"kept.invalid/web@{DIGEST}"],
        }
    )

    assert image.references == ("kept.invalid/web:1-a",)
    assert image.repo_digests == (
        f"org/web@{DIGEST}",
        f"kept.invalid/web@{DIGEST}",
    )


def test_inspected_images_have_labels_elsewhere() -> None:
    """An inspected image keeps its labels in its configuration."""
    image = messages.parse_image({"Id": ID, "Config": {"Labels": {"a": "1"}}})

    assert image == LocalImage(image_id=ID, labels=(("a", "1"),))


def test_bare_images_are_read() -> None:
    """An image without anything but its ID is an image."""
    raw = {"Id": ID, "RepoTags": None, "RepoDigests": None, "Config": None}

    assert messages.parse_image(raw) == LocalImage(image_id=ID)


@pytest.mark.parametrize(
    ("state", "is_running"), [("running", True), ("exited", False)]
)
def test_containers(state: str, is_running: bool) -> None:
    """A container tells its image, its app and whether it runs."""
    raw = {
        "ImageID": ID,
        "Image": "dokku/web:latest",
        "Labels": {"com.dokku.app-name": "web", "dokku_phase_script": "predeploy"},
        "State": state,
    }

    assert messages.parse_container(raw) == LocalContainer(
        image_id=ID,
        image="dokku/web:latest",
        app="web",
        is_running=is_running,
        is_script=True,
    )


def test_foreign_containers_have_no_app() -> None:
    """A container that Dokku did not make belongs to no app."""
    container = messages.parse_container({"ImageID": ID, "Image": "x"})

    assert container.app == ""


def test_facts() -> None:
    """The Engine's registries without TLS and its proxies are taken over."""
    facts = messages.parse_facts(
        {
            "ServerVersion": "20.10.24",
            "DriverStatus": [["Backing Filesystem", "extfs"]],
            "DockerRootDir": "/var/lib/docker",
            "HttpsProxy": "http://proxy.example:3128",
            "NoProxy": "localhost",
            "RegistryConfig": {
                "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                "IndexConfigs": {
                    "docker.io": {"Secure": True},
                    "r.example:5000": {"Secure": False},
                },
            },
        }
    )

    assert facts == EngineFacts(
        version="20.10.24",
        image_store="classic",
        insecure_registries=("127.0.0.0/8", "r.example:5000"),
        proxies=(("https", "http://proxy.example:3128"), ("no", "localhost")),
        root_dir="/var/lib/docker",
    )


def test_containerd_stores_are_known() -> None:
    """The image store is told by its driver's type."""
    status = [["driver-type", "io.containerd.snapshotter.v1"]]

    assert messages.parse_facts({"DriverStatus": status}).image_store == ("containerd")


@pytest.mark.parametrize(
    ("served", "chosen"),
    [("1.41", "1.41"), ("1.51", "1.51"), ("1.56", "1.51"), ("1.12", "1.24")],
)
def test_api_version(served: str, chosen: str) -> None:
    """The newest version that both sides know is spoken."""
    assert messages.choose_api(served) == chosen


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("web", ("web", "latest")),
        ("docker.io/library/web:1", ("web", "1")),
        ("r.example:5000/org/web:1", ("r.example:5000/org/web", "1")),
        (f"org/web@{DIGEST}", ("org/web", "latest")),
    ],
)
def test_names_are_split(name: str, parts: tuple[str, str]) -> None:
    """The Engine's API wants repository and tag apart."""
    assert messages.split_name(name) == parts


@pytest.mark.parametrize("name", [ID, "sha256:abc", "a" * 64])
def test_ids_are_no_names(name: str) -> None:
    """An image ID is refused where a name is needed: untagging would delete by it."""
    with pytest.raises(errors.InvalidReferenceError):
        messages.split_name(name)


def test_logins() -> None:
    """A login goes out in the Engine's words, and an anonymous one is empty."""
    password = AuthConfig(domain="r.example", username="ci", password=Secret("pw"))
    token = AuthConfig(domain="docker.io", identity_token=Secret("tok"))

    headers = [messages.encode_login(auth) for auth in (password, token, None)]

    assert [json.loads(base64.urlsafe_b64decode(sent)) for sent in headers] == [
        {"ServerAddress": "r.example", "Username": "ci", "Password": "pw"},
        {"ServerAddress": "https://index.docker.io/v1/", "IdentityToken": "tok"},
        {},
    ]


@pytest.mark.parametrize(
    ("digest", "is_held"), [(DIGEST, True), (ID, True), ("", False), ("sha256:", False)]
)
def test_held_digests(digest: str, is_held: bool) -> None:
    """An image is held by its repository digest, or by its ID on containerd stores."""
    image = LocalImage(image_id=ID, repo_digests=(f"org/web@{DIGEST}",))

    assert messages.holds(image, digest) is is_held


def test_the_platforms_of_an_index() -> None:
    """Only images that are here count: an attestation or a name alone is none."""
    listed = [
        {"ID": "sha256:here", "Kind": "image", "Available": True},
        {"ID": "sha256:away", "Kind": "image", "Available": False},
        {"ID": "sha256:note", "Kind": "attestation", "Available": True},
        "damaged",
    ]

    image = messages.parse_image({"Id": "sha256:index", "Manifests": listed})

    assert image.manifests == ("sha256:here",)
    assert image.identities == {"sha256:index", "sha256:here"}
    assert messages.parse_image({"Id": "x", "Manifests": None}).manifests == ()
