"""A push behind a deploy and the app's next release, at the same time."""

import dataclasses
import threading
from typing import Any

from dokku_registryd.core.image import images
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime.app_locks import AppLocks
from support.waiting import until
from workshops import Workshop, let_go_on
from worlds import IMAGE, Host


class Hold:
    """Holds the first caller until it is let go."""

    def __init__(self) -> None:
        self.is_held = threading.Event()
        self.may_go_on = threading.Event()

    def wait(self) -> None:
        """Wait, the first time."""
        if not self.is_held.is_set():
            self.is_held.set()
            assert self.may_go_on.wait(120)


def begin(shop: Workshop, host: Host) -> tuple[jobs.Job, jobs.Job]:
    """Return the push behind release 1, and release 2, which waits for its own."""
    host.clock.seconds += 100
    shop.executor.context = dataclasses.replace(
        shop.executor.context, app_lock=AppLocks().of
    )
    delivery = shop.executor.queue.take(0)
    host.engine.add_image(IMAGE, b"two")
    host.set("web", "push-policy", "wait")
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()
    release = shop.executor.queue.take(0)
    assert delivery is not None
    assert release is not None
    return delivery, release


def run_both(shop: Workshop, host: Host, hold: Hold, *, until_done: bool) -> None:
    """Run both; the older one is held until the newer one has arrived, or is done."""
    delivery, release = begin(shop, host)
    threads = [threading.Thread(target=shop.executor.run, args=(delivery,))]
    threads[0].start()
    assert hold.is_held.wait(120)
    threads.append(threading.Thread(target=shop.executor.run, args=(release,)))
    threads[1].start()
    if until_done:  # It waits for nothing that takes a network's time.
        threads[1].join(120)
    until(lambda: "2" in host.tags(), what="the newer number")
    hold.may_go_on.set()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert (shop.ending(), shop.ending("2.1.1")) == ("done", "done")


def test_extra_tags(host: Host) -> None:
    """A tag that is just being moved to the older release ends at the newer one."""
    host.set("web", "push-extra-tags", "latest")
    shop, hold = let_go_on(host), Hold()
    put: Any = host.registry.put_manifest

    def put_held(image: Any, manifest: images.Manifest, *, auth: Any) -> str:
        if image.tag == "latest":
            hold.wait()
        return str(put(image, manifest, auth=auth))

    host.registry.put_manifest = put_held  # type: ignore[method-assign]  # it waits

    run_both(shop, host, hold, until_done=True)

    assert host.tags()["latest"] == host.tags()["2"] != host.tags()["1"]


def test_what_dokku_is_told(host: Host) -> None:
    """A record and a counter that are just being written end at the newer one."""
    shop, hold = let_go_on(host), Hold()

    class Files:
        def __getattr__(self, name: str) -> Any:
            return getattr(host.files, name)

        def set(self, *values: str) -> None:
            hold.wait()
            host.files.set(*values)

    shop.executor.context = dataclasses.replace(
        shop.executor.context,
        properties=Files(),
    )

    run_both(shop, host, hold, until_done=False)

    assert host.tag_version() == "2"
    deployed = host.deployed()
    assert deployed is not None
    assert deployed.number == 2
