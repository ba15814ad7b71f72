"""The queue of events, asked by boto3, at moto's SQS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_server import Reply
from local_ecr import ACCOUNT
from sqs_door import Sqs, moto, sqs

from ecr_provider.exceptions import (
    AccessDeniedError,
    ConnectionNotFoundError,
    EcrProviderError,
    InvalidInputError,
    ServiceFaultError,
    ThrottledError,
)
from ecr_provider.hooks.event_queue import EcrEventQueueHook, Message

__all__ = ["moto", "sqs"]


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
    with pytest.raises(EcrProviderError, match=f"^1 message of {url} could not be deleted .ReceiptHandleIsInvalid"):
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
