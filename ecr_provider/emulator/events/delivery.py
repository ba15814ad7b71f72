"""Take events to a sink in the background: in order, patiently, and in nobody's way."""

from __future__ import annotations

import sys
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Self

from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.events.sinks import Sink

_PAUSES = (0.1, 0.5, 0.0)  # seconds after each try
_PATIENCE = 5  # seconds that an end waits for what is still to be delivered


class Delivery:
    """Delivers to one sink, within a ``with`` statement."""

    def __init__(self, address: str, sink: Sink) -> None:
        self._address = address
        self._sink = sink
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._giving_up = Flag()
        self._fails = False
        self._thread = Thread(target=self._work, daemon=True)

    def deliver(self, event: Event) -> None:
        """Deliver an event some time soon."""
        self._events.put(event)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is still to be delivered, but not for ever."""
        self._events.put(None)
        self._thread.join(_PATIENCE)
        self._giving_up.set()
        if self._thread.is_alive():
            self._report(f"some are left after {_PATIENCE} seconds")

    def _work(self) -> None:
        while (event := self._events.get()) and not self._giving_up.is_set():
            self._send(event)
        self._sink.close()

    def _send(self, event: Event) -> None:
        """Try a few times, then let the event go: EventBridge's events are sent on a best-effort basis, too."""
        for pause in _PAUSES:
            try:
                self._sink.send(event)
            except Exception as error:  # noqa: BLE001 - whatever a sink raises, the next event gets its chance
                failure = error
                if self._giving_up.wait(pause):
                    return
            else:
                self._fails = False
                return
        if not self._fails:
            self._fails = True
            self._report(repr(failure))

    def _report(self, why: str) -> None:
        sys.stderr.write(f"ecr_provider.emulator: events do not reach {self._address}: {why}\n")
