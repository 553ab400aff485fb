"""Two registries and few workers: the one that hangs leaves some to the other."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import worker
from support.waiting import until
from watching import watch
from workshops import Workshop, open_workshop
from worlds import Host

WORKERS = 4


class Bad:
    """An Engine whose pushes to one registry hang until they are let go."""

    def __init__(self, host: Host) -> None:
        self.engine = host.context.engine
        self.may_go_on = threading.Event()
        self.hanging = 0

    def __getattr__(self, name: str) -> Any:
        """Give what else an Engine can do."""
        return getattr(self.engine, name)

    def push(self, reference: str, **more: Any) -> str:
        """Push, or hang."""
        if reference.startswith("bad.example"):
            self.hanging += 1
            assert self.may_go_on.wait(120)
        return self.engine.push(reference, **more)


@pytest.fixture
def bad(host: Host) -> Iterator[Bad]:
    """Give an Engine that hangs; it is let go at the end."""
    made = Bad(host)
    yield made
    made.may_go_on.set()


@pytest.fixture
def shop(host: Host, bad: Bad) -> Iterator[Workshop]:
    """Give a workshop with workers."""
    opened = open_workshop(host, workers=WORKERS, engine=bad)
    threads = [worker.Worker(opened.executor, f"worker-{n}") for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    yield opened
    bad.may_go_on.set()
    opened.executor.queue.close()
    for thread in threads:
        thread.join(120)


def release(host: Host, shop: Workshop, app: str, server: str, job_id: str) -> None:
    """Leave a release of a new app."""
    host.create_app(app, server=server)
    host.engine.add_image(f"dokku/{app}:latest", app.encode())
    host.leave(Kind.RELEASE, job_id, app=app)
    shop.intake.scan()


def test_a_deploy_to_another_registry_begins_at_once(
    host: Host, shop: Workshop, bad: Bad
) -> None:
    """However many deploys hang at one registry, one to another one goes through."""
    for number in range(2 * WORKERS):
        release(host, shop, f"slow{number}", "bad.example", f"{number + 1}.1.1")
    until(lambda: bad.hanging == WORKERS // 2)

    release(host, shop, "good", "good.example", "99.1.1")

    until(lambda: shop.ending("99.1.1") == "done")
    assert bad.hanging == WORKERS // 2


def test_after_a_restart(host: Host, bad: Bad) -> None:
    """What waited in the ledger counts to its registry as well."""
    for number in range(WORKERS):
        app = f"slow{number}"
        host.create_app(app, server="bad.example")
        host.add_job(Kind.RELEASE, f"{number + 1}.1.1", app=app)
    host.add_job(Kind.RELEASE, "99.1.1")
    shop = open_workshop(host, workers=WORKERS, engine=bad)

    shop.intake.resume()

    taken = [shop.executor.queue.take(0) for _ in range(WORKERS)]
    assert [job.host if job else "" for job in taken] == [
        "bad.example",
        "bad.example",
        "r.example",
        "",
    ]


def test_one_registry_alone(host: Host, shop: Workshop) -> None:
    """A registry that serves gets all workers where nothing else waits."""
    release(host, shop, "first", "good.example", "1.1.1")
    until(lambda: shop.ending("1.1.1") == "done")
    gate = threading.Barrier(WORKERS)

    def meet(method: str) -> None:
        if method == "push":
            gate.wait(120)

    shop.executor.context = host.replace(engine=watch(host.context.engine, meet))
    for number in range(WORKERS):
        release(host, shop, f"app{number}", "good.example", f"{number + 2}.1.1")

    until(lambda: len(shop.finished) == 1 + WORKERS)
    assert {shop.ending(job_id) for job_id in shop.finished} == {"done"}
