"""What the triggers that wait for an answer share: one look after the other, in threads."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from airflow.triggers.base import BaseTrigger

from ecr_provider.gates.gate import Look, Verdict

#: Waits that start together shall not look together for ever.
_JITTER: Final = 0.1


class LookingTrigger(BaseTrigger):
    """Look every so many seconds, or when something is known to have changed, until there is an answer.

    A look changes nothing that a second one could not do again, so that a triggerer that restarts may run it again.
    Calls run in threads, on one boto3 client per connection, Region and configuration.

    :param pause: the time between two looks, in seconds.
    :param started_at: when the wait began, in seconds since the epoch.
    :param looks: how often the worker has looked already.
    """

    def __init__(self, *, pause: float, started_at: float | None, looks: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own is untyped
        self.pause = pause
        self.started_at = time.time() if started_at is None else started_at
        self.looks = looks

    async def until_answered(self, look: Callable[[], Look], tell: Callable[[Look, int, float], str]) -> Look:
        """Look until there is an answer.

        :param look: looks once; it may block.
        :param tell: makes a line for the log of a look, its number and the time since the wait began, in seconds.
        :raises EcrProviderError: no further look can mend it.
        """
        attempt = self.looks
        while True:
            attempt += 1
            seen = await asyncio.to_thread(look)
            elapsed = time.time() - self.started_at
            self.log.info("%s", tell(seen, attempt, elapsed))
            seen = self.judged(seen, attempt, elapsed)
            if seen.verdict is not Verdict.WAITING:
                return seen
            await asyncio.sleep(self._pause_after(seen))

    def judged(self, look: Look, attempt: int, elapsed: float) -> Look:
        """Return what a look means.

        :param attempt: the number of the look, from 1.
        :param elapsed: the time since the wait began, in seconds.
        """
        return look

    def _pause_after(self, look: Look) -> float:
        """Return how long to wait, in seconds; not so long, but long enough, if it is known when something changes."""
        jitter = random.uniform(-_JITTER, _JITTER)  # noqa: S311 - no secret
        usual = self.pause * (1 + jitter)
        return usual if look.again_in is None else min(usual, look.again_in * (1 + abs(jitter)))
