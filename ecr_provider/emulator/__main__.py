"""``python -m ecr_provider.emulator``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event
from typing import NoReturn

from ecr_provider.emulator import EcrEmulator, StoreError

_REQUESTS_KEPT = 0  # nobody can ask this process for them


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, without the usage."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        emulator = EcrEmulator(options.data_dir, options.port, host=options.host, keep_requests=_REQUESTS_KEPT)
        emulator.start()
    except (OSError, OverflowError, ValueError, StoreError) as error:
        sys.stderr.write(f"ecr_provider.emulator: cannot serve on {options.host}:{options.port}: {error}\n")
        return 1
    with emulator:
        where = options.data_dir or "memory, gone at the end"
        sys.stdout.write(f"ECR emulator ready at {emulator.endpoint_url} (data in {where})\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _parser() -> _Parser:
    parser = _Parser(prog="python -m ecr_provider.emulator", description="Run a local Amazon ECR.")
    parser.add_argument("--port", type=int, default=5555, help="where to listen; 0 picks a free port (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument("--data-dir", help="keep everything there (by default it is gone at the end)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
