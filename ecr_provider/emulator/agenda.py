"""What the registry does by itself: replicating, scanning, signing, each some time after the call behind it.

All of it stands in the store with its time. It is done when the clock has come to it: before the next call is
answered, so that a test which moved the clock sees the result at once, and otherwise within a moment.
"""

from __future__ import annotations

import sqlite3
import traceback
from threading import Event as Flag
from threading import Thread
from typing import Self

from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.operations import JOBS
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.store.jobs import Job

_MOMENT = 0.1  # seconds
_PAUSE = 1.0  # seconds, after something went wrong


class Agenda:
    """Does the jobs of a state as they become due, within a ``with`` statement."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._stopping = Flag()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin, at the time that the store knows of: a restart does not turn the clock back."""
        clock = self._state.clock
        with self._state.store.transaction() as records:
            clock.skipped = max(clock.skipped, records.skipped())
            records.set_skipped(clock.skipped)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def advance(self, seconds: float) -> None:
        """Move the clock forward, and do what became due."""
        with self._state.store.transaction() as records:
            self._state.clock.advance(seconds)
            records.set_skipped(self._state.clock.skipped)
        self.run_due()

    def run_due(self) -> None:
        """Do all that is due, in the order in which it became due."""
        while self._state.store.records.next_job_at <= (now := self._state.clock.now()):
            try:
                self._do_next(now)
            except (OSError, sqlite3.Error):  # such as a full disk: the job stays, and is tried again
                traceback.print_exc()
                return

    def _do_next(self, now: float) -> None:
        """Do the next job, if it is due, at the time that it was meant for, and announce its events."""
        job, call = None, None
        try:
            with self._state.store.transaction() as records:
                if job := records.take_job(now):
                    call = Call(job.operation, job.registry, job.parameters, self._state, job.due_at)
                    JOBS[job.operation](call)
        except (OSError, sqlite3.Error):
            raise
        except Exception:  # noqa: BLE001 - nobody waits for a job's answer, and it must not be met for ever
            traceback.print_exc()
            if job:
                self._drop(job)
        else:
            self._state.events.publish(call.events if call else ())

    def _drop(self, job: Job) -> None:
        with self._state.store.transaction() as records:
            records.delete_job(job)

    def _watch(self) -> None:
        while not self._stopping.wait(_MOMENT):
            try:
                self.run_due()
            except Exception:  # noqa: BLE001 - a clock that fails once, say: the next look may be better
                traceback.print_exc()
                self._stopping.wait(_PAUSE)
