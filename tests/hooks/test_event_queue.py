"""The queue of events: moto's SQS, behind a door at which a test can see and refuse calls; and its messages."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
import urllib3
from airflow.sdk.execution_time.comms import _new_encoder
from http_server import Received, Reply, Server
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REGION, REPOSITORY
from strategies import json_values

from ecr_provider.ecr.events import ImageEvent
from ecr_provider.exceptions import (
    AccessDeniedError,
    ConnectionNotFoundError,
    EcrProviderError,
    InvalidInputError,
    ServiceFaultError,
    ThrottledError,
)
from ecr_provider.hooks import event_queue as module
from ecr_provider.hooks.event_queue import EcrEventQueueHook, Message
from ecr_provider.triggers.event_queue import EcrEventQueueTrigger


class Sqs(Server):
    """A door to moto's SQS.

    :param moto: moto's address.
    """

    def __init__(self, moto: str) -> None:
        super().__init__()
        self.actions: list[str] = []
        self.replies: dict[str, list[Reply]] = defaultdict(list)
        self._moto = moto
        self._pool = urllib3.PoolManager(maxsize=4)
        access: dict[str, Any] = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "emulator"}
        self.client: Any = boto3.client("sqs", region_name=REGION, endpoint_url=moto, **access)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.client.close()
        self._pool.clear()

    def reply_to(self, received: Received) -> Reply:
        """Let a call through to moto, unless there is something else to reply."""
        action = received.headers["X-Amz-Target"].removeprefix("AmazonSQS.")
        self.requests.append(received)
        self.actions.append(action)
        time.sleep(0.02 if action == "ReceiveMessage" else 0)
        reply = self.replies[action].pop(0) if self.replies[action] else Reply(100)
        reply.wait()
        if reply.status != 100:  # "go on"
            return reply
        headers = {name: received.headers[name] for name in ("X-Amz-Target", "Content-Type", "Authorization")}
        answer = self._pool.request("POST", self._moto, body=received.body, headers=headers, retries=False)
        return Reply(answer.status, answer.data, {"Content-Type": answer.headers["Content-Type"]})

    def refuse(self, action: str, code: str = "AccessDeniedException", status: int = 403, times: int = 1) -> None:
        """Answer the next calls with an error."""
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": f"{action}: {code}"}).encode()
        self.replies[action] += [Reply(status, body, {"Content-Type": "application/x-amz-json-1.0"})] * times

    def queue(self, **attributes: str) -> str:
        """Make a queue; return its URL."""
        url = self.client.create_queue(QueueName=f"events-{uuid4()}", Attributes=attributes)["QueueUrl"]
        return str(url)

    def send(self, url: str, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=url, MessageBody=body)

    def left(self, url: str) -> int:
        """Tell how many messages there are, whether somebody has received them or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, attributes.values()))

    def connection(self, **extra: object) -> str:
        """Return an Airflow connection to here, that tries each call once."""
        retries = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
        extra = {"region_name": REGION, "endpoint_url": self.origin, **retries, **extra}
        return json.dumps({"conn_type": "aws", "login": ACCOUNT, "password": "emulator", "extra": extra})


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of moto's AWS."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sqs(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sqs]:
    """An SQS to which the connection ``aws_default`` leads, and that hardly waits for messages."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0)
    with Sqs(moto) as door:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", door.connection())
        yield door


@pytest.fixture
def hook(sqs: Sqs) -> EcrEventQueueHook:  # noqa: ARG001 - a fixture that needs another one's effect
    return EcrEventQueueHook()


# --- Receiving -------------------------------------------------------------------------------------------------


def test_up_to_ten_messages_are_received_as_they_were_sent(sqs: Sqs, hook: EcrEventQueueHook) -> None:
    url = sqs.queue()
    bodies = [f'{{"n": {number}}} é' for number in range(11)]
    sqs.send(url, *bodies)
    first, second, third = (hook.receive(url) for _ in range(3))
    assert [len(first), len(second), third] == [10, 1, []]
    assert sorted(message.body for message in [*first, *second]) == sorted(bodies)
    assert sqs.left(url) == 11


def test_it_waits_for_messages_as_long_as_sqs_does(
    sqs: Sqs, hook: EcrEventQueueHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", sqs.connection())
    url = sqs.queue()
    sqs.send(url, "{}")
    hook.receive(url)
    assert json.loads(sqs.requests[-1].body) == {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}


# --- Deleting --------------------------------------------------------------------------------------------------


def filled(sqs: Sqs, hook: EcrEventQueueHook, count: int) -> tuple[str, list[Message]]:
    """Fill a queue, and receive all that is in it."""
    url = sqs.queue()
    sqs.send(url, *map(str, range(count)))
    messages: list[Message] = []
    while len(messages) < count:
        messages += hook.receive(url)
    sqs.actions.clear()
    return url, messages


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3)])
def test_messages_are_deleted_ten_in_a_call(sqs: Sqs, hook: EcrEventQueueHook, count: int, calls: int) -> None:
    url, messages = filled(sqs, hook, count)
    hook.delete(url, messages)
    assert sqs.actions == ["DeleteMessageBatch"] * calls
    assert sqs.left(url) == 0


def test_one_message_that_cannot_be_deleted_keeps_no_other(sqs: Sqs, hook: EcrEventQueueHook) -> None:
    url, messages = filled(sqs, hook, 25)
    messages[3] = messages[3]._replace(receipt_handle="unknown")
    with pytest.raises(EcrProviderError, match=f"^1 message of {url} was not deleted .ReceiptHandleIsInvalid"):
        hook.delete(url, messages)
    assert sqs.left(url) == 1


def test_one_call_that_fails_keeps_the_messages_of_no_other(sqs: Sqs, hook: EcrEventQueueHook) -> None:
    url, messages = filled(sqs, hook, 25)
    sqs.refuse("DeleteMessageBatch")
    with pytest.raises(AccessDeniedError, match=url):
        hook.delete(url, messages)
    assert sqs.left(url) == 10


# --- Dead letters ----------------------------------------------------------------------------------------------


def test_a_queue_says_whether_it_puts_aside_what_nobody_could_read(sqs: Sqs, hook: EcrEventQueueHook) -> None:
    dead = sqs.queue()
    arn = sqs.client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    assert hook.has_dead_letters(sqs.queue(RedrivePolicy=policy)) is True
    assert hook.has_dead_letters(dead) is False


# --- Failures --------------------------------------------------------------------------------------------------

CALLS = {
    "ReceiveMessage": lambda hook, url: hook.receive(url),
    "DeleteMessageBatch": lambda hook, url: hook.delete(url, [Message("id", "handle", "{}")]),
    "GetQueueAttributes": lambda hook, url: hook.has_dead_letters(url),
}


@pytest.mark.parametrize("action", CALLS)
def test_a_queue_that_is_not_there_is_named_and_what_to_do(sqs: Sqs, hook: EcrEventQueueHook, action: str) -> None:
    url = f"{sqs.origin}/{ACCOUNT}/nowhere"
    with pytest.raises(EcrProviderError, match=f"{action} of {url}") as caught:
        CALLS[action](hook, url)
    assert "does not know the error" not in str(caught.value)
    assert "queue_url" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 403, AccessDeniedError),
        ("AccessDenied", 403, AccessDeniedError),
        ("InvalidClientTokenId", 403, AccessDeniedError),
        ("ExpiredTokenException", 403, AccessDeniedError),
        ("RequestThrottled", 400, ThrottledError),
        ("ThrottlingException", 400, ThrottledError),
        ("ServiceUnavailable", 503, ServiceFaultError),
    ],
)
def test_what_sqs_refuses_is_one_of_our_errors(
    sqs: Sqs, hook: EcrEventQueueHook, code: str, status: int, kind: type[EcrProviderError]
) -> None:
    sqs.refuse("ReceiveMessage", code, status)
    with pytest.raises(kind, match=f"ReceiveMessage of .*{code}"):
        hook.receive(sqs.queue())


@pytest.mark.parametrize(
    ("code", "hint"), [("AccessDeniedException", "queue"), ("ServiceUnavailable", "next try"), ("NoSuchError", "AWS")]
)
@pytest.mark.parametrize("action", CALLS)
def test_what_to_do_is_said_of_queues(sqs: Sqs, hook: EcrEventQueueHook, action: str, code: str, hint: str) -> None:
    sqs.refuse(action, code)
    with pytest.raises(EcrProviderError, match=hint) as caught:
        CALLS[action](hook, sqs.queue())
    for word in ("ECR", "image"):
        assert word not in str(caught.value)


@pytest.mark.parametrize("answer", [b"[]", b'{"Messages": [{}]}', b'{"Messages": 7}'])
def test_an_answer_that_is_none_is_an_error(sqs: Sqs, hook: EcrEventQueueHook, answer: bytes) -> None:
    sqs.replies["ReceiveMessage"] = [Reply(200, answer)]
    with pytest.raises(ServiceFaultError, match="ReceiveMessage of") as caught:
        hook.receive(sqs.queue())
    assert "ECR" not in str(caught.value)


def test_nobody_there_is_an_error(sqs: Sqs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", sqs.connection(endpoint_url="http://127.0.0.1:9"))
    with pytest.raises(ServiceFaultError, match="ReceiveMessage of here"):
        EcrEventQueueHook(aws_conn_id="shop").receive("here")


def test_a_connection_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConnectionNotFoundError, match="'prod_account' does not exist"):
        EcrEventQueueHook(aws_conn_id="prod_account").receive("here")


def test_the_arguments_of_the_amazon_provider_are_honoured(sqs: Sqs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", sqs.connection())
    arguments: dict[str, Any] = {"region_name": "eu-west-1", "verify": False, "config": {"connect_timeout": 7}}
    hook = EcrEventQueueHook(aws_conn_id="shop", **arguments)
    assert hook.client.meta.region_name == "eu-west-1"
    assert vars(hook.client.meta.config)["connect_timeout"] == 7
    assert hook.verify is False


def test_a_setting_that_botocore_does_not_know_is_refused_as_it_is_for_images() -> None:
    with pytest.raises(InvalidInputError, match="botocore_config"):
        EcrEventQueueHook(config={"no_such_setting": 1})


# --- Messages --------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_event_is_refused_in_few_words(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(NO_EVENTS[name])
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


KEYS = [*json.loads(push_event()), *json.loads(push_event())["detail"]]


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), json_values()))
def test_a_message_is_refused_or_can_be_stored(changes: dict[str, Any]) -> None:
    try:
        event = ImageEvent.parse(push_event(**changes), "aws")
        payload = event.payload("prod") if event else {}
    except InvalidInputError:
        return
    _new_encoder().encode(payload)
    assert "\\u0000" not in json.dumps(payload, allow_nan=False)


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
