"""The emulator's time: real time, plus whatever a test has skipped."""

from __future__ import annotations

import time
from collections.abc import Callable

DAY = 24 * 60 * 60  # seconds

_END = 253_402_300_799  # seconds: later times cannot be written as a date


class Clock:
    """Tell the time in epoch seconds; ``advance`` moves it forward for everything that expires or waits."""

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source or time.time
        self._steady = source or time.monotonic
        self.skipped = 0.0
        """By how many seconds it is ahead."""

    def now(self) -> float:
        """Tell the time, in epoch seconds."""
        return self._source() + self.skipped

    def elapsed(self) -> float:
        """Tell the seconds since some moment: unlike ``now``, no matter how the machine's clock is set."""
        return self._steady() + self.skipped

    def advance(self, seconds: float) -> None:
        """Skip this many seconds. Raises ValueError if there are none, or if they lead beyond the year 9999."""
        if not seconds >= 0:
            raise ValueError(f"the clock goes forward only, not by {seconds} seconds")
        if self.now() + seconds > _END:
            raise ValueError(f"the clock ends with the year 9999, which is less than {seconds} seconds away")
        self.skipped += seconds
