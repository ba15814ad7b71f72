"""HTTP on loopback: connections that are kept alive, one thread each, and a stop that waits for answers."""

from __future__ import annotations

import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any, Self

_PATIENCE = 5  # seconds that a stop waits for answers under way


class Handler(BaseHTTPRequestHandler):
    """What both origins have in common."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: an answer's head and body leave in one packet

    def answer(self) -> None:
        """Answer a request, of any method."""
        raise NotImplementedError

    def do_POST(self) -> None:
        """Answer a request."""
        self.answer()

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815 - http.server finds them so

    def body(self, largest: int) -> bytes | None:
        """Read the body, or refuse the request and return None."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.send_error(HTTPStatus.LENGTH_REQUIRED, "A Content-Length is required")
            return None
        if len(length) > len(str(largest)) or int(length) > largest:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {largest} bytes at most")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the client has gone
            self.close_connection = True
            return None
        return body

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole answer."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not HTTP. It is the client's mistake, so it is never one of the 500s."""
        status = HTTPStatus(code) if code < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.BAD_REQUEST
        self.close_connection = True
        body = json.dumps({"__type": "BadRequest", "message": message or status.phrase}).encode()
        self.reply(status, body, {"Content-Type": "application/json"})

    def handle_expect_100(self) -> bool:
        """Tell a client that waits with its body to send it, now and not with the answer."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def log_message(self, *_: Any) -> None:
        """Stay silent: the journal has it all."""


class Server(ThreadingHTTPServer):
    """Serve one origin on loopback, within a ``with`` statement."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: Callable[..., Handler]) -> None:
        if not _is_loopback(host):
            raise ValueError(f"the emulator listens on loopback only, not on {host!r}")
        self._connections: dict[socket.socket, Thread] = {}
        self._lock = Lock()
        super().__init__((host, port), handler)
        self._address: tuple[str, int] = self.socket.getsockname()
        self._stopping = False
        self._thread = Thread(target=self._accept, daemon=True)

    @property
    def origin(self) -> str:
        """The address that clients use, such as ``http://127.0.0.1:5555``."""
        return "http://{}:{}".format(*self._address)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more requests, wait for the answers under way, and close everything."""
        self._stopping = True
        socket.create_connection(self._address).close()  # wakes the thread that accepts
        self._thread.join()
        self._end_connections(socket.SHUT_RD)  # no more requests: a thread ends with the answer it is at
        self._end_connections(socket.SHUT_RDWR)
        self.server_close()

    def _accept(self) -> None:
        """Give each connection a thread. Unlike ``serve_forever``, this ends without waiting for a poll."""
        while True:
            with suppress(OSError):  # a client may be gone before it is accepted
                connection, address = self.get_request()
                if self._stopping:
                    connection.close()
                    return
                self.process_request(connection, address)

    def _end_connections(self, how: int) -> None:
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(how)
        deadline = time.monotonic() + _PATIENCE
        for thread in connections.values():
            thread.join(max(0, deadline - time.monotonic()))

    # --- What socketserver calls ---

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as HTTPServer would."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread."""
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._lock:
            self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error in a connection's thread, unless it is only that the client has gone."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
