"""A second host: an Engine, a daemon and apps of its own, and the same registry.

It releases when it is told to, suffers what the registry suffers, and nothing else.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from support.dokku_host import Result
from support.running_hook import RunningHook
from support.service import PROGRAM
from support.site import Site
from support.waiting import until
from torture.hurry import hurry
from torture.place import Place
from torture.proxy import FaultProxy

_HOOK_SECONDS: Final = 90
_JOB_SECONDS: Final = 60


@dataclass(kw_only=True)
class Arrival:
    """One release of the second host.

    Attributes:
        app: Its app.
        image_id: What was released.
        hook: What waited for it.
        result: How the hook ended, once it has.
    """

    app: str
    image_id: str
    hook: RunningHook
    result: Result | None = None

    @property
    def is_deploy_continued(self) -> bool:
        """Whether its deploy went on."""
        return self.result is not None and self.result.code == 0


class Neighbour:
    """The second host.

    Args:
        root: A missing folder.
        place: Where the first host is.
        proxy: The way to the registry of both.
    """

    def __init__(self, root: Path, place: Place, proxy: FaultProxy) -> None:
        self._root = root
        self._place = place
        self._proxy = proxy
        self._cleanup = ExitStack()
        self.arrivals: list[Arrival] = []

    def __enter__(self) -> Self:
        """Start its Engine and its daemon."""
        try:
            engine = self._cleanup.enter_context(self._place.build_engine())
            self._root.mkdir()
            self.site = self._cleanup.enter_context(
                Site(
                    self._root / "host",
                    engine,
                    self._place.registry,
                    environ={
                        name: os.environ[name]
                        for name in ("PYTHONPATH",)
                        if name in os.environ
                    },
                    program=self._place.wrap(PROGRAM, self._root / "daemon"),
                )
            )
            self.site.service.beside = self.site.service.program
            self.site.server = self._proxy.host
            self._place.trust_authority(self.site, self._proxy)
            hurry(self.site)
            self.site.service.start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        """End both."""
        self._cleanup.close()

    def release(self, app: str, path: str) -> Arrival:
        """Build an app and release it to a repository; make the app if need be."""
        if not (self.site.host.dokku_root / app).exists():
            self.site.make_app(app, push_extra_tags="latest, stable")
        self.site.host.set_property(app, "image-repo", path)
        image_id = self.site.build(app)
        arrival = Arrival(app=app, image_id=image_id, hook=self.site.begin_release(app))
        self.arrivals.append(arrival)
        return arrival

    def collect(self) -> bool:
        """Take note of releases that have ended, and tell whether all have."""
        for arrival in self.arrivals:
            if arrival.result is None and not arrival.hook.is_running:
                arrival.result = arrival.hook.finish()
                is_good = arrival.is_deploy_continued
                if is_good:
                    self.site.announce_deploy(arrival.app)
                status = "succeeded" if is_good else "failed"
                self.site.end_deploy(arrival.app, status=status)
        return all(arrival.result is not None for arrival in self.arrivals)

    def settle(self) -> None:
        """Return once nothing is left to be done.

        Raises:
            AssertionError: Something is never done.
        """
        until(self.collect, _HOOK_SECONDS, what="the end of the neighbour's hooks")
        until(
            lambda: not self.site.ask("status")["unfinished"],
            _JOB_SECONDS,
            what="the end of the neighbour's jobs",
        )
