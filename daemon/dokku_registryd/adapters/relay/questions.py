"""Which blobs the registry has: each is asked for once in a push, most of them early.

An Engine asks for a few layers at a time, and for the configuration after the last one,
so the round trips add up. Successive images of an app share nearly all layers. So what
was asked in the last push to a repository is asked again all at once, as soon as the
next push begins; the Engine's own questions then find the answers. A wrong guess costs
a request, and decides nothing.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors

_MOST_REPOSITORIES: Final = 1024
_MOST_BLOBS: Final = 64  # of one image; more are asked for when their turn comes
_PARALLEL: Final = 8  # the connections that the client keeps to a registry


@dataclass(frozen=True, slots=True)
class Guess:
    """What the push of an image will need."""

    digests: tuple[str, ...] = ()
    """What it will be asked for; none if nothing is known of the repository."""
    is_new: bool = False
    """Whether something will be uploaded: another image was pushed last."""


@dataclass(frozen=True, slots=True)
class _Push:
    layers: tuple[str, ...]
    image_id: str
    asks_for_id: bool


class Memory:
    """What the last push to each repository was asked for. Thread-safe.

    It is a guess for the next push, so it need not survive a restart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: OrderedDict[str, _Push] = OrderedDict()

    def guess(self, repository: str, image_id: str) -> Guess:
        """Return what the push of an image will need.

        A classic store asks for the configuration too, whose digest is the image's ID.
        """
        with self._lock:
            last = self._last.get(repository)
        if last is None:
            return Guess()
        own = (image_id,) if last.asks_for_id and image_id else ()
        return Guess((*last.layers, *own), is_new=image_id != last.image_id)

    def keep(self, repository: str, wanted: Iterable[str], image_id: str) -> None:
        """Replace what is known of a repository by what a push was asked for."""
        wanted = tuple(wanted)
        layers = tuple(digest for digest in wanted if digest != image_id)[:_MOST_BLOBS]
        with self._lock:
            self._last[repository] = _Push(layers, image_id, image_id in wanted)
            self._last.move_to_end(repository)
            if len(self._last) > _MOST_REPOSITORIES:
                self._last.popitem(last=False)


class Questions:
    """The questions of one push. Thread-safe.

    Args:
        ask: Returns the size of a blob in bytes; None if the registry is not known to
            have it.
    """

    def __init__(self, ask: Callable[[str], int | None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._open: dict[str, Future[int | None]] = {}
        self._sizes: dict[str, int | None] = {}
        self._wanted: dict[str, None] = {}
        self._pool: ThreadPoolExecutor | None = None

    def ask_ahead(self, digests: Iterable[str]) -> None:
        """Ask for blobs in other threads; nothing is raised."""
        wanted = tuple(digests)
        if not wanted:
            return
        pool = ThreadPoolExecutor(min(_PARALLEL, len(wanted)), "ahead")
        with self._lock:
            self._pool = pool
        for digest in wanted:
            pool.submit(self._answer_ahead, digest)

    def size_of(self, digest: str) -> int | None:
        """Return the size of a blob that the Engine asks for.

        Raises:
            TransientError: The registry does not answer.
        """
        with self._lock:
            self._wanted[digest] = None
        return self._answer(digest)

    def note(self, digest: str, size: int) -> None:
        """Record that the registry has taken a blob."""
        with self._lock:
            self._sizes[digest] = size

    def found(self) -> frozenset[str]:
        """Return the blobs that the registry has."""
        with self._lock:
            return frozenset(
                digest for digest, size in self._sizes.items() if size is not None
            )

    def wanted(self) -> tuple[str, ...]:
        """Return the blobs that the Engine asked for, in its order."""
        with self._lock:
            return tuple(self._wanted)

    def close(self) -> None:
        """Ask no more; a question that is under way ends by itself."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _answer_ahead(self, digest: str) -> None:
        # If the Engine asks too, it gets the same error, or asks again.
        with contextlib.suppress(errors.RegistrydError):
            self._answer(digest)

    def _answer(self, digest: str) -> int | None:
        with self._lock:
            if digest in self._sizes:
                return self._sizes[digest]
            asked = self._open.get(digest)
            is_ours = asked is None
            if asked is None:
                asked = self._open[digest] = Future()
        if not is_ours:
            return asked.result()
        try:
            size = self._ask(digest)
        except BaseException as error:
            with self._lock:
                del self._open[digest]
            asked.set_exception(error)
            raise
        with self._lock:
            del self._open[digest]
            # An upload that has ended meanwhile knows better.
            size = self._sizes.setdefault(digest, size)
        asked.set_result(size)
        return size
