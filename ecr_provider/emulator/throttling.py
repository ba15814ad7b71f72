"""How often an operation may be called: AWS's request rates, as token buckets.

The rates are published ("Amazon ECR service quotas"); how large a burst may be is not. Here a bucket holds what
one second brings, and starts full.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.errors import throttled
from ecr_provider.emulator.settings import Limits, Switches


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """Counts the calls of every account in every Region, while ``Switches.throttling`` is on."""

    def __init__(self, clock: Clock, limits: Limits, switches: Switches) -> None:
        self._clock = clock
        self._limits = limits
        self._switches = switches
        self._lock = Lock()
        self._buckets: dict[tuple[str, Registry], _Bucket] = {}

    def admit(self, operation: str, caller: Registry) -> None:
        """Let a call pass, or raise ``ThrottlingException``. What is refused does not count."""
        if not self._switches.throttling:
            return
        rate = self._limits.calls_per_second.get(operation)
        if rate is not None and not self._take(operation, caller, rate):
            raise throttled()

    def _take(self, operation: str, caller: Registry, rate: float) -> bool:
        """Take a token, if there is one. A rate of less than one call a second still admits a single call."""
        size = max(rate, 1.0) if rate else 0.0
        with self._lock:
            now = self._clock.elapsed()
            bucket = self._buckets.setdefault((operation, caller), _Bucket(size, now))
            since = max(0.0, now - bucket.filled_at)
            bucket.tokens = min(size, bucket.tokens + since * rate)
            bucket.filled_at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True
