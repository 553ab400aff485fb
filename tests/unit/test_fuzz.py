"""Foreign bytes of every kind, for a short time; `make fuzz` goes on for longer."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokku_registryd.core.dokku import app_names
from dokku_registryd.core.engine import events
from dokku_registryd.core.image import images
from fuzz.targets import SEEDS, TARGETS, Target
from support import examples

ROOT = Path("/var/lib/dokku/config/registry")
PIECES = st.sampled_from(SEEDS) | st.binary(max_size=40)
BYTES = st.lists(PIECES, max_size=6).map(b"".join) | st.binary(max_size=400)
WORDS = """
Type Action Actor ID id Id RepoTags RepoDigests Labels Config Names State Image ImageID
status error errorDetail message aux Digest progressDetail current auths auth username
credHelpers credsStore identitytoken errors code token access_token expires_in tags
manifests config digest mediaType RegistryConfig IndexConfigs InsecureRegistryCIDRs
DriverStatus ServerVersion HttpProxy DockerRootDir
"""
KEYS = st.sampled_from(WORDS.split())
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
    ),
    max_leaves=15,
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_any_bytes(target: Target) -> None:
    """Any input is understood or refused; nothing else is raised."""

    @settings(max_examples=examples.number_of(250), deadline=None)
    @given(BYTES | JSON.map(lambda value: json.dumps(value).encode()))
    def run(raw: bytes) -> None:
        target(raw)

    run()


@settings(max_examples=examples.number_of(250), deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=8))
def test_any_event(raw: dict[str, Any]) -> None:
    """No dictionary in the Engine's event stream ends the thread that reads it."""
    event = events.parse(raw)

    assert event is None or isinstance(event, events.EngineEvent)


@settings(max_examples=examples.number_of(250), deadline=None)
@given(st.binary(max_size=200), st.text(max_size=80))
def test_any_manifest(body: bytes, image_id: str) -> None:
    """No body of a manifest is taken for an image unless it names it."""
    manifest = images.Manifest(media_type="x", body=body)

    assert not manifest.names_image(image_id) or image_id in {
        manifest.digest,
        json.loads(body)["config"]["digest"],
    }


ODD_NAMES = st.text(
    alphabet=st.sampled_from("./\\\0\n\r-_~ aZ0\u00e4\u2028%"), max_size=12
) | st.text(max_size=300)


@settings(max_examples=examples.number_of(10_000), deadline=None)
@given(ODD_NAMES)
def test_any_name_of_an_app(text: str) -> None:
    """No text that counts as an app's name leads out of the folder of apps."""
    if app_names.is_app_name(text):
        assert (ROOT / text).parent == ROOT
        assert os.path.normpath(ROOT / text) == str(ROOT / text)
