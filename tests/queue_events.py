"""Messages of a queue: events as EventBridge sends them, and what is none."""

from __future__ import annotations

import json
from typing import Any

from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.events import ImageEvent

DIGEST = "sha256:" + "7" * 64


def push_event(event_id: Any = "id-1", tag: Any = "prod", **changes: Any) -> str:
    """Write an event as the user guide shows it, with other values at its top or in its detail."""
    detail = {
        "result": "SUCCESS",
        "repository-name": REPOSITORY,
        "image-digest": DIGEST,
        "action-type": "PUSH",
        "image-tag": tag,
    }
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": "2026-03-01T01:54:34Z",
        "region": "us-west-2",
        "resources": [],
    }
    top = {key: value for key, value in changes.items() if key in event or key == "detail"}
    inner = {key: value for key, value in changes.items() if key not in top}
    return json.dumps(event | {"detail": detail | inner} | top)


def parse(body: str) -> ImageEvent:
    event = ImageEvent.parse(body, "aws")
    assert event is not None
    return event


HUGE = "x" * 100_000
NO_EVENTS = {
    "no JSON": "<html>\x1b[31m" + HUGE,
    "no object": json.dumps([HUGE]),
    "nested": "[" * 10_000 + "]" * 10_000,
    "empty": "{}",
    "detail is text": push_event(detail=HUGE),
    "no digest": push_event(**{"image-digest": HUGE}),
    "digest of another kind": push_event(**{"image-digest": [DIGEST]}),
    "no repository": push_event(**{"repository-name": "../evil\n" + HUGE}),
    "no tag": push_event(tag="a b\n\x1b[31m" + HUGE),
    "tags are text": push_event(tag="", **{"image-tags": "abc"}),
    "tags are an object": push_event(tag="", **{"image-tags": {"a": 1}}),
    "no account": push_event(account="evil.example.com/"),
    "account is a number": push_event(account=123456789012),
    "no Region": push_event(region="us-east-1.evil.com/"),
    "another source": push_event(source="my.app"),
    "no source": push_event(source=None),
    "no id": push_event(id=None),
    "an endless id": push_event(id=HUGE),
    "no time": push_event(time="yesterday"),
    "time is missing": push_event(time=None),
    "a time that is none's": push_event(time="2026-03-01T01:54:34"),
    # What Airflow's own messages, or PostgreSQL, cannot hold.
    "a huge number": push_event(more=10**30),
    "not a number": push_event(more=float("nan")),
    "infinite": push_event(more=float("inf")),
    "half a character": push_event(more="\ud800"),
    "half a character for a name": push_event(**{"\udc00": 1}),
    "a zero": push_event(more="\0"),
    "nested deeply": push_event(more=json.loads("[" * 300 + "]" * 300)),
}

SCAN = {"detail-type": "ECR Image Scan", "action-type": None, "result": None, "image-tags": ["v1", "prod"]}
