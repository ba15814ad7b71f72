"""Watchers that follow a queue, run by Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from airflow.sdk.execution_time.comms import _new_encoder
from airflow.triggers.base import BaseEventTrigger
from hooks.test_event_queue import Sqs, moto, sqs
from http_server import Reply
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY
from strategies import json_values
from structlog.testing import capture_logs
from triggers.test_cursor import Store, Stores, Triggerer, in_a_loop, needs_stored_events, soon

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.hooks.event_queue import Message
from ecr_provider.triggers import event_queue as module
from ecr_provider.triggers.event_queue import EcrEventQueueTrigger, ImageEvent

__all__ = ["moto", "sqs"]

pytestmark = needs_stored_events

DIGEST = "sha256:" + "7" * 64
AGAIN_AT_ONCE = {"VisibilityTimeout": "1"}


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the time that nothing happens in pass faster."""
    monkeypatch.setattr(module, "_JOINING", 0.05)
    monkeypatch.setattr(module, "_AFTER_A_FAILURE", 0.05)


def follow(url: str, **arguments: Any) -> EcrEventQueueTrigger:
    return EcrEventQueueTrigger(queue_url=url, **arguments)


def push_event(event_id: str = "id-1", tag: str = "prod", **changes: Any) -> str:
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
    return ImageEvent.parse(Message("message", "handle", body), "aws")


# --- From a push to an event -----------------------------------------------------------------------------------


@in_a_loop
async def test_a_push_is_an_event(sqs: Sqs) -> None:
    url, image = sqs.queue(), sample_image()
    async with Triggerer() as triggerer:
        watcher = triggerer.start(follow(url, repository_name=REPOSITORY, image_tag="prod"))
        with EcrEmulator(events_to=[url]) as ecr:
            ecr.client().create_repository(repositoryName=REPOSITORY)
            push(ecr.client(), REPOSITORY, image, "prod")
            (sent,) = [event.envelope() for event in ecr.events if event.detail.get("image-tag") == "prod"]
        await soon(lambda: watcher.payloads and not sqs.left(url))
    assert watcher.payloads == [
        {
            "imageDigest": image.digest,
            "imageTag": "prod",
            "imageTags": ["prod"],
            "registryId": ACCOUNT,
            "repositoryName": REPOSITORY,
            "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{image.digest}",
            "time": sent["time"],
            "detail-type": "ECR Image Action",
            "detail": sent["detail"],
        }
    ]


@in_a_loop
async def test_a_message_is_deleted_once_its_event_is_stored(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event())
    async with Triggerer(stores=False) as triggerer:
        watcher = triggerer.start(follow(url))
        await soon(lambda: watcher.payloads)
        await asyncio.sleep(0.1)
        assert "DeleteMessageBatch" not in sqs.actions
        triggerer.store()
        await soon(lambda: not sqs.left(url))


@in_a_loop
async def test_a_message_is_deleted_while_the_next_is_waited_for(sqs: Sqs) -> None:
    url, released = sqs.queue(), threading.Event()
    sqs.send(url, push_event())
    sqs.replies["ReceiveMessage"] = [Reply(100), Reply(100, wait=lambda: released.wait(20))]
    try:
        async with Triggerer() as triggerer:
            triggerer.start(follow(url))
            await soon(lambda: not sqs.left(url), 3)
    finally:
        released.set()


@in_a_loop
async def test_what_was_not_stored_when_a_triggerer_stops_comes_again(sqs: Sqs) -> None:
    url, store = sqs.queue(**AGAIN_AT_ONCE), Store()
    sqs.send(url, push_event())
    for stores in (False, True):
        async with Triggerer(stores=stores) as triggerer:
            watcher = triggerer.start(follow(url), store)
            await soon(watcher.payloads.copy)
            await asyncio.sleep(0.1 if stores else 0)
    assert len(watcher.payloads) == 1
    assert not sqs.left(url)


@in_a_loop
async def test_what_one_watcher_could_not_store_comes_again_for_it_alone(sqs: Sqs) -> None:
    url = sqs.queue(**AGAIN_AT_ONCE)
    sqs.send(url, push_event())
    async with Triggerer(ack_timeout=0.3) as triggerer:
        failing, other = triggerer.start(follow(url, image_tag="prod"), Store()), triggerer.start(follow(url), Store())
        failing.stores = False
        await soon(lambda: failing.error)
        again = triggerer.start(follow(url, image_tag="prod"), Store())
        await soon(lambda: again.payloads)
        await soon(lambda: not sqs.left(url))
    assert [watcher.told("imageDigest") for watcher in (failing, other, again)] == [[DIGEST]] * 3


@in_a_loop
async def test_what_comes_again_before_it_is_stored_is_one_event(sqs: Sqs) -> None:
    url = sqs.queue(**AGAIN_AT_ONCE)
    sqs.send(url, push_event())
    async with Triggerer(stores=False) as triggerer:
        watcher = triggerer.start(follow(url))
        await soon(lambda: sqs.actions.count("ReceiveMessage") > 3)
        triggerer.store()
        await soon(lambda: not sqs.left(url))
    assert len(watcher.payloads) == 1


# --- Twice -----------------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_message_that_comes_twice_is_one_event_and_both_are_deleted(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event(), push_event(), push_event("id-2", "v2"), push_event())
    async with Triggerer() as triggerer:
        watcher = triggerer.start(follow(url))
        await soon(lambda: not sqs.left(url))
    assert sorted(watcher.told("imageTag")) == ["prod", "v2"]


@pytest.mark.parametrize("is_deleted", [True, False])
@in_a_loop
async def test_a_message_that_comes_again_after_a_restart_is_no_event(sqs: Sqs, is_deleted: bool) -> None:
    url, store = sqs.queue(), Store()
    if not is_deleted:
        sqs.refuse("DeleteMessageBatch")
    for expected in ([DIGEST], []):
        sqs.send(url, push_event())
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url), store)
            await soon(lambda: sqs.actions.count("DeleteMessageBatch"))
            await asyncio.sleep(0.2)
        assert watcher.told("imageDigest") == expected
        sqs.actions.clear()
        await asyncio.sleep(0.1)  # for what the thread still receives


@in_a_loop
async def test_what_another_watcher_of_the_asset_had_is_no_repetition(sqs: Sqs) -> None:
    store, url = Store(), sqs.queue()
    for arguments in ({}, {"image_tag": "prod"}):
        sqs.send(url, push_event(), push_event("id-2", "v1"))
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url, **arguments), store)
            await soon(lambda: not sqs.left(url))
        await asyncio.sleep(0.1)
    assert watcher.told("imageTag") == ["prod"]


@in_a_loop
async def test_what_is_remembered_has_an_end() -> None:
    async def stream() -> AsyncIterator[ImageEvent]:
        for number in [*range(1_500), *range(1_400, 1_500)]:
            event = parse(push_event(f"id-{number}"))
            event.is_stored = True
            yield event

    trigger, store = follow("here"), Store()
    trigger.asset_state_store = cast("Any", Stores(store))
    told = [event async for event in trigger.filter_shared_stream(stream())]
    assert len(told) == 1_500
    (kept,) = map(json.loads, store.kept.values())
    assert kept == [f"id-{number}" for number in range(1_400, 1_500)]


# --- What is no event ------------------------------------------------------------------------------------------

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
    "nested deeply": push_event(more=json.loads("[" * 500 + "]" * 500)),
}


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_event_is_refused_in_few_words(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(NO_EVENTS[name])
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@given(st.dictionaries(st.sampled_from(list(json.loads(push_event()))), json_values()))
def test_an_event_is_refused_or_can_be_stored(changes: dict[str, Any]) -> None:
    try:
        event = parse(json.dumps(json.loads(push_event()) | changes))
    except InvalidInputError:
        return
    _new_encoder().encode(event.payload())
    assert "\\u0000" not in json.dumps(event.payload(), allow_nan=False)


@given(st.dictionaries(st.sampled_from(list(json.loads(push_event())["detail"])) | st.text(), json_values()))
def test_so_does_its_detail(changes: dict[str, Any]) -> None:
    event = json.loads(push_event())
    try:
        payload = parse(json.dumps(event | {"detail": event["detail"] | changes})).payload()
    except InvalidInputError:
        return
    _new_encoder().encode(payload)
    assert "\\u0000" not in json.dumps(payload, allow_nan=False)


@in_a_loop
async def test_a_message_that_is_no_event_stays_is_logged_and_is_in_nobodys_way(sqs: Sqs) -> None:
    url = sqs.queue()
    bodies = [NO_EVENTS[name] for name in ("no object", "nested", "empty", "no digest")]
    sqs.send(url, *bodies, push_event())
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url))
            await soon(lambda: watcher.payloads and sqs.left(url) == len(bodies))
            await asyncio.sleep(0.1)
    said = [log["event"] for log in logs if "stays there" in log["event"]]
    assert (len(said), watcher.error) == (len(bodies), None)
    assert max(map(len, said)) < 500


@pytest.mark.parametrize(
    ("has_dead_letters", "warnings"), [(True, 0), (False, 1)], ids=["with dead letters", "without"]
)
@in_a_loop
async def test_a_queue_without_dead_letters_is_warned_about_once(
    sqs: Sqs, has_dead_letters: bool, warnings: int
) -> None:
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{sqs.queue().rpartition('/')[2]}"
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})}
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            url = sqs.queue(**(policy if has_dead_letters else {}))
            for _ in range(2):
                triggerer.start(follow(url))
            await soon(lambda: sqs.actions.count("ReceiveMessage") > 2)
    assert str(logs).count("no dead-letter queue") == warnings


@pytest.mark.parametrize(
    "body",
    [
        push_event(**{"action-type": "DELETE"}),
        push_event(result="FAILURE"),
        push_event(**{"detail-type": "ECR Scan Resource Change", "detail": {"action-type": "SCAN_FREQUENCY_CHANGE"}}),
        push_event(**{"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "PutImage"}}),
    ],
)
@in_a_loop
async def test_an_event_of_ecr_that_nobody_wants_is_deleted_quietly(sqs: Sqs, body: str) -> None:
    url = sqs.queue()
    sqs.send(url, body)
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url))
            await soon(lambda: not sqs.left(url), 2)
    assert watcher.payloads == []
    assert "stays there" not in str(logs)


# --- Which events ----------------------------------------------------------------------------------------------

SCAN = {"detail-type": "ECR Image Scan", "action-type": None, "result": None, "image-tags": ["v1", "prod"]}


@pytest.mark.parametrize(
    ("arguments", "event", "is_wanted"),
    [
        ({}, {}, True),
        ({}, {"tag": ""}, True),
        ({}, {"image-tag": None}, True),
        ({}, {"action-type": "UPDATE_STORAGE_CLASS"}, False),
        ({}, {"detail-type": "ECR Referrer Action"}, False),
        ({"repository_name": REPOSITORY}, {}, True),
        ({"repository_name": "shop/api"}, {}, False),
        ({"image_tag": "prod"}, {}, True),
        ({"image_tag": "prod"}, {"tag": "production"}, False),
        ({"image_tag": "prod"}, {"tag": ""}, False),
        ({"tag_pattern": r"v\d|w\d"}, {"tag": "v1"}, True),
        ({"tag_pattern": r"v\d|w\d"}, {"tag": "v1x"}, False),
        ({"tag_pattern": r"v\d|w\d"}, {"tag": "xw1"}, False),
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
    assert follow("here", **arguments).wants(parse(push_event(**event))) is is_wanted


@in_a_loop
async def test_an_event_of_several_tags_names_the_one_that_is_followed(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event(tag="", **SCAN))
    async with Triggerer() as triggerer:
        named = triggerer.start(follow(url, detail_type="ECR Image Scan", image_tag="prod"))
        matched = triggerer.start(follow(url, detail_type="ECR Image Scan", tag_pattern="p.*"))
        await soon(lambda: named.payloads and matched.payloads)
    assert named.told("imageTag") == matched.told("imageTag") == ["prod"]
