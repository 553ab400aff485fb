"""`rollback` and `promote`: what they refuse before anything moves."""

import os

import pytest

from dokku_registryd.adapters.dokku import deploying_files
from dokku_registryd.adapters.host import processes
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.core.release.rollbacks import RefusedError
from support.calling import Caller

DEPLOYED = DeployedRelease(server="", image_repo="org/web", number=43)


@pytest.fixture(autouse=True)
def apps(caller: Caller) -> None:
    """Give two apps."""
    for app in ("web", "shop"):
        (caller.home / app).mkdir()


@pytest.mark.parametrize("words", [("rollback", "web"), ("promote", "shop", "web")])
def test_a_deploy_that_takes_no_lock(caller: Caller, words: tuple[str, ...]) -> None:
    """While `config:set` deploys, neither begins; what has ended counts no more."""
    told = deploying_files.DeployingFiles(caller.data_dir / "deploying")
    pid = os.getpid()
    told.tell("web", f"pid-{pid}-{processes.started(pid)}", DEPLOYED)

    with pytest.raises(RefusedError, match="web is being deployed"):
        caller.call(*words, "--dry-run")

    told.forget("web", f"pid-{pid}-{processes.started(pid)}")
    told.tell("web", f"pid-{pid}-1", DEPLOYED)
    with pytest.raises(RefusedError, match="push-on-release"):
        caller.call(*words, "--dry-run")
