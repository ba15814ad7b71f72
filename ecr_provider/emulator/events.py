"""What Amazon ECR tells EventBridge."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """An event, in EventBridge's words ("Amazon ECR events and EventBridge", user guide)."""

    detail_type: str
    account: str
    region: str
    time: float
    """When it happened, in epoch seconds."""
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()
    source: str = "aws.ecr"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def envelope(self) -> dict[str, Any]:
        """Write the event as EventBridge delivers it."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": list(self.resources),
            "detail": self.detail,
        }


class Events:
    """The events so far, the last ones only."""

    def __init__(self, kept: int) -> None:
        self._events: deque[Event] = deque(maxlen=kept)

    def publish(self, events: Iterable[Event]) -> None:
        """Tell the world."""
        self._events.extend(events)

    def events(self) -> tuple[Event, ...]:
        """Return what was told, oldest first."""
        return tuple(self._events.copy())

    def clear(self) -> None:
        """Forget what was told."""
        self._events.clear()
