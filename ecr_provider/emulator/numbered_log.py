"""A memory of what happened, of bounded size, whose entries are numbered: one may ask for what is new."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from threading import Lock
from typing import Generic, TypeVar

_Entry = TypeVar("_Entry")


class Log(Generic[_Entry]):
    """The last entries, oldest first."""

    def __init__(self, kept: int) -> None:
        self._lock = Lock()
        self._entries: deque[_Entry] = deque(maxlen=kept)
        self._last = 0

    def add(self, entries: Iterable[_Entry]) -> None:
        """Add entries, all of them next to each other."""
        new = tuple(entries)
        with self._lock:
            self._entries.extend(new)
            self._last += len(new)

    def all(self) -> tuple[_Entry, ...]:
        """Return the entries."""
        with self._lock:
            return tuple(self._entries)

    def numbered(self, after: int = 0) -> list[tuple[int, _Entry]]:
        """Return the entries with a number above ``after``; the first ever added had 1."""
        with self._lock:
            forgotten = self._last - len(self._entries)
            new = islice(self._entries, max(0, after - forgotten), None)
            return list(enumerate(new, start=max(after, forgotten) + 1))

    def latest(self, count: int, before: int | None = None) -> list[tuple[int, _Entry]]:
        """Return the last entries, newest first, or the last ones with a number below ``before``."""
        with self._lock:
            forgotten = self._last - len(self._entries)
            stop = self._last + 1 if before is None else min(before, self._last + 1)
            numbers = range(stop - 1, max(forgotten, stop - 1 - count), -1)
            return [(number, self._entries[number - forgotten - 1]) for number in numbers]

    def clear(self) -> None:
        """Forget the entries. Numbers go on."""
        with self._lock:
            self._entries.clear()
