"""How far a copy is, for people: a line every few seconds, and one for each blob."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from ecr_provider.copying.plan import Way
from ecr_provider.oci import Descriptor

EVERY: Final = 5.0
"""Seconds between two lines."""

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1000


class Progress:
    """Count bytes, from any number of threads, and tell about them.

    :param total: how many bytes are to move.
    :param tell: where to say it.
    """

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self._total = total
        self._tell = tell
        self._lock = Lock()
        self._done = 0
        self._began = self._told = time.monotonic()

    @property
    def done(self) -> int:
        """The bytes that have moved."""
        return self._done

    @property
    def total(self) -> int:
        """The bytes that are to move."""
        return self._total

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def count(self, size: int) -> None:
        """Take note of bytes that moved; of a negative number, if they have to move again."""
        with self._lock:
            self._done += size

    def blob(self, blob: Descriptor, way: Way, seconds: float) -> None:
        """Tell about a blob that is done."""
        rate = f", {size_of(blob.size / seconds)}/s" if way is Way.STREAMED and seconds > 0 else ""
        self._tell(f"{way.value} {blob.digest} ({size_of(blob.size)}, {seconds:.1f} s{rate})")

    def expect(self, size: int) -> None:
        """Take note of bytes that have to move after all."""
        with self._lock:
            self._total += size

    def tick(self) -> None:
        """Tell how far it is, if it is time to."""
        now = time.monotonic()
        if now - self._told >= EVERY and self._total:
            self._told = now
            self._tell(str(self))

    def __str__(self) -> str:
        rate = self._done / self.seconds if self.seconds else 0.0
        left = f"{(self._total - self._done) / rate:.0f} s left" if rate > 0 else "waiting"
        share = 100 * self._done // self._total if self._total else 100
        return f"{share} %: {size_of(self._done)} of {size_of(self._total)}, {size_of(int(rate))}/s, {left}"


def size_of(count: float) -> str:
    """Write a number of bytes for people, in decimal units, as registries do.

    :param count: the bytes.
    """
    unit = 0
    while count >= _THOUSAND and unit < len(_UNITS) - 1:
        count, unit = count / _THOUSAND, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"
