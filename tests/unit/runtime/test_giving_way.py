"""A push that is no longer needed, and the jobs behind it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd.core.job.kinds import Kind
from support.waiting import until
from workshops import Workshop, let_go_on, open_workshop
from worlds import IMAGE, Host


def hold_push(host: Host) -> threading.Event:
    """Let each push stand still until it gives way; return what tells of the first."""
    is_held = threading.Event()

    def push(*_what: str, give_way: Callable[[], None], **_options: Any) -> str:
        is_held.set()
        until(lambda: give_way(), what="something to give way to")  # noqa: PLW0108 - it raises
        raise AssertionError

    host.engine.push = push  # type: ignore[method-assign,assignment]  # it hangs
    return is_held


def begin_push(shop: Workshop, is_held: threading.Event) -> threading.Thread:
    """Run the job that is due until its push stands still."""
    queue = shop.executor.queue
    shop.executor.context = replace(
        shop.executor.context, is_disowned=queue.is_disowned
    )
    thread = threading.Thread(target=shop.work)
    thread.start()
    assert is_held.wait(120)
    return thread


def wait_for_release(host: Host) -> Workshop:
    """Let a deploy of `web` wait for its push."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    return shop


def push_behind_a_deploy(host: Host) -> Workshop:
    """Let a push of `web` be due whose deploy went on."""
    shop = let_go_on(host)
    host.clock.seconds += 100
    return shop


@pytest.mark.parametrize("arrange", [push_behind_a_deploy, wait_for_release])
def test_a_destroyed_app(host: Host, arrange: Callable[[Host], Workshop]) -> None:
    """A new app of the same name deploys at once, however long the old push hangs."""
    shop, push = arrange(host), host.engine.push
    running = begin_push(shop, hold_push(host))

    host.leave(Kind.DESTROYED, "2.1.1")
    shop.intake.scan()
    running.join(120)
    host.engine.push = push  # type: ignore[method-assign]
    host.engine.add_image(IMAGE, b"new")
    host.set("web", "push-policy", "wait")
    host.leave(Kind.RELEASE, "3.1.1")
    shop.intake.scan()
    shop.work_all()

    endings = {job_id: shop.ending(job_id) for job_id in ("1.1.1", "2.1.1", "3.1.1")}
    assert endings == {"1.1.1": "dropped", "2.1.1": "skipped", "3.1.1": "done"}


@pytest.mark.parametrize("arrange", [push_behind_a_deploy, wait_for_release])
def test_a_renamed_app(host: Host, arrange: Callable[[Host], Workshop]) -> None:
    """A push goes on under the new name, and the rename need not wait for it."""
    host.create_app("new", image_repo="org/web")
    shop, push = arrange(host), host.engine.push
    running = begin_push(shop, hold_push(host))

    host.leave(Kind.RENAMED, "2.1.1", app="web", other="new")
    shop.intake.scan()
    running.join(120)
    host.engine.push = push  # type: ignore[method-assign]
    shop.work_all()
    renamed = shop.ending("2.1.1")
    host.clock.seconds += 100
    shop.work_all()

    assert (renamed, shop.ending("1.1.1")) == ("done", "done")
    assert (host.release().app, list(host.tags())) == ("new", ["1"])


def test_a_push_that_is_needed(host: Host) -> None:
    """A later release of the app does not end a push."""
    shop = push_behind_a_deploy(host)
    shop.executor.context = replace(
        shop.executor.context, is_disowned=shop.executor.queue.is_disowned
    )
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()

    shop.work_all()

    assert (shop.ending("1.1.1"), shop.ending("2.1.1")) == ("done", "done")
