"""Keep to ECR's request rates, across the threads of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Final

from ecr_provider.ecr.limits import CALLS_PER_SECOND

#: Seconds' worth of calls that may go out at once. They arrive less evenly than they leave, so it is not a whole one.
_BURST: Final = 0.8


class Pace:
    """Spread calls so that there are no more of them than a rate allows, beyond a burst of most of a second's worth.

    :param rate: calls a second.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._lock = Lock()
        self._next = 0.0

    def wait(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait for one's turn.

        :param sleep: how to wait, in seconds.
        """
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now - _BURST + self._interval)
            self._next = turn + self._interval
        if turn > now:
            sleep(turn - now)


@cache
def pace_of(operation: str, registry: str) -> Pace:  # noqa: ARG001 - what the cache is by
    """Return the pace of an operation in a registry, which all callers in this process share.

    :param operation: ECR's name of the call.
    :param registry: the account and Region that the rate is for.
    """
    return Pace(CALLS_PER_SECOND[operation])
