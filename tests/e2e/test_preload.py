"""An upgrade replaces files under a service that runs: it has loaded all it needs."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.registries import RegistryServer
from support.service import PROGRAM
from support.site import Site

# Python itself then says on stderr, between the log lines, what it imports.
LAUNCHER = """\
#!/bin/sh
[ "$1" != run ] || export PYTHONPROFILEIMPORTTIME=1
exec '{program}' "$@"
"""
IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| *([\w.]+)$", re.MULTILINE)
HELPER = """\
#!/bin/sh
read -r server
case $1 in
  get) printf '%s' '{login}' ;;
  erase) ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def telling(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site whose service says what it imports; it is not started."""
    launcher = tmp_path / "launcher"
    launcher.write_text(LAUNCHER.format(program=PROGRAM))
    launcher.chmod(0o755)
    with Site(tmp_path / "host", one_engine, own_registry, program=launcher) as site:
        yield site


def test_nothing_is_imported_late(telling: Site) -> None:
    """Releases, templates, helpers, heals, questions and an end need no more files."""
    site = telling
    login = {"Username": site.registry.username, "Secret": site.registry.password}
    site.host.add_command(
        "docker-credential-shelf",
        HELPER.format(login=json.dumps({"ServerURL": site.server, **login})),
    )
    site.make_app(image_repo_template='dokku/{{ printf "%s" .AppName }}')
    site.write_login("web", {"credHelpers": {site.server: "shelf"}})
    site.service.start()

    site.ship()
    site.announce_deploy()
    site.host.set_property("web", "push-extra-tags", "stable")
    site.ship()
    site.untag(site.reference(2))
    site.service.wait_for("job.finished", intent="heal", outcome="done")
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert site.service.run("metrics").returncode == 0
    assert site.service.run("health").returncode == 0
    site.registry.stop()
    site.build()
    hook = site.begin_release()
    site.service.wait_for("job.retry_scheduled", intent="release")
    hook.close()
    site.host.destroy_app("web")
    site.service.wait_for("job.finished", intent="destroyed")
    site.service.stop()

    text = site.service.log_file.read_text(errors="replace")
    before, ready, after = text.partition("daemon.ready")
    assert ready
    late = {name.partition(".")[0] for name in IMPORTED.findall(after)}
    assert late - sys.stdlib_module_names == set()
    assert "dokku_registryd.core.gotemplate.parser" in IMPORTED.findall(before)
