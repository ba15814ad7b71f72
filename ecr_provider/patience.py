"""How a job waits, and when it gives up: one patience for all of its threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from ecr_provider.exceptions import CopyStoppedError, EcrProviderError

_T = TypeVar("_T")

TRIES: Final = 8
"""How often one thing is tried before its failure counts."""

_LONGEST_WAIT: Final = 20.0  # seconds between two tries


class Patience:
    """Wait between tries, with jitter, and give up together: at a deadline, or when told to stop.

    :param seconds: how long the whole job may take; by default without end.
    :param tries: how often one thing is tried.
    :param first_wait: how long to wait after the first try at the most, in seconds; each time twice as long.
    """

    def __init__(self, seconds: float | None = None, *, tries: int = TRIES, first_wait: float = 0.5) -> None:
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._tries = tries
        self._wait = wait_random_exponential(multiplier=first_wait, max=_LONGEST_WAIT)
        self._stopped = Event()

    def stop(self) -> None:
        """Have every wait, and the next check, end with CopyStoppedError."""
        self._stopped.set()

    def check(self) -> None:
        """Go on only if the job may.

        :raises CopyStoppedError: it was told to stop, or its time is over.
        """
        if self._stopped.is_set():
            raise CopyStoppedError("The copy was stopped. Run it again: it goes on from here.")
        if self._ends is not None and time.monotonic() > self._ends:
            raise CopyStoppedError(
                "The copy ran out of time. Run it again: it goes on from here. To give it more: execution_timeout."
            )

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the job may go on.

        :param seconds: how long.
        :raises CopyStoppedError: the job was told to stop, or its time is over.
        """
        left = seconds if self._ends is None else min(seconds, self._ends - time.monotonic())
        self._stopped.wait(max(0.0, left))
        self.check()

    def call(self, function: Callable[[], _T], *, tries: int | None = None) -> _T:
        """Call a function until it succeeds, or fails in a way that no other try can mend.

        :param function: what to call; it must be safe to repeat.
        :param tries: how often to call it, by default as often as this patience has it.
        :raises EcrProviderError: its last failure.
        """
        self.check()
        tried = Retrying(
            retry=retry_if_exception(_may_succeed_later),
            wait=self._wait_before,
            stop=stop_after_attempt(tries or self._tries),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return tried(function)
        except EcrProviderError as error:
            error.given_up = True  # so that calls within calls do not multiply
            raise

    def _wait_before(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None) or 0.0
        return max(self._wait(state), min(asked, _LONGEST_WAIT))


def _may_succeed_later(error: BaseException) -> bool:
    return isinstance(error, EcrProviderError) and error.retryable and not error.given_up
