"""Events on their way: to files, webhooks and queues, in order, and in nobody's way."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import boto3
import pytest
from emulator_calls import version
from local_ecr import ACCOUNT
from sqs_door import moto
from waiting import until

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.events import delivery, sinks
from ecr_provider.emulator.samples import push

__all__ = ["moto"]


def storm(ecr: EcrEmulator, count: int = 20) -> list[dict[str, Any]]:
    """Push images; return the envelopes of the events."""
    client = ecr.client()
    client.create_repository(repositoryName="shop/web")
    for number in range(count):
        push(client, "shop/web", version(number), f"v{number}")
    return [event.envelope() for event in ecr.events]


# --- Files ---


def test_a_file_gets_a_line_of_each(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('"what was there"\n')
    with EcrEmulator(events_to=[path]) as ecr:
        sent = storm(ecr)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == ["what was there", *sent]


def test_a_line_is_there_while_the_emulator_runs(tmp_path: Path) -> None:
    with EcrEmulator(events_to=[str(tmp_path / "a"), tmp_path / "b"]) as ecr:
        storm(ecr, 1)
        until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        until(lambda: (tmp_path / "a").read_text() == (tmp_path / "b").read_text() != "")


def test_an_emulator_that_is_started_again_goes_on(tmp_path: Path) -> None:
    ecr = EcrEmulator(events_to=[tmp_path / "events"])
    for _ in range(2):
        with ecr:
            storm(ecr, 1)
    assert len((tmp_path / "events").read_text().splitlines()) == 2


# --- Webhooks ---


class Hook(ThreadingHTTPServer):
    """Takes events, and answers with the statuses it was given."""

    daemon_threads = True

    def __init__(self, statuses: list[int] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.statuses = statuses or []
        self.received: list[tuple[str, str | None, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/events?to=me"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the time that a delivery takes pass faster."""
    monkeypatch.setattr(delivery, "_PAUSES", (0.001, 0.001, 0))
    monkeypatch.setattr(delivery, "_PATIENCE", 0.3)


def test_a_webhook_gets_a_post_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Hook() as hook:
        with EcrEmulator(events_to=[hook.url]) as ecr:
            sent = storm(ecr)
        assert hook.received == [("/events?to=me", "application/json", envelope) for envelope in sent]


@pytest.mark.usefixtures("brief")
def test_what_fails_is_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    with Hook([500, 302]) as hook:
        with EcrEmulator(events_to=[hook.url]) as ecr:
            (sent,) = storm(ecr, 1)
        assert [body for _, _, body in hook.received] == [sent] * 3
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("brief")
def test_what_fails_for_good_is_said_once_and_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with Hook([500] * 6) as hook:
        with EcrEmulator(events_to=[hook.url]) as ecr:
            sent = storm(ecr, 4)
        assert [body for _, _, body in hook.received] == [sent[0]] * 3 + [sent[1]] * 3 + sent[2:]
        url = hook.url
    error = capfd.readouterr().err
    assert error == f"ecr_provider.emulator: events do not reach {url}: OSError('it answered 500')\n"


@pytest.mark.usefixtures("brief")
def test_nobody_there_hinders_no_call(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with EcrEmulator(events_to=[url, tmp_path / "events"]) as ecr:
        sent = storm(ecr)
    assert len((tmp_path / "events").read_text().splitlines()) == len(sent)  # the others get theirs
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("brief")
def test_a_webhook_that_hangs_does_not_hold_up_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        others = set(threading.enumerate())
        ecr = EcrEmulator(events_to=[f"http://127.0.0.1:{silent.getsockname()[1]}/"]).start()
        storm(ecr, 2)
        begun = time.monotonic()
        ecr.stop()
        assert time.monotonic() - begun < 3
    until(lambda: set(threading.enumerate()) <= others)
    assert re.fullmatch(r"ecr_provider.emulator: events do not reach \S+: some are left.*\n", capfd.readouterr().err)


# --- Queues ---


@pytest.fixture
def sqs(moto: str) -> Iterator[Any]:
    client = boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=moto,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="x",
    )
    yield client
    client.close()


def received(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    while len(messages) < count:
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"]}
        answer = sqs.receive_message(**asked).get("Messages", [])
        assert answer
        for message in answer:  # the next of its group comes after that only
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        messages += answer
    return messages


def test_a_queue_gets_a_message_of_each(moto: str, sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    sqs.create_queue(QueueName="plain")
    url = f"{moto}/{ACCOUNT}/plain"
    with EcrEmulator(events_to=[url]) as ecr:
        sent = storm(ecr, 3)
    bodies = [json.loads(message["Body"]) for message in received(sqs, url, 3)]
    assert sorted(bodies, key=str) == sorted(sent, key=str)


def test_a_fifo_queue_gets_them_in_order(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, ACCOUNT)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    there = boto3.client("sqs", region_name="eu-west-1", endpoint_url=moto)
    there.create_queue(QueueName="ordered.fifo", Attributes={"FifoQueue": "true"})
    url = f"{moto}/{ACCOUNT}/ordered.fifo"
    with EcrEmulator(events_to=[url]) as ecr:
        sent = storm(ecr, 12)
    messages = received(there, url, 12)
    there.close()
    assert [json.loads(message["Body"]) for message in messages] == sent
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"aws.ecr"}
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == [e["id"] for e in sent]


@pytest.mark.usefixtures("brief")
def test_a_queue_that_is_not_there(moto: str, capfd: pytest.CaptureFixture[str]) -> None:
    with EcrEmulator(events_to=[f"{moto}/{ACCOUNT}/nowhere"]) as ecr:
        storm(ecr, 2)
        until(lambda: "nowhere" in capfd.readouterr().err)


@pytest.mark.parametrize("host", ["sqs.eu-west-1.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn"])
def test_a_queue_of_aws_is_asked_where_it_is(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    queue: Any = sinks.sink_at(f"https://{host}/{ACCOUNT}/events")
    client = queue._connect()
    assert (client.meta.endpoint_url, client.meta.region_name) == (f"https://{host}", host.split(".")[1])
    client.close()


def test_a_stand_in_never_sees_this_machines_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "REAL")
    queue: Any = sinks.sink_at(f"http://127.0.0.1:5000/{ACCOUNT}/events")
    client = queue._connect()
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.token) == (ACCOUNT, None)
    client.close()


# --- Addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "https://example.invalid/hook",
        "https://127.0.0.1/hook",
        "http://example.invalid/hook",
        "http://192.168.1.1/hook",
        "ftp://127.0.0.1/x",
        "http:///x",
        "http://127.0.0.1/a b\r\nX: y",
        f"http://sqs.us-east-1.amazonaws.com/{ACCOUNT}/events",
        "/nowhere/at/all",
    ],
)
def test_where_events_cannot_go(address: str) -> None:
    with pytest.raises(ValueError, match="events cannot go to"):
        EcrEmulator(events_to=[address])


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="events cannot go to"):
        EcrEmulator(events_to=[tmp_path / "pipe"])
    with pytest.raises(ValueError, match="events cannot go to"):
        EcrEmulator(events_to=[tmp_path])
