"""Read a blob by several connections at once, where one alone is slow.

A line with a long way, or a registry that limits each connection, leaves most of the bandwidth unused. Stripes of one
blob are then read at the same time, and handed on in their order. Where one connection is fast, that would only cost:
so the first bytes are read by one, and timed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Semaphore
from typing import Final

from ecr_provider.copying.reading import BlobReader
from ecr_provider.exceptions import RangeIgnoredError

STRIPE: Final = 8 * 1024 * 1024
"""Bytes of a stripe."""

MOST_STRIPES: Final = 8
"""Stripes in memory at once, of all blobs together: 64 MiB."""

_PROBE: Final = 4 * 1024 * 1024  # bytes by which a connection is judged, again and again
_FEWEST: Final = 2  # stripes at once: one connection there is already
_FAST: Final = 64e6  # bytes a second: what one connection gives where it is not the limit


class Stripes:
    """The stripes in memory, and the threads that fill them.

    :param most: how many there may be at once.
    """

    def __init__(self, most: int = MOST_STRIPES) -> None:
        self._free = Semaphore(most)
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="stripe")

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self._threads.shutdown(cancel_futures=True)

    def read(self, reader: BlobReader) -> Iterator[bytes]:
        """Yield a blob's bytes: by one connection, and from where that turned out to be slow by several.

        :param reader: how to read it.
        :raises EcrProviderError: as the reader's.
        """
        position, pace = 0, _Pace()
        chunks = pace.timed(reader.whole())
        for chunk in chunks:
            position += len(chunk)
            yield chunk
            if not pace.is_slow:
                continue
            pace.is_slow = False
            stripes = self._in_order(reader, position)
            try:
                first = next(stripes, b"")  # before the one connection is given up, so that nothing is lost
            except RangeIgnoredError:
                yield from chunks
                return
            if first:
                chunks.close()
                yield first
                yield from stripes
                return

    def _in_order(self, reader: BlobReader, position: int) -> Iterator[bytes]:
        """Yield the rest of a blob, in its order, from as many stripes as are free; nothing if that is no gain."""
        starts = deque(range(position, reader.blob.size, STRIPE))
        reading: deque[Future[deque[bytes]]] = deque()
        held = self._hold(_FEWEST) if len(starts) >= _FEWEST else 0
        try:
            while held and (starts or reading):
                while starts and (len(reading) < held or self._hold(1)):
                    held = max(held, len(reading) + 1)
                    reading.append(self._threads.submit(_stripe, reader, starts.popleft()))
                stripe = reading.popleft().result()
                while stripe:
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


def _stripe(reader: BlobReader, start: int) -> deque[bytes]:
    return deque(reader.part(start, min(start + STRIPE, reader.blob.size)))


class _Pace:
    """Whether it is the connection that one waits for, and for how long."""

    def __init__(self) -> None:
        self.is_slow = False

    def timed(self, chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
        """Pass chunks on, and judge each ``_PROBE`` bytes but the first, on which a connection has to warm up."""
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
                self.is_slow = is_warm and size / waited < _FAST and waited > spent
                size, waited, spent, is_warm = 0.0, 0.0, 0.0, True
