"""Faults of logins, registries and images."""

import contextlib
from collections.abc import Iterator

from planted.planting import auth, beside, fault, login, stopped, storage, value
from support import seeding
from support.site import Site


@contextlib.contextmanager
def _image_again(site: Site) -> Iterator[None]:
    """Have the image back at the end, by a heal of the service."""
    names = {name for name in site.names() if "dokku/web:" in name}
    yield
    done = site.service.run("heal", "web")
    assert done.returncode == 0, done
    assert names <= site.names().keys()


def _lose_image(site: Site) -> None:
    for name in [name for name in site.names() if "dokku/web:" in name]:
        site.untag(f"{name}?force=true")


@fault(4, "fail", "registry", "cannot log in", "Log in again with dokku registry:login")
def _expired_login(site: Site) -> Iterator[None]:
    with login(site, site.basic_login("an-old-password")):
        yield


@fault(5, "fail", "login", "docker-credential-none", "nstall")
def _missing_helper(site: Site) -> Iterator[None]:
    with login(site, {"auths": {site.server: {}}, "credsStore": "none"}):
        yield


@fault(6, "fail", "login", "cannot read the login", "registry:login")
def _half_a_login(site: Site) -> Iterator[None]:
    with login(site, '{"auths": {"x'):
        yield


@fault(
    7,
    "fail",
    "registry",
    "registry.invalid is a name that does not exist",
    "dokku registry:set web server HOST",
    health=None,
)
def _unknown_server(site: Site) -> Iterator[None]:
    # Names are looked up in files only, so that no question leaves this machine.
    files = site.host.root / "nsswitch.conf"
    files.write_text("hosts: files\n")
    with (
        value(site, "server", "registry.invalid"),
        beside(site, f"mount --bind {files} /etc/nsswitch.conf"),
    ):
        yield


@fault(9, "fail", "registry", "127.0.0.1:9 does not answer", "Connection refused")
def _closed_port(site: Site) -> Iterator[None]:
    with value(site, "server", "127.0.0.1:9"):
        yield


@fault(10)
def _login_with_path(site: Site) -> Iterator[None]:
    with login(site, auth(site, f"https://{site.server}/v1/")):
        yield


@fault(11, "fail", "login", "none for 127.0.0.1", "dokku registry:login web")
def _login_for_another_spelling(site: Site) -> Iterator[None]:
    with login(site, auth(site, site.server.replace("127.0.0.1", "localhost"))):
        yield


@fault(
    19,
    "warn",
    "release",
    "Dokku's last number is 1, the registry's is 9",
    "the next release gets the first free number above 1",
)
def _number_behind(site: Site) -> Iterator[None]:
    with storage(site):
        seeding.push(site.registry, "dokku/web", "9", "of another host")
        yield


@fault(
    21,
    "fail",
    "release",
    "is neither on this host nor in the registry",
    "dokku ps:rebuild web",
    health="stopped",
)
def _image_gone_everywhere(site: Site) -> Iterator[None]:
    with _image_again(site), storage(site), stopped(site):
        _lose_image(site)
        digest = site.remote().digest(1)
        assert digest
        site.remote().delete(digest)
        yield


@fault(
    22,
    "fail",
    "release",
    "is not in the registry",
    "Push it with: dokku registryd:push web",
)
def _image_gone_from_the_registry(site: Site) -> Iterator[None]:
    with storage(site):
        digest = site.remote().digest(1)
        assert digest
        site.remote().delete(digest)
        yield


@fault(
    23,
    "warn",
    "image",
    "missing on this host; only the registry has the image",
    "dokku registryd:heal web",
    health="stopped",
)
def _image_gone_from_the_host(site: Site) -> Iterator[None]:
    with _image_again(site), stopped(site):
        _lose_image(site)
        yield


@fault(
    49, "fail", "registry", "cannot log in", "Log in again with dokku registry:login"
)
def _push_that_waits_for_a_login(site: Site) -> Iterator[None]:
    with (
        value(site, "push-policy", "background", plugin="registryd"),
        login(site, site.basic_login("an-old-password")),
    ):
        yield


@fault(
    63,
    "fail",
    "release",
    "was pushed",
    "Find out who else pushes",
)
def _number_moved_by_others(site: Site) -> Iterator[None]:
    with storage(site):
        seeding.push(site.registry, "dokku/web", "1", "of another host")
        yield
