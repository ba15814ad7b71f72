"""HTTP on loopback: connections that are kept alive, one thread each, and a stop that waits for answers."""

from __future__ import annotations

import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any, Self

from ecr_provider.emulator.errors import ConnectionCutError
from ecr_provider.emulator.serving.body import Body
from ecr_provider.emulator.serving.damage import UNHARMED, Damage

_PATIENCE = 5  # seconds that a stop waits for answers under way
_MOST_DIGITS = 18  # of a length


class Handler(BaseHTTPRequestHandler):
    """Leads each request to the door whose path it begins with: the longest such path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: an answer's head and body leave in one packet
    rbufsize = 128 * 1024  # several of the chunks that Go's clients send; what asks for more reads past it

    _proceed: Callable[[], None] | None = None
    """Tells the client to send its body, if it waits for that (RFC 9110, 10.1.1)."""

    def __init__(self, doors: Mapping[str, Door], *args: Any) -> None:
        self._doors = doors
        super().__init__(*args)  # serves the connection to its end

    def parse_request(self) -> bool:
        """Read a request's head. What is asked of a proxy is asked of this server (RFC 9112, 3.2.2)."""
        if not super().parse_request():
            return False
        if self.path.startswith("http://"):
            host, slash, path = self.path.removeprefix("http://").partition("/")
            self.path = slash + path
            del self.headers["Host"]
            self.headers["Host"] = host
        return True

    def do_POST(self) -> None:
        """Answer a request of any method, or close the connection where a fault wants that."""
        prefix = max((prefix for prefix in self._doors if self.path.startswith(prefix)), key=len, default="")
        try:
            self._doors[prefix](self)
        except ConnectionCutError:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815 - http.server finds them so

    def body(self, largest: int) -> bytes | None:
        """Read the body, or refuse the request and return None: one that does not say its length, too.

        Raises ConnectionCutError if the client breaks off.
        """
        body = self.stream()
        if body is None:
            return None
        if body.length is None:
            self.send_error(HTTPStatus.LENGTH_REQUIRED, "A Content-Length is required")
            return None
        if body.length > largest:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {largest} bytes at most")
            return None
        return body.read(largest)

    def stream(self) -> Body | None:
        """Return the body, to be read as it comes, or refuse the request and return None."""
        length = self.headers.get("Content-Length", "0")
        encoding = self.headers.get("Transfer-Encoding")
        proceed, self._proceed = self._proceed, None
        if encoding is not None and encoding.lower() == "chunked":
            return Body(self.rfile, None, proceed)
        if encoding is not None or not (length.isascii() and length.isdigit()):
            self.send_error(HTTPStatus.LENGTH_REQUIRED, "A Content-Length is required")
            return None
        if len(length) > _MOST_DIGITS:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        return Body(self.rfile, int(length), proceed)

    def reply(self, status: int, body: bytes, headers: Mapping[str, str], damage: Damage = UNHARMED) -> None:
        """Send a whole answer, without its body to a HEAD.

        Raises ConnectionCutError where the damage is a cut.
        """
        self.head(status, damage.announced(len(body)), headers)
        if self.command != "HEAD":
            self.wfile.writelines(damage.leaving([body], len(body)))

    def head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        """Send an answer's head. ``Content-Length`` is the given one unless the headers say otherwise."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not HTTP. It is the client's mistake, so it is never one of the 500s."""
        status = HTTPStatus(code) if code < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.BAD_REQUEST
        self.close_connection = True
        body = json.dumps({"__type": "BadRequest", "message": message or status.phrase}).encode()
        self.reply(status, body, {"Content-Type": "application/json"})

    def handle_expect_100(self) -> bool:
        """Let a client that waits with its body wait until the body is wanted."""
        self._proceed = self._send_continue
        return True

    def _send_continue(self) -> None:
        self.send_response_only(HTTPStatus.CONTINUE)
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Stay silent: the journal has it all."""


Door = Callable[[Handler], None]
"""Answers a request."""


class Server(ThreadingHTTPServer):
    """Serves one origin on loopback, within a ``with`` statement.

    :param doors: what answers, by the beginning of the path; "" for all other paths.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, doors: Mapping[str, Door]) -> None:
        if not is_loopback(host):
            raise ValueError(f"the emulator listens on loopback only, not on {host!r}")
        self._connections: dict[socket.socket, Thread] = {}
        self._lock = Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), partial(Handler, doors))
        self._address: tuple[str, int] = self.socket.getsockname()[:2]
        self._stopping = False
        self._thread = Thread(target=self._accept, daemon=True)

    @property
    def origin(self) -> str:
        """The address that clients use, such as ``http://127.0.0.1:5555``."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

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


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address means this machine, and no other can make itself mean it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
