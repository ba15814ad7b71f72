"""Read a blob by several connections at once, where one alone leaves most of the line unused.

So it is on a long way, or where a registry limits each connection. Stripes of one blob are then read at the same time,
and handed on in their order. Where it is not so, that would only cost: so every blob begins with one connection, and
more are made when that is what all wait for, while the line, with all blobs that are on their way, is far from full.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Lock, Semaphore
from typing import Final

from ecr_provider.copying.reading import BlobReader
from ecr_provider.exceptions import RangeIgnoredError

STRIPE: Final = 4 * 1024 * 1024
"""Bytes of a stripe."""

MOST_STRIPES: Final = 8
"""Stripes in memory at once, of all blobs together: 32 MiB."""

_FEWEST: Final = 2  # stripes at once: one connection there is already
_PROBE: Final = 4 * 1024 * 1024  # bytes by which a connection is judged, again and again
_WAITS: Final = 4  # times as long as it takes to pass the bytes on: on a busy machine, any connection is waited for
_FULL: Final = 125e6  # bytes a second, of all connections: where more of them gain little
_WINDOW: Final = 1.0  # seconds over which that is measured


class Stripes:
    """The stripes in memory, and the threads that fill them.

    :param most: how many there may be at once.
    """

    def __init__(self, most: int = MOST_STRIPES) -> None:
        self._free = Semaphore(most)
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="stripe")
        self._line = _Line()

    def close(self, *, join: bool = True) -> None:
        """End the threads.

        :param join: wait until what they do is done.
        """
        self._threads.shutdown(wait=join, cancel_futures=True)

    def read(self, reader: BlobReader) -> Generator[bytes, None, None]:
        """Yield a blob's bytes: by one connection, and from where that turned out to be slow by several.

        :param reader: how to read it.
        :raises EcrProviderError: as the reader's.
        """
        position, pace = 0, _Pace()
        with closing(pace.timed(reader.rest())) as chunks:
            for chunk in chunks:
                position += len(chunk)
                self._line.count(len(chunk))
                yield chunk
                if not (pace.is_slow and self._line.has_room):
                    continue
                pace.is_slow = False
                with closing(self._in_order(reader, position)) as stripes:
                    try:
                        first = next(stripes, b"")  # before the one connection is given up: nothing is lost by trying
                    except RangeIgnoredError:
                        yield from chunks
                        return
                    if first:
                        chunks.close()
                        yield first
                        yield from stripes
                        return

    def _in_order(self, reader: BlobReader, position: int) -> Generator[bytes, None, None]:
        """Yield the rest of a blob, in its order, from as many stripes as are free; nothing if that is no gain."""
        starts, begun = deque(range(position, reader.blob.size, STRIPE)), position
        reading: deque[Future[deque[bytes]]] = deque()
        held = self._hold(_FEWEST) if len(starts) >= _FEWEST else 0
        try:
            while held and (starts or reading):
                while starts and (len(reading) < held or self._hold(1)):
                    held = max(held, len(reading) + 1)
                    reading.append(self._threads.submit(self._stripe, reader, starts.popleft()))
                try:
                    stripe = reading.popleft().result()
                except RangeIgnoredError:  # by one of several servers, if others gave theirs
                    if position == begun:
                        raise
                    yield from reader.rest(position)
                    return
                while stripe:
                    position += len(stripe[0])
                    yield stripe.popleft()
        finally:
            for future in reading:
                future.cancel()
            wait(reading)
            for _ in range(held):
                self._free.release()

    def _hold(self, count: int) -> int:
        """Take so many stripes, if they are free; return how many, which is all or none."""
        for taken in range(count):
            if not self._free.acquire(blocking=False):
                for _ in range(taken):
                    self._free.release()
                return 0
        return count

    def _stripe(self, reader: BlobReader, start: int) -> deque[bytes]:
        stripe = deque[bytes]()
        for chunk in reader.part(start, min(start + STRIPE, reader.blob.size)):
            self._line.count(len(chunk))
            stripe.append(chunk)
        return stripe


class _Line:
    """How much all connections bring together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = time.perf_counter()
        self._bytes = 0
        self.has_room = False
        """Whether more connections would bring more, as far as is known."""

    def count(self, size: int) -> None:
        """Take note of bytes that came."""
        with self._lock:
            self._bytes += size
            seconds = time.perf_counter() - self._began
            if seconds >= _WINDOW:
                self.has_room = self._bytes / seconds < _FULL
                self._began, self._bytes = time.perf_counter(), 0


class _Pace:
    """Whether it is one connection that the copy of a blob waits for."""

    def __init__(self) -> None:
        self.is_slow = False

    def timed(self, chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        """Pass chunks on, and judge each ``_PROBE`` bytes but the first, on which a connection has to warm up."""
        with closing(chunks):
            yield from self._judged(chunks)

    def _judged(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        size = waited = spent = 0.0
        is_warm = False
        while True:
            asked = time.perf_counter()
            chunk = next(chunks, None)
            if chunk is None:
                return
            got = time.perf_counter()
            yield chunk
            size, waited, spent = size + len(chunk), waited + got - asked, spent + time.perf_counter() - got
            if size >= _PROBE:
                self.is_slow = is_warm and waited > _WAITS * spent
                size, waited, spent, is_warm = 0.0, 0.0, 0.0, True
