"""What Amazon ECR tells EventBridge."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from ecr_provider.emulator.numbered_log import Log


@dataclass(frozen=True, slots=True)
class Event:
    """An event, in EventBridge's words ("Amazon ECR events and EventBridge", user guide).

    So it has an ``account`` and a ``region``, which boto3 and ``Request`` call ``account_id`` and ``region_name``.
    """

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


class Events(Log[Event]):
    """The last events, and who hears of each."""

    def __init__(self, kept: int) -> None:
        super().__init__(kept)
        self._publishing = Lock()
        self.listeners: list[Callable[[Event], object]] = []

    def publish(self, events: Iterable[Event]) -> None:
        """Add events, and have every listener hear of them in the same order."""
        new = tuple(events)
        with self._publishing:
            self.add(new)
            for listener in self.listeners:
                for event in new:
                    listener(event)
