"""`$DOKKU_ROOT` is away for some time, or elsewhere."""

import random
from collections.abc import Mapping
from typing import Final

from torture import roots
from torture.deeds import Deeds
from torture.fault import Fault
from torture.host import TortureHost
from torture.roots import Way
from torture.unfit import UnfitError

_SWEEP_SECONDS: Final = 6


def _displacing(way: Way) -> Fault:
    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        if not host.dokku_root.is_in_place or not deeds.apps:
            raise UnfitError("there is no app that could be missed")
        host.dokku_root.displace(way)
        if draw.random() < 0.3:
            host.site.service.kill()
            host.start_daemon()
        # In half of the lives a sweep finds it so.
        host.wait(draw.choice([0.0, _SWEEP_SECONDS]))

    return begin


FAULTS: Final[Mapping[str, Fault]] = {
    f"DOKKU_ROOT {way if way.startswith('moved') else f'is {way}'}": _displacing(way)
    for way in roots.WAYS
}
