"""Watchers that follow a queue, run by Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from http_server import Reply
from local_ecr import ACCOUNT, REPOSITORY
from queue_events import DIGEST, NO_EVENTS, SCAN, parse, push_event
from sqs_door import Sqs, moto, sqs
from structlog.testing import capture_logs
from triggerer import Store, Triggerer, in_a_loop, needs_stored_events, soon, stores_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.triggers import event_queue as module
from ecr_provider.triggers.event_queue import EcrEventQueueTrigger

__all__ = ["moto", "sqs"]

pytestmark = needs_stored_events

URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/events"
AGAIN_AT_ONCE = {"VisibilityTimeout": "1"}


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the time that nothing happens in pass faster."""
    monkeypatch.setattr(module, "_JOINING", 0.05)
    monkeypatch.setattr(module, "_AFTER_A_FAILURE", 0.05)


def follow(url: str, **arguments: Any) -> EcrEventQueueTrigger:
    return EcrEventQueueTrigger(queue_url=url, **arguments)


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
    async def stream() -> AsyncIterator[module._Received]:
        for number in [*range(1_500), *range(1_400, 1_500)]:
            received = module._Received(event=parse(push_event(f"id-{number}")))
            received.is_stored = True
            yield received

    trigger, store = follow(URL), Store()
    trigger.asset_state_store = stores_of(store)
    told = [event async for event in trigger.filter_shared_stream(stream())]
    assert len(told) == 1_500
    (kept,) = map(json.loads, store.kept.values())
    assert kept == [f"id-{number}" for number in range(1_400, 1_500)]


# --- What is no event ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("has_dead_letters", "warnings"), [(True, 0), (False, 1)])
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


@in_a_loop
async def test_an_event_of_several_tags_names_the_one_that_is_followed(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event(tag="", **SCAN))
    async with Triggerer() as triggerer:
        named = triggerer.start(follow(url, detail_type="ECR Image Scan", image_tag="prod"))
        matched = triggerer.start(follow(url, detail_type="ECR Image Scan", tag_pattern="p.*"))
        await soon(lambda: named.payloads and matched.payloads)
    assert named.told("imageTag") == matched.told("imageTag") == ["prod"]


# --- One loop --------------------------------------------------------------------------------------------------


@in_a_loop
async def test_all_watchers_of_a_queue_make_one_loop_and_each_has_what_it_wants(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, *(push_event(f"id-{number}", f"v{number}") for number in range(10)))
    async with Triggerer() as triggerer:
        everything = triggerer.start(follow(url), Store())
        await asyncio.sleep(0.02)  # one that starts a little later misses nothing
        watchers = [triggerer.start(follow(url, image_tag=f"v{number}"), Store()) for number in range(10)]
        await soon(lambda: not sqs.left(url))
        assert len(triggerer.streams._groups) == 1
    assert sorted(everything.told("imageTag")) == [f"v{number}" for number in range(10)]
    assert [watcher.told("imageTag") for watcher in watchers] == [[f"v{number}"] for number in range(10)]
    assert sqs.actions.count("GetQueueAttributes") == 1


@pytest.mark.parametrize("has_event", [False, True])
@in_a_loop
async def test_a_long_wait_for_messages_holds_up_nobody(sqs: Sqs, has_event: bool) -> None:
    url, waiting, released, tasks = sqs.queue(), threading.Event(), threading.Event(), asyncio.all_tasks()
    sqs.send(url, *[push_event()] * has_event)

    def wait() -> None:
        waiting.set()
        released.wait(20)

    sqs.replies["ReceiveMessage"] = [*[Reply(100)] * has_event, Reply(100, wait=wait)]
    try:
        async with Triggerer() as triggerer:
            triggerer.start(follow(url))
            await soon(waiting.is_set)
            began = time.monotonic()
        assert time.monotonic() - began < 2
        assert asyncio.all_tasks() == tasks
    finally:
        released.set()


# --- Failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "ServiceUnavailable"])
@pytest.mark.parametrize("action", ["ReceiveMessage", "GetQueueAttributes"])
@in_a_loop
async def test_what_sqs_refuses_is_logged_and_tried_again(sqs: Sqs, action: str, code: str) -> None:
    url = sqs.queue()
    sqs.send(url, push_event())
    sqs.refuse(action, code, times=2)
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url))
            await soon(lambda: watcher.payloads and not sqs.left(url))
    assert len(watcher.payloads) == 1
    assert f"{action} of {url} failed" in str(logs)


@in_a_loop
async def test_who_may_only_receive_and_delete_follows_all_the_same(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event())
    sqs.refuse("GetQueueAttributes", times=1_000)
    async with Triggerer() as triggerer:
        watcher = triggerer.start(follow(url))
        await soon(lambda: watcher.payloads, 3)


@in_a_loop
async def test_a_queue_that_is_made_later_is_followed_then(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.client.delete_queue(QueueUrl=url)
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url))
            await soon(lambda: "Receiving from" in str(logs))
            sqs.client.create_queue(QueueName=url.rpartition("/")[2])
            sqs.send(url, push_event())
            await soon(lambda: watcher.payloads)


@pytest.mark.parametrize("wrong", [None, "{", "aws://:@:port"])
@in_a_loop
async def test_a_connection_that_is_mended_is_tried_again(
    sqs: Sqs, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    url = sqs.queue()
    sqs.send(url, push_event())
    if wrong:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", wrong)
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(follow(url, aws_conn_id="shop"))
            await soon(lambda: watcher.error or "Receiving from" in str(logs))
            monkeypatch.setenv("AIRFLOW_CONN_SHOP", sqs.connection())
            await soon(lambda: watcher.error or watcher.payloads)
    assert watcher.told("imageDigest") == [DIGEST]


@in_a_loop
async def test_without_a_shared_loop_nothing_is_deleted(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, push_event())
    event = await anext(aiter(follow(url).run()))
    assert event.payload["imageDigest"] == DIGEST
    assert sqs.left(url) == 1
