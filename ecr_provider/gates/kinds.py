"""All kinds of gates, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ecr_provider.gates.gate import Gate
from ecr_provider.gates.image import ImageGate
from ecr_provider.gates.image_lifecycle import LifecycleGate
from ecr_provider.gates.image_referrers import ReferrersGate
from ecr_provider.gates.image_replication import ReplicationGate
from ecr_provider.gates.image_scan import ScanGate
from ecr_provider.gates.newest_image import NewestImageGate

#: By the names under which triggers store them.
_GATES: Final[dict[str, Callable[..., Gate]]] = {
    "image": ImageGate.from_json,
    "image_lifecycle": LifecycleGate.from_json,
    "image_referrers": ReferrersGate.from_json,
    "image_replication": ReplicationGate.from_json,
    "image_scan": ScanGate.from_json,
    "newest_image": NewestImageGate.from_json,
}


def gate_of(kind: str, arguments: dict[str, Any]) -> Gate:
    """Make a gate.

    :param kind: which one, by the stem of its sensor's module.
    :param arguments: as JSON.
    :raises InvalidInputError: an argument is none of what it should be.
    """
    return _GATES[kind](**arguments)
