"""Very many jobs of all kinds for one daemon, and whether it grows by them.

Most jobs find nothing to do, as on a host at rest; in between images are released,
names given back, apps forgotten and broken files refused. What the daemon holds is
looked at after each round; `findings` is the judgement, apart from any process.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.site import Site
from support.waiting import until

MOST_GROWTH_KB: Final = 5 << 10
# Jobs that meet for the first time open one more connection, which is kept.
_MOST_CONNECTIONS: Final = 2
# One in so many trigger files is another than a heal of a host at rest.
_RELEASES: Final = 60
_REFUSED: Final = 50
_FORGOTTEN: Final = 1  # of each round
_APPS: Final = 500
_ENDS: Final = 3  # samples at either end that count together
_SECONDS: Final = 300

_HEAL: Final = "trigger=heal\napp={}\n"
_RELEASE: Final = (
    "trigger=release\napp={0}\nimage=dokku/{0}:latest\nscheduler=docker-local\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a process holds."""

    kilobytes: int
    descriptors: int


def findings(samples: Sequence[Sample]) -> list[str]:
    """Return what has grown over samples that begin when all is warm; none is well."""
    first, last = samples[:_ENDS], samples[-_ENDS:]
    found = []
    before = statistics.median(sample.kilobytes for sample in first)
    after = statistics.median(sample.kilobytes for sample in last)
    if after - before >= MOST_GROWTH_KB:
        found.append(f"memory grew from {before:.0f} to {after:.0f} KB")
    # One that is open just now is not a leak: the least of the last ones counts.
    most = max(sample.descriptors for sample in first)
    least = min(sample.descriptors for sample in last)
    if least > most + _MOST_CONNECTIONS:
        found.append(f"descriptors grew from {most} to {least}")
    return found


def soak(site: Site, *, rounds: int, warm: int, jobs: int) -> list[Sample]:
    """Let a daemon that runs work through rounds; return a sample of each.

    Args:
        site: It has the app `web`, released.
        rounds: How many.
        warm: After how many of them the samples begin.
        jobs: How many trigger files each has.
    """
    samples = []
    spool = site.host.data_dir / "spool" / "new"
    for number in range(rounds):
        _leave(site, number, jobs)
        until(lambda: not any(spool.iterdir()), _SECONDS, what="the end of all files")
        if number >= warm:
            samples.append(_look(site.service.pid))
    return samples


def _leave(site: Site, number: int, jobs: int) -> None:
    """Leave one round of triggers."""
    gone = [f"gone{number}-{count}" for count in range(_FORGOTTEN)]
    for app in gone:
        site.make_app(app)
        assert site.host.destroy_app(app).code == 0
    # The first heal gives this name back, without network.
    site.untag("dokku/web:latest")
    bodies = [_HEAL.format("web")] * 2
    bodies += [_RELEASE.format("web")] * (jobs // _RELEASES)
    bodies += ["trigger=nonsense\n"] * (jobs // _REFUSED)
    rest = jobs - len(bodies) - len(gone)
    bodies += [_HEAL.format(f"app{count % _APPS}") for count in range(rest)]
    spool = site.host.data_dir / "spool"
    for count, body in enumerate(bodies):
        name = f"{number * jobs + count:016d}.1.1"
        path = spool / "tmp" / name
        path.write_text(f"dokku-registryd/1\n{body}end\n")
        path.chmod(0o600)
        path.rename(spool / "new" / name)


def _look(pid: int) -> Sample:
    process = Path("/proc", str(pid))
    resident = (process / "status").read_text().partition("VmRSS:")[2]
    return Sample(
        kilobytes=int(resident.split()[0]),
        descriptors=len(list((process / "fd").iterdir())),
    )
