"""``python -m ecr_provider.emulator``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event
from typing import NoReturn

from ecr_provider.emulator import EcrEmulator, StoreError, Switches

_REQUESTS_KEPT = 10_000
_HIGHEST_PORT = 65_535


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, without the usage."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        emulator = _emulator(options).start()
    except ValueError as error:
        parser.error(str(error))
    except (OSError, StoreError) as error:
        sys.stderr.write(f"{parser.prog}: cannot serve on {options.host}:{options.port}: {error}\n")
        return 1
    with emulator:
        _announce(emulator, options.data_dir or "memory, gone at the end")
        stop.wait()
    return 0


def _parser() -> _Parser:
    parser = _Parser(prog="python -m ecr_provider.emulator", description="Run a local Amazon ECR.")
    parser.add_argument("--port", type=_port, default=5555, help="where to listen; 0 picks a free port (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument("--data-dir", help="keep everything there (by default it is gone at the end)")
    parser.add_argument(
        "--events-to",
        action="append",
        default=[],
        metavar="URL-OR-PATH",
        help="where EventBridge's events go: an SQS queue's URL, a webhook's on loopback, or a file; may be repeated",
    )
    parser.add_argument("--throttle", action="store_true", help="keep to Amazon ECR's request rates")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"a port is 0 to {_HIGHEST_PORT}, not {port}")
    return port


def _emulator(options: argparse.Namespace) -> EcrEmulator:
    return EcrEmulator(
        options.data_dir,
        options.port,
        host=options.host,
        switches=Switches(throttling=options.throttle),
        events_to=options.events_to,
        keep_requests=_REQUESTS_KEPT,
    )


def _announce(emulator: EcrEmulator, where: str) -> None:
    """Say where it is. Programs that start the command wait for the first line."""
    sys.stdout.write(
        f"ECR emulator ready at {emulator.endpoint_url} (data in {where})\n"
        f"export AIRFLOW_CONN_AWS_DEFAULT='{emulator.airflow_connection_uri()}'\n"
        f"To look inside: {emulator.endpoint_url}/\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
