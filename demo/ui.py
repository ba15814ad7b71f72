"""A full Airflow with a local ECR and the example DAGs, until it is told to stop: ``python -m demo.ui [--port N]``."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from demo.airflow import AirflowError, LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="where Airflow's UI answers, on 127.0.0.1")
    port = parser.parse_args().port
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    if not is_free(port):
        print(f"Port {port} is taken. Choose another: python -m demo.ui --port N", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="ecr-ui-") as home, EcrEmulator() as ecr:
        print(f"A local ECR answers at {ecr.endpoint_url}; starting Airflow (about half a minute) …", flush=True)
        push_builds(ecr)
        try:
            with LocalAirflow(Path(home), airflow_settings(Path(home), ecr), port) as airflow:
                airflow.set_pool("ecr_put_image", 10)
                print(f"Airflow is at {airflow.url}/dags/example_release_promotion; press Ctrl-C to stop", flush=True)
                stop.wait()
                print("Stopping …", flush=True)
        except AirflowError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def is_free(port: int) -> bool:
    """Tell whether the port can be had on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
