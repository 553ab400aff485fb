"""Uninstalling: everything goes back to Dokku's own plugin, as it was."""

from pathlib import Path

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.releases import Release
from support.bare_site import BareSite
from support.dokku_host import Result
from support.engines import EngineServer
from support.registries import RegistryServer


def accept(site: BareSite, number: int) -> None:
    """Let the deploy of a release go on before its push is done."""
    book = ledger.SqliteLedger(site.host.data_dir / "ledger.sqlite3")
    book.reserve(
        Release(
            job_id="1.1.1",
            app="web",
            number=number,
            image_id="sha256:" + "a" * 64,
            server=f"{site.server}/",
            image_repo="dokku/web",
            scheduler="docker-local",
        )
    )
    book.update_release("1.1.1", is_deploy_continued=True)
    book.close()


def kept(site: BareSite) -> tuple[Path, ...]:
    """Return what uninstalling leaves."""
    host = site.host
    return (
        host.data_dir,
        host.config_root / "registryd",
        site.root / "etc" / "dokku-registryd",
    )


def test_everything_back(bare: BareSite) -> None:
    """Files, modes, links, properties, number and login are as before installing."""
    before = bare.tree()
    bare.install()

    result = bare.uninstall()

    assert (result.stderr, result.code) == ("", 0)
    assert bare.tree(without=kept(bare)) == before
    assert bare.deployed() == bare.reference(2)
    assert bare.systemctl_calls()[-2:] == [
        "disable --now dokku-registryd",
        "daemon-reload",
    ]


def test_a_daemon_by_hand(
    tmp_path: Path, engine: EngineServer, own_registry: RegistryServer
) -> None:
    """Without systemd a daemon that runs is named, and nothing is removed below it."""
    with BareSite(tmp_path, engine, own_registry, has_systemd=False) as site:
        site.install()
        site.service.start()
        pid = site.service.pid
        before = site.enabled()

        refused = site.uninstall()

        assert (refused.code, site.enabled()) == (1, before)
        assert f"process {pid} uses {site.host.data_dir} and would run on" in (
            refused.stderr
        )
        assert f"Stop it with: kill {pid}" in refused.stderr
        site.service.stop()
        assert site.uninstall().code == 0


def test_what_is_kept(bare: BareSite) -> None:
    """Ledger, properties of our own and settings stay for a later installation."""
    bare.install()
    bare.host.set_property("web", "heal", "off", plugin="registryd")

    bare.uninstall()

    assert (bare.host.data_dir / "ledger.sqlite3").exists()
    assert not (bare.host.data_dir / "deployed").exists()
    assert bare.host.read_property("web", "heal", plugin="registryd") == "off"
    assert (bare.root / "etc/dokku-registryd/config.toml").exists()


def test_purge(bare: BareSite) -> None:
    """A purge leaves the host as if nothing of us had ever been there."""
    before = bare.tree()
    bare.install()

    bare.uninstall("--purge")

    assert bare.tree() == before


def test_purge_later(bare: BareSite) -> None:
    """What was kept can be removed by a second call."""
    before = bare.tree()
    bare.install()
    bare.uninstall()

    bare.uninstall("--purge")

    assert bare.tree() == before


def test_companion(bare: BareSite) -> None:
    """Dokku's own plugin, which was never disabled, stays enabled."""
    before = bare.tree()
    bare.install("--companion")

    bare.uninstall("--purge")

    assert bare.tree() == before


def test_dry_run(bare: BareSite) -> None:
    """A dry run says the very sentences and changes nothing."""
    bare.install()
    before, calls = bare.tree(), bare.systemctl_calls()

    shown = bare.uninstall("--dry-run")

    assert (bare.tree(), bare.systemctl_calls()) == (before, calls)
    done = bare.uninstall()
    assert shown.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-2]


def test_never_installed(bare: BareSite) -> None:
    """Where nothing of us is there nothing is touched."""
    before = bare.tree()

    result = bare.uninstall("--purge")

    assert (result.stderr, result.code) == ("", 0)
    assert bare.tree() == before


def test_accepted_release_waits(bare: BareSite) -> None:
    """While an accepted release is not in the registry nothing is given back."""
    bare.install()
    accept(bare, 3)
    before = bare.tree()

    result = bare.uninstall()

    assert result == Result(
        "",
        "dokku-registryd: cannot uninstall: the deploy of web 3 continued before the"
        " push was done, and Dokku's own plugin does not know such numbers. Wait until"
        " dokku-registryd status shows no pending jobs, or add --force\n",
        1,
    )
    assert bare.tree() == before


def test_force(bare: BareSite) -> None:
    """By force it is given back all the same; what waits is named and stays."""
    bare.install()
    accept(bare, 3)

    result = bare.uninstall("--force")

    assert result.code == 0
    assert " !     Not pushed yet: web 3\n" in result.stdout
    assert bare.releases() == [(3, "reserved"), (2, "pushed")]
    assert bare.uninstall("--purge").code == 0


def test_trigger_that_waits(bare: BareSite) -> None:
    """Unprocessed trigger files are counted, and stay."""
    bare.install()
    bare.announce_deploy()

    result = bare.uninstall()

    assert (
        f" !     Pending jobs: 1; they stay in {bare.host.data_dir}\n" in result.stdout
    )
    assert len(bare.host.spool()) == 1


def test_app_that_will_be_called_otherwise(bare: BareSite) -> None:
    """An app whose server changed after its release is named, with the cure."""
    bare.install()
    bare.host.set_property("web", "server", "new.example")

    result = bare.uninstall()

    assert (
        f" !     web runs {bare.reference(2)}, and Dokku's own plugin will ask for"
        " new.example/dokku/web:2: dokku ps:rebuild web\n"
    ) in result.stdout


def test_installed_again(bare: BareSite) -> None:
    """After a time with Dokku's own plugin an installation knows old and new."""
    bare.install()
    bare.uninstall()
    bare.release_by_core(3)

    bare.install()

    assert bare.deployed() == bare.reference(3)
    assert bare.releases() == [(3, "pushed"), (2, "pushed")]


def test_ledger_that_cannot_be_read(bare: BareSite) -> None:
    """A damaged ledger does not stop an operator who discards its content."""
    bare.install()
    book = bare.host.data_dir / "ledger.sqlite3"
    book.write_bytes(b"damaged" * 1000)

    refused = bare.uninstall()

    assert (refused.stdout, refused.code) == ("", 1)
    assert refused.stderr.startswith(
        "dokku-registryd: cannot uninstall: cannot list pending pushes (the ledger"
        f" {book} is damaged: file is not a database. "
    )
    assert refused.stderr.endswith("). Add --force to discard them\n")
    assert bare.uninstall("--force").code == 0
    assert bare.deployed() == bare.reference(2)


def test_companion_while_an_accepted_release_waits(bare: BareSite) -> None:
    """Nor is anything given back by installing once more, as companion."""
    bare.install()
    accept(bare, 3)

    result = bare.install("--companion")

    assert (result.stdout, result.code) == ("", 1)
    assert result.stderr.startswith(
        "dokku-registryd: cannot install: the deploy of web 3 continued before"
    )
    assert bare.enabled() == ["registryd"]


def test_life_between(bare: BareSite) -> None:
    """After a life under us only what the life itself changed is not as before."""
    before = bare.tree()
    bare.install()
    bare.host.set_property("web", "push-extra-tags", "stable")
    bare.build()
    deploy = {"DOKKU_BUILD_ID": "1abc"}
    released = bare.host.trigger(
        "post-release-builder",
        "dockerfile",
        "web",
        "dokku/web:latest",
        environ={
            "DOKKU_REGISTRYD_BIN": str(bare.root / "usr/local/bin/dokku-registryd"),
            "DOKKU_REGISTRYD_CONFIG": str(bare.service.config),
            **deploy,
        },
    )
    assert released.code == 0, released
    bare.host.trigger("post-deploy", "web", "", "", "latest", environ=deploy)

    bare.uninstall("--purge")

    after = bare.tree()
    changed = {
        Path(path).name
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
    assert changed == {"tag-version", "push-extra-tags"}
    assert bare.host.read_property("web", "tag-version") == "3"
    assert bare.deployed() == bare.reference(3)
    assert bare.remote().tags() == ["2", "3", "stable"]
