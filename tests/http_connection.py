"""A kept-alive connection that hides nothing: what a test says is sent, and what comes back is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error of ECR's API."""
        code: str = self.json["__type"]
        return code

    @property
    def error(self) -> tuple[int, str, str]:
        """The status, and the code and the message of the one error of the registry's API."""
        (error,) = self.json["errors"]
        return self.status, error["code"], error["message"]

    @property
    def next(self) -> str:
        """What ``Link`` says is the next page."""
        address, _, relation = self.headers["Link"].partition("; ")
        assert relation == 'rel="next"'
        return str(address.strip("<>"))


class Connection:
    """One connection to the emulator."""

    def __init__(self, endpoint_url: str) -> None:
        self.host = endpoint_url.removeprefix("http://")
        self._connection = HTTPConnection(self.host, timeout=30)

    def send(
        self,
        method: str,
        address: str,
        body: str | bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to a path, or to an address that the emulator gave."""
        parts = urlsplit(address)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request(method, target, body, dict(headers or {}), encode_chunked=True)
        return self._answer()

    def send_exactly(self, path: str, headers: Sequence[tuple[str, str]], method: str = "POST") -> Answer:
        """Send these headers and no others, and no body."""
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.endheaders()
        return self._answer()

    def _answer(self) -> Answer:
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def close(self) -> None:
        self._connection.close()


def fetched(url: str) -> bytes:
    """GET an address that the emulator gave."""
    with urlopen(url) as response:  # noqa: S310 - it is http
        body: bytes = response.read()
        return body
