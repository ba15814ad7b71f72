"""The emulator's time: real time, plus whatever a test has skipped."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Tell the time in epoch seconds; ``advance`` moves it forward for everything that expires or waits."""

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source or time.time
        self._skipped = 0.0

    def now(self) -> float:
        """Tell the time, in epoch seconds."""
        return self._source() + self._skipped

    def advance(self, seconds: float) -> None:
        """Skip this many seconds."""
        if seconds < 0:
            raise ValueError(f"the clock goes forward only, not by {seconds} seconds")
        self._skipped += seconds
