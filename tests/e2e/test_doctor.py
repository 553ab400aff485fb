"""`doctor` on a whole host: Engine, registry, service and a release."""

from support.site import Site


def test_a_healthy_host(site: Site) -> None:
    """Where everything works no line asks for anything, and the status is 0."""
    site.make_app()
    site.ship()

    done = site.service.run("doctor")

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert [line.split(":")[0] for line in lines] == [
        "ok    settings",
        "ok    apps",
        "ok    spool",
        "ok    disk",
        "ok    ledger",
        "ok    service",
        "ok    plugin",
        "ok    engine",
        "ok    pushes",
        "ok    web image",
        "ok    web login",
        "ok    web registry",
        "ok    web repository",
        "ok    web release",
    ]
    assert lines[-1].endswith("is in the registry with the recorded digest")
