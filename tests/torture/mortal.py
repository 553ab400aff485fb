"""A host whose processes die, and what its people do on it until one does."""

import random
from collections.abc import Callable
from typing import Final

from support.waiting import until
from torture import settling
from torture.apps import App
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.life import Report

_SECONDS: Final = 300  # of a machine that does much else


class Mortal:
    """A host whose processes die.

    Args:
        host: The host.
        report: Where steps are noted.
    """

    def __init__(self, host: TortureHost, report: Report) -> None:
        self.host = host
        self.report = report
        self.deeds = Deeds(host, random.Random(0), report.steps.append)  # noqa: S311
        self.repeat: Callable[[], None] | None = None
        """What an operator does after a death, before any service is started."""
        self._count = 0

    def make_app(self) -> App:
        """Create an app with a login that lies in its file or in a helper."""
        self._count += 1
        app = App(name=f"app{self._count}")
        self.host.make_app(
            app.name, has_helper=self._count % 2 == 0, push_extra_tags="latest, stable"
        )
        self.deeds.apps.append(app)
        return app

    def release(self, app: App, *, is_same: bool = False) -> None:
        """Release a build or the latest image, and wait for the end or a death."""
        known = app.deploys[-1].image_id if is_same else ""
        image_id = known or self.host.site.build(app.name)
        deploy = self.deeds.begin(app, image_id, "same image" if known else "build")
        self.wait_for(lambda: not deploy.hook.is_running and not self.is_busy())
        self.deeds.collect()
        self.wait_for(lambda: not self.is_busy())

    def go_live(self, app: App) -> None:
        """Release builds until the checks of one have passed."""
        self.release(app)
        while not app.deploys[-1].is_live:
            self.release(app)

    def wait_for(self, fact: Callable[[], bool]) -> None:
        """Wait for an end, or for a death."""
        until(lambda: self.host.orders.is_obeyed or fact(), _SECONDS, what="the end")

    def is_busy(self) -> bool:
        """Tell whether the service runs, and has something to do."""
        is_running = self.host.site.service.is_running
        waiting = settling.status(self.host)["unfinished"]
        return is_running and bool(waiting or self.host.site.host.spool())
