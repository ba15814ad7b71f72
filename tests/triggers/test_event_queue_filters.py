"""Which events a watcher of a queue follows, and by which arguments it is told so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.triggers.base import BaseEventTrigger
from local_ecr import ACCOUNT, REPOSITORY
from queue_events import SCAN, parse, push_event
from triggerer import needs_stored_events

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.triggers.event_queue import EcrEventQueueTrigger

pytestmark = needs_stored_events

URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/events"


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


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image_tag": "prod", "tag_pattern": "prod"}, "not both"),
        ({"image_tag": ""}, "not an image tag"),
        ({"tag_pattern": "("}, "tag_pattern"),
        ({"repository_name": "Shop"}, "not a repository name"),
        ({"queue_url": ""}, "queue_url"),
        ({"queue_url": "my-queue"}, "queue_url"),
        ({"queue_url": None}, "queue_url"),
        ({"queue_url": "arn:aws:sqs:us-east-1:123456789012:events"}, "queue_url"),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_written(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        EcrEventQueueTrigger(**({"queue_url": URL} | arguments))


@pytest.mark.parametrize("arguments", [{}, {"image_tag": "prod"}, {"tag_pattern": r"v\d+", "verify": False}])
def test_equal_arguments_are_one_trigger(arguments: dict[str, Any]) -> None:
    path, kept = EcrEventQueueTrigger(queue_url=URL, **arguments).serialize()
    assert path == f"{EcrEventQueueTrigger.__module__}.{EcrEventQueueTrigger.__qualname__}"
    again = EcrEventQueueTrigger(**json.loads(json.dumps(kept)))
    assert BaseEventTrigger.hash(*again.serialize()) == BaseEventTrigger.hash(path, kept)
    assert EcrEventQueueTrigger(queue_url=URL).shared_stream_key() == again.shared_stream_key() or "verify" in arguments
