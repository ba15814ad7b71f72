"""A release before your eyes: a full Airflow with a local ECR and ECS, until it is told to stop.

``python -m demo.ui [--port N]``
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from demo.airflow import AirflowError, LocalAirflow
from demo.local import airflow_settings, push_builds
from demo.targets import deploy_targets
from ecr_provider.emulator import EcrEmulator

#: How old the builds are, in seconds: their findings have to settle for a minute, and somebody waits.
AGE = 35.0
DEPLOYED, APPROVED = "example_deploy_ecs", "example_approved_release"


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
    try:
        serve(port, stop)
    except AirflowError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def serve(port: int, stop: threading.Event) -> None:
    """Start everything, release something, and serve until told to stop."""
    with tempfile.TemporaryDirectory(prefix="ecr-ui-") as home, deploy_targets() as targets, aged_ecr() as ecr:
        print(f"A local ECR answers at {ecr.endpoint_url}; starting Airflow (about half a minute) …", flush=True)
        push_builds(ecr)
        ecr.advance(AGE)
        settings = airflow_settings(Path(home), ecr, targets)
        with LocalAirflow(Path(home), settings, port) as airflow:
            airflow.set_pool("ecr_put_image", 10)
            release(airflow, stop)
            print(f"Watch it at {airflow.url}/plugin/releases; press Ctrl-C to stop", flush=True)
            stop.wait()
            print("Stopping …", flush=True)


def aged_ecr() -> EcrEmulator:
    """Return a local ECR whose clock is behind, to push what is of age once it is put right."""
    return EcrEmulator(clock=lambda: time.time() - AGE)


def release(airflow: LocalAirflow, stop: threading.Event) -> None:
    """Begin a release that goes through to ECS, and one that waits for somebody's approval."""
    while not airflow.dag_ids() >= {DEPLOYED, APPROVED} and not stop.wait(0.5):
        pass
    if not stop.is_set():
        airflow.trigger(DEPLOYED)
        airflow.trigger(APPROVED, repository_name="shop/api")
        print("A release of shop/web is on its way to ECS; one of shop/api waits for your approval", flush=True)


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
