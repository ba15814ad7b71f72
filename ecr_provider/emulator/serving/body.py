"""A request's body, read as it comes: of any length, known beforehand or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from io import BufferedIOBase

from ecr_provider.emulator.errors import ConnectionCutError, EcrError

_PIECE = 64 * 1024
_LONGEST_LINE = 4096  # of the chunked encoding's own
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")  # of a chunk


class Body:
    """The bytes of one body, and not one beyond (RFC 9112, 6.3).

    ``length`` is what ``Content-Length`` says, or None for the chunked encoding. ``proceed`` is called before
    the first read: a client may be waiting for that.

    What is read raises ConnectionCutError if the client breaks off before its end, and EcrError
    (``SerializationException``) if the chunked encoding is broken.
    """

    def __init__(self, file: BufferedIOBase, length: int | None, proceed: Callable[[], None] | None) -> None:
        self.length = length
        self.taken = 0
        """How many bytes were read so far."""
        self._file = file
        self._left = length or 0  # of the body or, if that is chunked, of the chunk
        self.at_end = length == 0
        """Whether it is known that nothing is left."""
        self._proceed = proceed
        self._is_whole = True

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer with what comes next; return how many bytes that is, which is 0 at the end."""
        try:
            self._begin()
            return self._fill(buffer)
        except OSError as error:
            raise ConnectionCutError from error

    def read(self, most: int) -> bytes:
        """Return what comes next, up to so many bytes."""
        buffer = bytearray(most if self.length is None else min(most, self.length))
        with memoryview(buffer) as view:
            count = self.readinto(view)
        return bytes(buffer[:count])

    def drain(self) -> bool:
        """Read the rest and forget it; tell whether the connection is ready for another request.

        It is not after broken chunks, nor if the client waits to be told to send its body and never was.
        """
        if self._proceed is not None and not self.at_end:
            return False
        with suppress(EcrError), memoryview(bytearray(_PIECE)) as buffer:
            while self.readinto(buffer):
                pass
        return self._is_whole

    def _begin(self) -> None:
        if self._proceed is not None:
            self._proceed()
            self._proceed = None

    def _fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer) and not self.at_end:
            if not self._left and not self._next_chunk():
                break
            wanted = min(len(buffer) - filled, self._left)
            if self._file.readinto(buffer[filled : filled + wanted]) < wanted:
                raise ConnectionCutError
            filled += wanted
            self._took(wanted)
        return filled

    def _took(self, count: int) -> None:
        self.taken += count
        self._left -= count
        if self._left:
            return
        if self.length is not None:
            self.at_end = True
        elif self._line():
            raise self._broken()

    def _next_chunk(self) -> bool:
        """Read the head of a chunk (RFC 9112, 7.1); tell whether it is not the last."""
        size = self._line().partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise self._broken()
        self._left = int(size, 16)
        self.at_end = not self._left
        while self.at_end and self._line():
            pass  # a trailer
        return not self.at_end

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise ConnectionCutError
        if not line.endswith(b"\n"):
            raise self._broken()
        return line.rstrip(b"\r\n")

    def _broken(self) -> EcrError:
        self._is_whole, self.at_end = False, True
        return EcrError("SerializationException", "The request's body is not in HTTP's chunked encoding")
