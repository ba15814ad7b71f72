"""moto's SQS, behind a door at which a test can see and refuse calls."""

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
from http_server import Received, Reply, Server
from local_ecr import ACCOUNT, REGION

from ecr_provider.hooks import event_queue as module


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
