"""How far a copy is: counted by its threads, and told to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from ecr_provider.copying.plan import Way
from ecr_provider.oci import Descriptor

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1000


class Watcher(Protocol):
    """Whoever wants to know."""

    @property
    def every(self) -> float:
        """How many seconds to wait between two looks at the progress."""
        ...

    def say(self, line: str) -> None:
        """Hear what is planned, and what is done."""
        ...

    def look(self, progress: Progress) -> None:
        """Look how far it is."""
        ...


class Lines:
    """Tell by lines, such as those of a log.

    :param say: where to say it.
    """

    every = 5.0

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, line: str) -> None:
        """Say what is planned, and what is done."""
        self._say(line)

    def look(self, progress: Progress) -> None:
        """Say how far it is."""
        self._say(str(progress))


class Progress:
    """Count bytes, from any number of threads.

    :param total: how many bytes are to move.
    :param watcher: who is told.
    """

    def __init__(self, total: int, watcher: Watcher) -> None:
        self.total = total
        """The bytes that are to move."""
        self.done = 0
        """The bytes that have moved."""
        self.watcher = watcher
        self._lock = Lock()
        self._began = self._looked = time.monotonic()

    def count(self, size: int) -> None:
        """Take note of bytes that moved; of a negative number, if they have to move again."""
        with self._lock:
            self.done += size

    def expect(self, size: int) -> None:
        """Take note of bytes that have to move after all."""
        with self._lock:
            self.total += size

    def say_done(self, blob: Descriptor, way: Way, seconds: float) -> None:
        """Tell about a blob that is done."""
        rate = f", {size_of(blob.size / seconds)}/s" if way is Way.STREAMED and seconds else ""
        self.watcher.say(f"{way.value} {blob.digest} ({size_of(blob.size)}, {seconds:.1f} s{rate})")

    def tick(self) -> None:
        """Have the watcher look, if it is time to."""
        now = time.monotonic()
        if self.total and now - self._looked >= self.watcher.every:
            self._looked = now
            self.watcher.look(self)

    @property
    def rate(self) -> float:
        """The bytes that moved in a second so far."""
        return self.done / max(time.monotonic() - self._began, 1e-3)

    def __str__(self) -> str:
        left = f"{(self.total - self.done) / self.rate:.0f} s left" if self.done else "waiting for the first byte"
        share = 100 * self.done // self.total if self.total else 100
        return f"{share} %: {size_of(self.done)} of {size_of(self.total)}, {size_of(self.rate)}/s, {left}"


def size_of(count: float) -> str:
    """Write a number of bytes for people, in decimal units, as registries do.

    :param count: the bytes.
    """
    if count < _THOUSAND:
        return f"{count:.0f} {_UNITS[0]}"
    unit = 0
    while count >= _THOUSAND and unit < len(_UNITS) - 1:
        count, unit = count / _THOUSAND, unit + 1
    return f"{count:.1f} {_UNITS[unit]}"
