"""Blobs of images on their way to a registry, and from it."""

from collections.abc import Iterator
from typing import Protocol


class BegunUpload(Protocol):
    """An upload of a blob that has begun, and has no bytes yet."""

    def cancel(self) -> None:
        """Let the registry drop it, which not all can.

        Raises:
            RegistrydError: It did not.
        """


class BlobSource(Protocol):
    """The bytes of a blob in their order; those sent last can be sent again."""

    @property
    def position(self) -> int:
        """The offset of the next byte."""

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Yield so many of the next bytes, or all of them.

        Raises:
            RegistrydError: They do not come any more.
        """

    def fill(self, size: int) -> int:
        """Get the next bytes, so that they can be read more than once.

        Returns:
            How many there are: `size` at most, and 0 at the end.
        """

    def rewind(self, offset: int) -> bool:
        """Continue at an earlier offset; return False if its bytes are gone."""

    def check(self) -> None:
        """Return if they are still needed; raise the reason if they are not."""


class BlobStream(Protocol):
    """The bytes of a blob in a registry, as they arrive; they are not verified."""

    def pieces(self) -> Iterator[bytes]:
        """Yield them to their end, in pieces of at most 64 KiB.

        Raises:
            RegistrydError: They do not come any more.
        """

    def close(self) -> None:
        """End the request; a second call is harmless."""
