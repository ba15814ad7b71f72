"""Where events go: files, webhooks, queues."""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.registries import DEFAULT_REGION
from ecr_provider.emulator.serving.server import is_loopback

_TIMEOUT = 5  # seconds
_QUEUE_PATH = re.compile(r"/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?")
_URL = re.compile(r"[!-~]+")
_AWS_HOST = re.compile(r"sqs(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")


class Sink(Protocol):
    """Takes events, as EventBridge would deliver them."""

    def send(self, event: Event) -> None:
        """Deliver an event, or raise."""

    def close(self) -> None:
        """Let go of connections."""


def sink_at(address: str | os.PathLike[str]) -> Sink:
    """Return what takes events at an address: a queue's URL, a webhook's, or the path of a file.

    Raises ValueError if it is none of them, or a place that events must not go to.
    """
    text = os.fspath(address)
    url = urlsplit(text)
    if "://" not in text:
        return _File(Path(text))
    if not _URL.fullmatch(text):
        raise ValueError(f"events cannot go to {text!r}: a URL has no spaces and no control characters")
    if url.scheme in ("http", "https") and url.hostname and _QUEUE_PATH.fullmatch(url.path):
        if url.scheme == "http" and _AWS_HOST.fullmatch(url.hostname):
            raise ValueError(f"events cannot go to {text!r}: AWS is called by https:// only")
        return _Queue(text)
    if url.scheme != "http" or not is_loopback(url.hostname or ""):
        raise ValueError(
            f"events cannot go to {text!r}: a webhook is http:// on loopback, such as http://127.0.0.1:8000/events; "
            "the URL of a queue ends in its account and name; anything else is the path of a file"
        )
    return _Webhook(text)


class _File:
    """One envelope a line, appended. The file is opened for each, so that it may be moved away."""

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir() or (path.exists() and not path.is_file()):
            raise ValueError(f"events cannot go to {str(path)!r}: give a file in a directory that exists")
        self._path = path

    def send(self, event: Event) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{_envelope(event)}\n")

    def close(self) -> None:
        """Nothing is open."""


class _Webhook:
    """A POST of each envelope. What is no 2xx is a failure, a redirect too: it could lead away from loopback."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._target = f"{parts.path or '/'}?{parts.query}".removesuffix("?")

    def send(self, event: Event) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._target, _envelope(event).encode(), headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status // 100 != 2:  # noqa: PLR2004 - 2xx
            raise OSError(f"it answered {status}")

    def close(self) -> None:
        """Nothing is open."""


class _Queue:
    """A message for each event, its body the envelope: what EventBridge's target "SQS queue" sends.

    A FIFO queue gets all of them in one group, so they stay in order.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_fifo = url.endswith(".fifo")
        self._client: Any = None

    def send(self, event: Event) -> None:
        self._client = self._client or self._connect()
        group = {"MessageGroupId": event.source, "MessageDeduplicationId": event.id} if self._is_fifo else {}
        self._client.send_message(QueueUrl=self._url, MessageBody=_envelope(event), **group)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connect(self) -> Any:
        """Make a client for where the URL leads: AWS, or a stand-in for it."""
        url = urlsplit(self._url)
        aws = _AWS_HOST.fullmatch(url.hostname or "")
        config = Config(connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 1})
        options = {"region_name": aws["region"]} if aws else self._local_options()
        if not aws:
            config = config.merge(Config(proxies={}))
        origin = f"{url.scheme}://{url.netloc}"
        return boto3.session.Session().client("sqs", endpoint_url=origin, config=config, **options)

    def _local_options(self) -> dict[str, str]:
        """Choose what a stand-in for SQS is called with: never the credentials of this machine."""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
        account = urlsplit(self._url).path.split("/")[1]
        return {"region_name": region, "aws_access_key_id": account, "aws_secret_access_key": "emulator"}


def _envelope(event: Event) -> str:
    return json.dumps(event.envelope(), separators=(",", ":"))
