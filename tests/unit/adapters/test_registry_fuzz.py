"""Registries that answer anything: the client gives a value or an error of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import examples
from support.memory_registry import Answer, MemoryRegistry

PASSWORD = "planted-password-4711"
FACTS = images.EngineFacts(version="20.10.24", image_store="classic")
MANIFEST = images.Manifest(media_type="application/json", body=b"{}")

# No name in here is ever looked up outside.
VALUES = st.sampled_from(
    [
        "",
        "-1",
        "1e309",
        "99999999999999999999",
        "Wed, 21 Oct 2037 07:28:00 GMT",
        "application/json; charset=\u00ff",
        "application/vnd.oci.image.manifest.v1+json",
        "sha256:0",
        f"sha256:{'0' * 64}",
        "/v2/org/web/tags/list?last=a",
        "http://127.0.0.1:1/v2/",
        "http://[::1/v2/",
        "http://127.0.0.1:99999/",
        "ftp://127.0.0.1/",
        "//x.invalid/v2/",
        "file:///etc/passwd",
        "<http://x.invalid/>; rel=next",
        '<?last=b>; rel="next"',
        "Basic",
        'Basic realm="x"',
        'Bearer realm="http://127.0.0.1:1/t",service="s",scope="repository:a:pull"',
        'Bearer realm="http://127.0.0.1:99999/t"',
        "Bearer realm=",
        'Bearer realm="http://user:pw@x.invalid/"',
        "gzip",
        "chunked, chunked",
    ]
)
NAMES = st.sampled_from(
    [
        "Content-Type",
        "Docker-Content-Digest",
        "Link",
        "Location",
        "Retry-After",
        "Content-Encoding",
        "WWW-Authenticate",
        "Set-Cookie",
    ]
)
# Well-formed, or nearly so, and yet nothing that Python can go on with.
ODD = [
    b"{" + b'"a":{' * 100_000,
    b'{"token": "\\ud800", "errors": [{"code": "\\udfff", "message": "\\ud800"}]}',
    b'{"token": "t", "expires_in": ' + b"9" * 401 + b"}",
    b'{"token": "t", "expires_in": 1e400}',
    b'{"token": "t", "expires_in": NaN}',
    b'{"token": "t", "expires_in": -Infinity}',
    b'{"token": {"a": 1}, "access_token": [1], "tags": 7, "mediaType": 3}',
    b'{"errors": {"code": {}, "message": 1}, "code": [], "message": {"a": []}}',
    b'{"errors": [[[]], {"code": {"a": 1}, "message": 5, "detail": [1, {}]}]}',
    b'{"tags": [[], {}, 1.5, true, "\\ud83d"], "config": {"digest": 9}}',
    '{"errors": [{"code": "\u202e\x9b", "message": "\u2066\x85"}]}'.encode(),
]
BODIES = st.binary(max_size=60) | st.sampled_from(
    [
        b"{}",
        b"[]",
        b"[" * 500,
        b'{"tags": [1, null, "a"]}',
        b'{"tags": {"a": 1}}',
        b'{"errors": [null, 1, {"code": 1, "message": []}]}',
        b'{"token": 1, "expires_in": "soon"}',
        b'{"schemaVersion": 2, "config": []}',
        PASSWORD.encode(),
        *ODD,
    ]
)
STATUSES = st.sampled_from([200, 201, 202, 204, 206]) | st.integers(300, 599)
ANSWERS = st.builds(
    Answer,
    status=STATUSES,
    body=BODIES,
    headers=st.dictionaries(NAMES, VALUES, max_size=4),
    way=st.sampled_from(["whole", "whole", "whole", "cut", "reset"]),
)
OPERATIONS: dict[str, Callable[[RegistryClient, Any, AuthConfig], object]] = {
    "ping": lambda client, image, auth: client.ping(image.domain, auth=auth),
    "digest": lambda client, image, auth: client.digest(image, auth=auth),
    "manifest": lambda client, image, auth: client.manifest(image, auth=auth),
    "tags": lambda client, image, auth: client.tags(image, auth=auth),
    "put": lambda client, image, auth: client.put_manifest(image, MANIFEST, auth=auth),
    "size": lambda client, image, auth: client.blob_size(
        image, MANIFEST.digest, auth=auth
    ),
    "actions": lambda client, image, auth: client.actions(image, auth=auth),
    "blob": lambda client, image, auth: client.put_blob(
        image, MANIFEST.digest, MANIFEST.body, auth=auth
    ),
    "delete": lambda client, image, auth: client.delete(
        image.with_digest(MANIFEST.digest), auth=auth
    ),
    "remove": lambda client, image, auth: client.remove(image, auth=auth),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_any_answer(
    tmp_path: Path,
    operation: Callable[[RegistryClient, Any, AuthConfig], object],
) -> None:
    """No answer is a surprise, and none has the password come back in an error."""
    with MemoryRegistry() as server:
        image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
        auth = AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))

        @settings(
            max_examples=examples.number_of(60),
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(ANSWERS)
        def run(answer: Answer) -> None:
            server.rules.clear()
            server.rule("", answer, times=4)
            client = RegistryClient(
                facts=lambda: FACTS,
                certs_dir=tmp_path,
                connect_timeout=2,
                read_timeout=2,
                total_timeout=4,
            )
            said = ""
            try:
                operation(client, image, auth)
            except errors.RegistrydError as error:
                said = str(error)
                assert image.domain in said
                assert said.isprintable()
                assert len(said) < 1500
            finally:
                client.close()
            assert PASSWORD not in said

        run()
