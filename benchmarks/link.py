"""A slow line to a server: ``python -m benchmarks.link``, on loopback, in a process of its own.

What goes in comes out later, and no faster than the line's rate. A connection's first bytes wait for a round trip
more, as it takes one to connect.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Queue
from threading import Lock, Thread
from typing import Final

_CHUNK: Final = 64 * 1024  # bytes that are forwarded at once
_BUFFER: Final = 128 * 1024  # bytes that the kernel may hold of each direction of either end


@dataclass(frozen=True, slots=True)
class Line:
    """What a line is like.

    :param delay: how long a byte takes, one way, in seconds.
    :param each: bytes a second of a connection, in each direction.
    :param total: bytes a second of all connections together, in each direction.
    """

    delay: float
    each: float = float("inf")
    total: float = float("inf")

    @property
    def chunks_in_flight(self) -> int:
        """How much of one direction of a connection the line holds: as much as comes through in a round trip."""
        return 1 + int(2 * self.delay * min(self.each, self.total) / _CHUNK)


@contextmanager
def slow(host: str, line: Line) -> Iterator[str]:
    """Lay a line to a server; yield where it begins."""
    command = [sys.executable, "-m", "benchmarks.link", host, *map(str, (line.delay, line.each, line.total))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class _Rate:
    """When bytes are through, if no more than a number of them gets through a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = Lock()
        self._free = 0.0

    def pass_through(self, size: int, at: float) -> float:
        with self._lock:
            self._free = max(self._free, at) + size / self._rate
            return self._free


class _Direction:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket, line: Line, total: _Rate, begins: float) -> None:
        self._source = source
        self._target = target
        self._delay = line.delay
        self._rates = (_Rate(line.each), total)
        self._begins = begins
        self._flying: Queue[tuple[float, bytes]] = Queue(line.chunks_in_flight)

    def run(self) -> None:
        Thread(target=self._take, daemon=True).start()
        Thread(target=self._give, daemon=True).start()

    def _take(self) -> None:
        chunk = b"-"
        while chunk:
            chunk = _received(self._source)
            now = max(time.monotonic(), self._begins)
            through = max(rate.pass_through(len(chunk), now) for rate in self._rates)
            self._flying.put((through + self._delay, chunk))

    def _give(self) -> None:
        chunk = b"-"
        while chunk:
            due, chunk = self._flying.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                self._target.sendall(chunk)
            except OSError:  # nobody wants it any more
                _end(self._source, socket.SHUT_RD)
        _end(self._target, socket.SHUT_WR)


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(_CHUNK)
    except OSError:
        return b""


def _end(side: socket.socket, way: int) -> None:
    with suppress(OSError):
        side.shutdown(way)


def _serve(server: socket.socket, address: tuple[str, int], line: Line) -> None:
    totals = (_Rate(line.total), _Rate(line.total))
    while True:
        near, _ = server.accept()
        far = socket.socket()
        for side in (near, far):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                side.setsockopt(socket.SOL_SOCKET, buffer, _BUFFER)
        far.connect(address)
        begins = time.monotonic() + 2 * line.delay
        for (source, target), total in zip(((near, far), (far, near)), totals, strict=True):
            _Direction(source, target, line, total, begins).run()


def main() -> None:
    """Print where the line begins, and forward until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.link")
    parser.add_argument("host")
    for name in ("delay", "each", "total"):
        parser.add_argument(name, type=float)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(f"127.0.0.1:{server.getsockname()[1]}", flush=True)
    name, _, port = options.host.partition(":")
    _serve(server, (name, int(port)), Line(options.delay, options.each, options.total))


if __name__ == "__main__":
    main()
