"""Adopting releases of another program, and reporting differences."""

from collections.abc import Callable

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import adoption
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects import adopt, release
from worlds import REPOSITORY, SERVER, Host

LOGIN = AuthConfig(domain=SERVER, username="ci", password=Secret("secret"))
REFERENCE = f"{REPOSITORY}:3"


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host whose app was released under number 3 by Dokku's own plugin."""
    release_by_core(host, 3)
    host.credentials.logins["", SERVER] = LOGIN
    return host


def release_by_core(host: Host, number: int, app: str = "web") -> str:
    """Count, tag and push, as Dokku's own plugin does; return the image's ID."""
    image_id = host.engine.add_image(f"dokku/{app}:latest", f"{app} {number}".encode())
    host.set(app, "tag-version", str(number))
    for name in (f"{SERVER}/org/{app}:{number}", f"org/{app}:{number}"):
        host.engine.tag(image_id, name)
    host.engine.push(
        f"{SERVER}/org/{app}:{number}", auth=None, on_progress=lambda _line: None
    )
    return image_id


def run(
    host: Host,
    *,
    is_dry_run: bool = False,
    scheduler_of: Callable[[str], str] = lambda _app: "docker-local",
) -> list[adoption.Adoption]:
    """Adopt all apps of a host."""
    return adopt.Adopter(
        host.context,
        scheduler_of=scheduler_of,
        is_dry_run=is_dry_run,
    ).adopt_all()


def differences(host: Host) -> str:
    """Adopt, and return what is said of the only app, a line each."""
    (only,) = run(host)
    return "\n".join(only.differences)


def digest_of(host: Host, tag: str = "3") -> str:
    """Return what the registry has under a tag."""
    return host.tags()[tag]


def test_pushed_app(released: Host) -> None:
    """Number, image, digest and scheduler are recorded, and hooks have the answer."""
    found = run(released, scheduler_of=lambda app: f"scheduler of {app}")

    digest = digest_of(released)
    assert found == [
        adoption.Adoption(app="web", reference=REFERENCE, is_new=True, digest=digest)
    ]
    assert released.ledger.releases() == [
        Release(
            job_id="adopted-web-3-1700000000",
            app="web",
            number=3,
            image_id=released.names()[REFERENCE],
            server="r.example/",
            image_repo="org/web",
            scheduler="scheduler of web",
            state=ReleaseState.PUSHED,
            is_deploy_continued=True,
            digest=digest,
            created_at=1_700_000_000,
            pushed_at=1_700_000_000,
        )
    ]
    assert released.deployed() == DeployedRelease(
        server="r.example/", image_repo="org/web", number=3
    )


def test_repeated(released: Host) -> None:
    """A second time nothing is new and nothing changes."""
    run(released)
    rows = released.ledger.releases()

    (found,) = run(released)

    assert (found.is_new, found.differences) == (False, ())
    assert released.ledger.releases() == rows


def test_companion(released: Host) -> None:
    """Next to Dokku's own plugin no answer is recorded: it gives its own."""
    released.context = released.replace(is_companion=lambda: True)

    run(released)

    assert released.deployed() is None
    assert [row.number for row in released.ledger.releases()] == [3]


def test_dry_run(released: Host) -> None:
    """A look says the same and records nothing."""
    (found,) = run(released, is_dry_run=True)

    assert (found.is_new, found.digest) == (True, digest_of(released))
    assert (released.ledger.releases(), released.deployed()) == ([], None)


@pytest.mark.parametrize(
    ("name", "value"), [("push-on-release", "false"), ("tag-version", "")]
)
def test_app_that_was_never_pushed(released: Host, name: str, value: str) -> None:
    """An app that does not push, or never did, is left alone."""
    released.set("web", name, value)

    assert run(released) == []


def test_number_counted_meanwhile(released: Host) -> None:
    """What Dokku's own plugin released since ours was last in charge is adopted."""
    run(released)
    release_by_core(released, 4)

    (found,) = run(released)

    assert (found.reference, found.is_new) == (f"{REPOSITORY}:4", True)
    answer = released.deployed()
    assert answer is not None
    assert answer.number == 4


def test_own_release_on_its_way(host: Host) -> None:
    """A release of our own that is not done yet is none of Dokku's plugin's."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.1"))
    host.ledger.update_release("1.1.1", state=ReleaseState.CONFIRMED)
    host.set("web", "tag-version", "2")

    (found,) = run(host)

    assert (found.reference, found.is_new) == (f"{REPOSITORY}:1", False)


def test_registry_counts_further(released: Host) -> None:
    """A higher number in the registry is said, with the number that will follow."""
    released.store(f"{REPOSITORY}:7", "another host's")

    assert differences(released) == (
        "Dokku's last number is 3, the registry's is 7: the next release gets the"
        " first free number above 3"
    )


def test_image_is_not_here(released: Host) -> None:
    """An image that vanished is said to be brought back; its digest is known."""
    for name in (REFERENCE, "org/web:3", "dokku/web:latest"):
        released.engine.lose(name)

    assert differences(released) == (
        f"{REFERENCE} is not on this host: the service restores it"
    )
    (row,) = released.ledger.releases()
    assert (row.image_id, row.digest) == ("", digest_of(released))


def test_image_of_a_cluster(released: Host) -> None:
    """A scheduler that keeps no images on this host needs none here."""
    for name in (REFERENCE, "org/web:3", "dokku/web:latest"):
        released.engine.lose(name)

    (found,) = run(released, scheduler_of=lambda _app: "k3s")

    assert found.differences == ()


def test_number_is_not_in_the_registry(released: Host) -> None:
    """A number that only this host has gets no digest: nothing was ever confirmed."""
    released.registry.manifests.clear()

    assert differences(released) == (
        "the registry has no number 3: dokku-registryd push web"
    )
    assert [row.digest for row in released.ledger.releases()] == [""]


def test_image_is_nowhere(released: Host) -> None:
    """What neither side has only a build makes."""
    released.registry.manifests.clear()
    for name in (REFERENCE, "org/web:3", "dokku/web:latest"):
        released.engine.lose(name)

    assert differences(released) == (
        f"{REFERENCE} is neither on this host nor in the registry: dokku ps:rebuild web"
    )


def test_another_image_in_the_registry(released: Host) -> None:
    """Where the registry has another image, what the app runs is recorded."""
    ours = digest_of(released)
    theirs = released.store(REFERENCE, "foreign")

    assert differences(released) == (
        f"number 3 is {ours[7:19]} on this host and {theirs[7:19]} in the registry,"
        " where another client pushed another image: dokku ps:rebuild web"
    )
    assert [row.digest for row in released.ledger.releases()] == [ours]


def test_ledger_knows_another_digest(released: Host) -> None:
    """A ledger that remembers another image keeps it and says so."""
    run(released)
    (row,) = released.ledger.releases()
    released.ledger.update_release(row.job_id, digest="sha256:" + "a" * 64)

    assert differences(released) == (
        f"number 3 is aaaaaaaaaaaa in the ledger and {digest_of(released)[7:19]}"
        " in the registry: dokku ps:rebuild web"
    )


def test_no_login(released: Host) -> None:
    """An app without a login is told, whether the registry asks for one or not."""
    released.credentials.logins.clear()
    said = "no login for r.example: dokku registry:login web r.example USER"

    assert differences(released) == said

    released.registry.logins[SERVER] = LOGIN
    assert differences(released) == said


def test_registry_is_away(released: Host) -> None:
    """Apps are adopted by what this host knows, and the registry is asked once."""
    ours = digest_of(released)
    released.create_app("api")
    release_by_core(released, 5, "api")
    released.cut_registry()
    context = released.replace(parallel_tags=1)

    found = adopt.Adopter(context, scheduler_of=lambda _app: "docker-local").adopt_all()

    assert [(entry.app, entry.is_new) for entry in found] == [
        ("api", True),
        ("web", True),
    ]
    assert len({entry.differences for entry in found}) == 1
    assert found[1].digest == ours
    asked = [call for call in released.registry.calls if call[0] == "digest"]
    assert len(asked) == 1


def test_a_limit_of_one_login(released: Host) -> None:
    """An app whose login is limited keeps no other app from being looked at."""
    ours = digest_of(released)
    released.create_app("api")
    release_by_core(released, 5, "api")
    released.credentials.logins["api", SERVER] = LOGIN
    released.registry.fail("digest", errors.RateLimitedError("later", retry_after=60))
    context = released.replace(parallel_tags=1)

    found = adopt.Adopter(context, scheduler_of=lambda _app: "docker-local").adopt_all()

    assert [entry.app for entry in found] == ["api", "web"]
    assert "later" in " ".join(found[0].differences)
    assert (found[1].differences, found[1].digest) == ((), ours)


def test_what_was_missing_is_added(released: Host) -> None:
    """What an earlier adoption could not find out is added by a later one."""
    run(released)
    (row,) = released.ledger.releases()
    released.ledger.update_release(row.job_id, digest="", image_id="")

    run(released)

    assert released.ledger.releases() == [row]


def test_a_dry_run_with_two_apps_in_one_repository(released: Host) -> None:
    """A dry run says it too, of each of the apps."""
    released.create_app("api", image_repo="org/web", tag_version="3")

    found = {entry.app: entry.differences for entry in run(released, is_dry_run=True)}

    for app, other in (("api", "web"), ("web", "api")):
        assert found[app][-1] == (
            f"{REPOSITORY} is also the repository of {other}: each app skips the"
            " numbers of the others, and extra tags move to the last release of any."
            f" Set another image-repo for one of them with: dokku registry:set {app}"
            " image-repo ORG/NAME"
        )


def test_two_apps_with_one_repository(released: Host) -> None:
    """Two apps that count in one repository are told apart."""
    released.create_app("api", image_repo="org/web", tag_version="3")

    found = {entry.app: entry.differences for entry in run(released)}

    assert found["api"] == ()
    (said,) = found["web"]
    assert said == (
        f"another app has released {REFERENCE}: set another image-repo for one of them"
        " with dokku registry:set"
    )


def test_wrong_property(released: Host) -> None:
    """A value that cannot be right is said with its property."""
    released.set("web", "push-policy", "never")

    assert differences(released).startswith("property push-policy: ")


def test_number_as_an_extra_tag(released: Host) -> None:
    """A number that Dokku's plugin took as an extra tag is said."""
    released.set("web", "push-extra-tags", "1")

    assert differences(released).startswith("property push-extra-tags: 1 ignored")


def test_reference_that_is_none(released: Host) -> None:
    """A repository that cannot be pushed to fails nothing."""
    released.set("web", "image-repo", "Org/Web")

    (found,) = run(released)

    assert found.differences[0].startswith(
        "r.example/Org/Web:3 is not a valid reference: "
    )


def test_engine_is_away(released: Host) -> None:
    """Without an Engine nothing is adopted, since nothing could be known of images."""
    released.engine.is_down = True

    with pytest.raises(errors.EngineUnavailableError):
        run(released)

    assert released.ledger.releases() == []


def test_properties_stay_untouched(released: Host) -> None:
    """Adopting writes no property of Dokku's."""
    folder = released.folder / "config" / policy.CORE / "web"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    run(released)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_release_without_a_push_is_live(released: Host) -> None:
    """It is left alone, unless Dokku's own plugin has counted further since."""
    run(released)
    local = DeployedRelease(server="", image_repo="", number=0)
    released.context.deployed.record_deployed("web", local)

    assert run(released) == []
    assert released.deployed() == local

    release_by_core(released, 5)
    (found,) = run(released)

    assert found.reference.endswith(":5")
    assert released.deployed() != local
