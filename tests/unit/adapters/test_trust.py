"""Which certificates are trusted: those that the Engine trusts with the same files."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry import certificate_folders
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images
from support import open_way
from support.memory_registry import MemoryRegistry
from support.tunnel import TunnelProxy

NAME = "registry.invalid"
ELLIPTIC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
SHORT = ("-newkey", "rsa:1024")
CA = ("-addext", "basicConstraints=critical,CA:TRUE")
LEAF = (
    *("-addext", f"subjectAltName=DNS:{NAME}"),
    *("-addext", "basicConstraints=critical,CA:FALSE"),
)


@dataclass(frozen=True)
class Pki:
    """A root, what it signed, and what that signed."""

    folder: Path

    def make(self) -> None:
        """Make everything."""
        self._sign("root", "", ELLIPTIC, CA)
        self._sign("intermediate", "root", ELLIPTIC, CA)
        self._sign("leaf", "intermediate", ELLIPTIC, LEAF)
        self._sign("weak", "root", SHORT, LEAF)
        self._sign("lonely", "", ELLIPTIC, LEAF)

    def read(self, name: str) -> bytes:
        """Return a certificate in PEM form."""
        return (self.folder / f"{name}.crt").read_bytes()

    def server(self, name: str) -> ssl.SSLContext:
        """Return the settings of a server that shows a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        base = self.folder / name
        context.load_cert_chain(f"{base}.crt", f"{base}.key")
        return context

    def _sign(
        self, name: str, by: str, key: tuple[str, ...], more: tuple[str, ...]
    ) -> None:
        base, issuer = self.folder / name, self.folder / by
        signed = ("-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key") if by else ()
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", *key, "-subj", f"/CN={name}"),
                *("-days", "2", *signed, *more),
                *("-keyout", f"{base}.key", "-out", f"{base}.crt"),
            ],
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Give certificates that no system trusts."""
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.make()
    return made


@contextmanager
def reached(certs_dir: Path, context: ssl.SSLContext) -> Iterator[RegistryClient]:
    """Give a client of a registry that has a name and this certificate."""
    with MemoryRegistry(tls=context) as server, TunnelProxy(server.port) as proxy:
        facts = images.EngineFacts(
            version="28", image_store="classic", proxies=(("https", proxy.url),)
        )
        registry = RegistryClient(facts=lambda: facts, certs_dir=certs_dir)
        yield registry
        registry.close()


def trust(certs_dir: Path, *contents: bytes) -> None:
    """Put files into the registry's folder of certificates."""
    folder = certs_dir / NAME
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number}.crt").write_bytes(content)


@pytest.mark.parametrize(
    ("shown", "anchor"),
    [
        ("leaf", "intermediate"),
        ("leaf", "leaf"),
        ("lonely", "lonely"),
        ("weak", "root"),
    ],
)
def test_anchors_that_the_engine_takes(
    tmp_path: Path, pki: Pki, shown: str, anchor: str
) -> None:
    """A chain ends at any certificate of the folder, and keys may be old ones."""
    trust(tmp_path, pki.read(anchor))

    with reached(tmp_path, pki.server(shown)) as registry:
        registry.ping(NAME, auth=None)


@pytest.mark.parametrize(("shown", "anchor"), [("leaf", "lonely"), ("weak", "leaf")])
def test_an_untrusted_certificate(
    tmp_path: Path, pki: Pki, shown: str, anchor: str
) -> None:
    """A certificate that leads to no anchor is refused all the same."""
    trust(tmp_path, pki.read(anchor))

    with (
        reached(tmp_path, pki.server(shown)) as registry,
        pytest.raises(errors.PermanentError, match="cannot be verified"),
    ):
        registry.ping(NAME, auth=None)


def test_an_anchor_is_for_its_name_only(tmp_path: Path, pki: Pki) -> None:
    """A server's own certificate as an anchor opens no other name."""
    folder = tmp_path / "other.invalid"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(pki.read("leaf"))

    with (
        reached(tmp_path, pki.server("leaf")) as registry,
        pytest.raises(errors.PermanentError, match="Use one of its names"),
    ):
        registry.ping("other.invalid", auth=None)


def test_weak_keys_are_for_private_cas(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file of an operator says so, keys have to be long enough."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.folder / "root.crt"))
    with (
        reached(tmp_path, pki.server("weak")) as registry,
        pytest.raises(errors.PermanentError, match="key too weak"),
    ):
        registry.ping(NAME, auth=None)


JUNK = [
    b"",
    b"this is not a certificate\n",
    b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n",
]


def test_what_else_lies_there_is_passed_over(tmp_path: Path, pki: Pki) -> None:
    """Empty files, texts and DER next to a CA close no registry, and are named."""
    der = ssl.PEM_cert_to_DER_cert(pki.read("root").decode())
    mixed = b"# our CA\n" + JUNK[2] + pki.read("intermediate")
    trust(tmp_path, *JUNK, der, mixed)

    with reached(tmp_path, pki.server("leaf")) as registry:
        registry.ping(NAME, auth=None)
    told = [*certificate_folders.survey(tmp_path, None)]

    assert [text.partition(" ")[0] for text in told] == [
        str(tmp_path / NAME / f"{number}.crt") for number in range(5)
    ]
    assert all("contains no certificate in PEM form" in text for text in told)


def test_a_file_of_root_alone(pki: Pki) -> None:
    """A certificate that the service may not read is named, too."""
    reader = certificate_folders.Visitor(uid=65534, groups=frozenset({65534}))

    with open_way.folder() as certs_dir:
        trust(certs_dir, pki.read("root"))
        path = certs_dir / NAME / "0.crt"
        path.chmod(0o600)
        told = [*certificate_folders.survey(certs_dir, reader)]

    (text,) = told
    assert text.startswith(f"{path} cannot be read by the user of the service")
    assert text.endswith(f"sudo chmod 0644 {path}")


def test_only_the_systems_cas_are_trusted(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No library adds a list of its own to what an operator trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.folder / "intermediate.crt"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    with reached(tmp_path, pki.server("leaf")) as registry:
        registry.ping(NAME, auth=None)

        (line,) = registry._wire._lines.values()
        adapter = line.session.get_adapter("https://")
        assert adapter._context.cert_store_stats()["x509"] == 1  # type: ignore[attr-defined]
