"""A small HTTP server on loopback that answers what a test says, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Received:
    """A request as it came.

    :param query: its parameters in their order, and more than once if they were.
    :param is_whole: whether all of the body came.
    :param client_port: which connection it came by.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Message
    body: bytes
    is_whole: bool = True
    client_port: int = 0

    @property
    def authorization(self) -> str | None:
        return self.headers["Authorization"]


@dataclass(frozen=True)
class Reply:
    """What to answer.

    :param length: what to say of the body's length, if not the truth.
    :param cut: how much of the body to send before the connection is cut; 0: not even the headers.
    :param wait: called before anything is sent.
    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: int | None = None
    wait: Callable[[], object] = field(default=lambda: None)


Script: TypeAlias = Reply | Callable[[Received], Reply]


class Server:
    """A server; what it is not told to answer is 404.

    :param tls: the certificate that it shows, if it speaks TLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.sent = 0  # bytes of bodies
        self.slowness = 0.0  # seconds that 64 KiB of a body take
        self._scripts: dict[tuple[str, str], list[Script]] = defaultdict(list)
        self._lock = threading.Lock()
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = _QuietServer(("127.0.0.1", 0), Handler)
        self.scheme = "https" if tls else "http"
        self._http.tls = tls
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def on(self, method: str, path: str, *scripts: Script) -> None:
        """Answer requests for a path with these, one after the other; the last one stays."""
        self._scripts[method, path] = list(scripts)

    def asked(self, method: str, path: str | None = None) -> list[Received]:
        """Return the requests of a method, and of a path."""
        return [each for each in self.requests if each.method == method and path in (None, each.path)]

    def reply_to(self, received: Received) -> Reply:
        with self._lock:
            self.requests.append(received)
            scripts = self._scripts[received.method, received.path]
            script = (scripts.pop(0) if len(scripts) > 1 else scripts[0]) if scripts else Reply(404)
        return script if isinstance(script, Reply) else script(received)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            if self.tls:
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of: Server

    def _any(self) -> None:
        parts = urlsplit(self.path)
        body, is_whole = self._body()
        query = parse_qsl(parts.query, keep_blank_values=True)
        path = self.path if "://" in self.path else parts.path  # a proxy is asked for whole addresses
        received = Received(self.command, path, query, self.headers, body, is_whole, self.client_address[1])
        reply = self.server_of.reply_to(received)
        reply.wait()
        self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = _any  # noqa: N815 - the names of its base

    def _body(self) -> tuple[bytes, bool]:
        if self.headers["Transfer-Encoding"] == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts), True
        length = int(self.headers["Content-Length"] or 0)
        body = bytearray()
        with contextlib.suppress(OSError):
            while len(body) < length and (read := self.rfile.read1(min(65536, length - len(body)))):
                body += read
                if self.server_of.slowness:
                    time.sleep(self.server_of.slowness * len(read) / 65536)
        return bytes(body), len(body) == length

    def _send(self, reply: Reply) -> None:
        if reply.cut == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, text in reply.headers.items():
            for line in text.split("\n"):
                self.send_header(name, line)
        length = reply.length
        if length is None and isinstance(reply.body, bytes):
            length = len(reply.body)
        if length is not None and not (reply.status == 200 and self.command == "CONNECT"):
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(reply)

    def _send_body(self, reply: Reply) -> None:
        body = iter([reply.body]) if isinstance(reply.body, bytes) else reply.body
        left = reply.cut
        with contextlib.suppress(OSError):
            for part in body:
                shown = part if left is None else part[:left]
                self.wfile.write(shown)
                self.server_of.sent += len(shown)
                left = None if left is None else left - len(shown)
                if left == 0:
                    self.close_connection = True
                    return

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its base's name
        """Say nothing."""
