"""Which events a watcher of a queue follows."""

from __future__ import annotations

from typing import Any

import pytest
from local_ecr import REPOSITORY
from queue_events import SCAN, parse, push_event
from triggerer import needs_stored_events

from ecr_provider.triggers.event_queue import EcrEventQueueTrigger


@needs_stored_events
@pytest.mark.parametrize(
    ("arguments", "event", "is_wanted"),
    [
        ({}, {}, True),
        ({}, {"tag": ""}, True),
        ({}, {"action-type": "UPDATE_STORAGE_CLASS"}, False),
        ({}, {"detail-type": "ECR Referrer Action"}, False),
        ({"repository_name": "shop/api"}, {}, False),
        ({"repository_name": REPOSITORY, "image_tag": "prod"}, {}, True),
        ({"image_tag": "prod"}, {"tag": "production"}, False),
        ({"tag_pattern": r"v\d|w\d"}, {"tag": "v1"}, True),
        ({"tag_pattern": r"v\d|w\d"}, {"tag": "v1x"}, False),
        ({"tag_pattern": ".*"}, {"tag": ""}, False),
        ({"detail_type": "ECR Image Scan"}, {"tag": "", **SCAN}, True),
        ({"detail_type": "ECR Image Scan", "image_tag": "prod"}, {"tag": "", **SCAN}, True),
        ({"detail_type": "ECR Image Scan", "image_tag": "v2"}, {"tag": "", **SCAN}, False),
        ({"detail_type": "ECR Image Scan"}, {}, False),
        ({"detail_type": "ECR Image Scan"}, {"tag": "", **SCAN, "image-tags": []}, True),
        ({"detail_type": "ECR Replication Action"}, {"detail-type": "ECR Replication Action"}, True),
    ],
)
def test_a_watcher_wants(arguments: dict[str, Any], event: dict[str, Any], is_wanted: bool) -> None:
    assert (
        EcrEventQueueTrigger(queue_url="https://here/events", **arguments).wants(parse(push_event(**event)))
        is is_wanted
    )
