"""What Dokku does with a deploy once its release is done, and what it is told then."""

import random
from collections.abc import Iterator
from typing import Final

from support.engine_api import EngineApiError
from torture.apps import Deploy
from torture.host import TortureHost

WRONG: Final = "WRONG: "
"""How a line begins that tells of a broken promise."""
_FAILED_CHECKS: Final = 0.15  # of the deploys whose release went on


def go_on(host: TortureHost, deploy: Deploy, draw: random.Random) -> Iterator[str]:
    """Start containers, run the checks, and say how the deploy ended.

    Yields:
        What is worth a line.
    """
    app, site = deploy.app.name, host.site
    # It was renamed since where this is another deploy.
    is_known = site.build_of(app) == deploy.build
    if deploy.is_deploy_continued and is_known and not deploy.is_local:
        yield from _look(host, deploy)
    deploy.has_passed_checks = draw.random() >= _FAILED_CHECKS
    is_good = deploy.is_deploy_continued and deploy.has_passed_checks
    is_announced = False
    if is_good:
        is_announced = not site.announce_deploy(app).stderr
    elif deploy.is_deploy_continued:
        yield f"the checks of {app} fail"
    status = "succeeded" if is_good else "failed"
    deploy.has_noted_end = site.end_deploy(app, status=status) and is_known
    if not is_good:
        deploy.is_live = False
    elif is_known and (is_announced or deploy.has_noted_end):
        deploy.is_live = True


def _look(host: TortureHost, deploy: Deploy) -> Iterator[str]:
    """Find the image by the name that its deploy is told, as Dokku does."""
    if not host.is_engine_awake or not host.engine_answers():
        return
    try:
        told = host.site.deployed(deploy.app.name)
        found = host.site.names().get(told)
    except (EngineApiError, OSError):
        return
    if found is None and not deploy.may_be_lost:
        yield f"{WRONG}{deploy.app.name} is told {told}, which is not here"
    elif found not in {None, deploy.image_id}:
        yield f"{WRONG}{deploy.app.name} is told {told}, which is {found}"
