"""One process for each Engine, so that none waits for another."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_FORK: Final = multiprocessing.get_context("fork")


class DeadWorkerError(Exception):
    """A process ended otherwise than it should."""


@contextlib.contextmanager
def working(
    work: Callable[[Item], Iterable[Result]], items: Sequence[Item]
) -> Iterator[Iterator[Result]]:
    """Yield the results for all items as they come; then end the remaining processes.

    A worker is ended by SIGTERM, whose handler must let it clean up.
    """
    receivers: dict[Connection, BaseProcess] = {}
    try:
        for item in items:
            receiver, sender = _FORK.Pipe(duplex=False)
            worker: BaseProcess = _FORK.Process(target=_send, args=(work, item, sender))
            worker.start()
            sender.close()
            receivers[receiver] = worker
        yield _results(dict(receivers))
    finally:
        for worker in receivers.values():
            worker.terminate()
        for worker in receivers.values():
            worker.join()


def _send(
    work: Callable[[Item], Iterable[Result]], item: Item, sender: Connection
) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        for result in work(item):
            sender.send(result)


def _results(working: dict[Connection, BaseProcess]) -> Iterator[Result]:
    while working:
        for receiver in wait(list(working)):
            assert isinstance(receiver, Connection)
            try:
                yield receiver.recv()
            except EOFError:
                worker = working.pop(receiver)
                worker.join()
                if worker.exitcode:
                    raise DeadWorkerError(
                        f"{worker.name} ended with {worker.exitcode}; see above"
                    ) from None
