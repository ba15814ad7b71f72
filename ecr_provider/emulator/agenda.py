"""What the registry does by itself: replicating, scanning, signing, each some time after the call behind it.

All of it stands in the store with its time. It is done when the clock has come to it: before the next call is
answered, so that a test which moved the clock sees the result at once, and otherwise within a moment.
"""

from __future__ import annotations

import traceback
from threading import Event as Flag
from threading import Thread
from typing import Self

from ecr_provider.emulator.caller import Caller
from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.rules.call import Call, State
from ecr_provider.emulator.rules.operations import JOBS

_MOMENT = 0.1  # seconds


class Agenda:
    """Does the jobs of a state as they become due, within a ``with`` statement."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._stopping = Flag()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def run_due(self) -> None:
        """Do all that is due, in the order in which it became due."""
        while self._state.store.records.next_job_at <= (now := self._state.clock.now()):
            try:
                events = self._do_next(now)
            except Exception:  # noqa: BLE001 - nobody waits for a job's answer, and it must not be met for ever
                traceback.print_exc()
                self._drop_next(now)
            else:
                self._state.events.publish(events)

    def _do_next(self, now: float) -> list[Event]:
        """Do the next job, if it is due, at the time that it was meant for; return its events."""
        with self._state.store.transaction() as records:
            job = records.take_job(now)
            if job is None:
                return []
            call = Call(job.operation, Caller(job.account, job.region), job.parameters, self._state, job.due_at)
            JOBS[job.operation](call)
            return call.events

    def _drop_next(self, now: float) -> None:
        with self._state.store.transaction() as records:
            records.take_job(now)

    def _watch(self) -> None:
        while not self._stopping.wait(_MOMENT):
            self.run_due()
