"""A full Airflow on loopback: API server, scheduler, DAG processor, triggerer, workers, each a process of its own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
#: How long all components may take to report that they are well, in seconds.
PATIENCE = 180
#: What other settings may change.
DEFAULTS = {
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    # Seconds for which a slot may stay taken after its task has ended; Airflow's 5 are more than most tasks here take.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}
_PAGE = 100


class AirflowError(Exception):
    """Airflow did not do what it should; the message ends with its log."""


class LocalAirflow:
    """An Airflow that anybody on this machine may use as its admin, and nobody else can reach.

    :param home: a folder of its own, for the database and the logs.
    :param settings: environment variables for Airflow.
    :param port: where the UI and the API answer, on 127.0.0.1.
    :param workers: names of Celery workers, for an executor that needs them.
    """

    def __init__(self, home: Path, settings: dict[str, str], port: int, workers: Sequence[str] = ()) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self._components = COMPONENTS | {name: _celery_worker(name) for name in workers}
        self._environment = (
            os.environ
            | DEFAULTS
            | settings
            | {
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(port),
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
            }
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token: str | None = None

    def __enter__(self) -> Self:
        """Make the database, start everything, and wait until it is well."""
        try:
            self._run("db", "migrate")
            for name in self._components:
                self.start(name)
            self._wait_until_healthy()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, children of the components included."""
        for process in self._processes.values():
            _signal(process.pid, signal.SIGTERM)
        for name in list(self._processes):
            self.stop(name, patience=2)  # a triggerer takes twelve seconds to end, of which nobody has anything here

    def start(self, name: str) -> None:
        """Start a component in a session of its own."""
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *self._components[name]],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM, patience: float = 10) -> None:
        """Stop a component and all that it started, tasks included, whatever process groups these are in.

        :param patience: how long it may take to end by itself, in seconds.
        """
        process = self._processes.pop(name)
        for each in (how, signal.SIGKILL):
            _signal(process.pid, each)
            deadline = time.monotonic() + patience
            while (process.poll() is None or any(_members(process.pid))) and time.monotonic() < deadline:
                time.sleep(0.05)

    def set_pool(self, name: str, slots: int) -> None:
        """Make a pool."""
        self._call("POST", "pools", {"name": name, "slots": slots})

    def trigger(self, dag_id: str, **params: Any) -> str:
        """Start a run of a DAG, by the REST API; return its id."""
        run = self._call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": params})
        return str(run["dag_run_id"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of every task of a run; of a mapped one, that of any of its instances."""
        return {each["task_id"]: each["state"] for each in self.task_instances(dag_id, run_id)}

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return every task instance of a run, in the words of the REST API."""
        found: list[dict[str, Any]] = []
        while True:
            path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit={_PAGE}&offset={len(found)}"
            answer = self._call("GET", path)
            found += answer["task_instances"]
            if len(found) >= answer["total_entries"]:
                return found

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """Return what a task pushed."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._call("GET", f"{path}?map_index={map_index}")["value"]

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the runs of a DAG, in the order in which they started."""
        answer = self._call("GET", f"dags/{dag_id}/dagRuns?order_by=start_date&limit=100")
        return [run["dag_run_id"] for run in answer["dag_runs"]]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def dag_ids(self) -> set[str]:
        """Return the DAGs that Airflow knows."""
        return {each["dag_id"] for each in self._call("GET", "dags")["dags"]}

    def page(self, path: str) -> Any:
        """Return what a page of this package gets from the API server, as JSON."""
        return self._request("GET", f"/ecr/api/{path}")

    def logs(self) -> str:
        """Return the end of every component's log."""
        tails = {
            name: self._log(name).read_text(errors="replace")[-3000:]
            for name in self._components
            if self._log(name).exists()
        }
        return "\n".join(f"--- {name}\n{tail}" for name, tail in tails.items())

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AirflowError(f"airflow {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._is_healthy():
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise AirflowError(f"Airflow did not start ({', '.join(dead) or 'it took too long'}).\n{self.logs()}")
            time.sleep(0.5)

    def _is_healthy(self) -> bool:
        try:
            health = self._call("GET", "monitor/health")
        except httpx.HTTPError:
            return False
        components = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        return all(health[name] and health[name]["status"] == "healthy" for name in components)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._request(method, f"/api/v2/{path}", body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            if self._token is None:
                self._token = client.get("/auth/token").raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            return client.request(method, path, json=body, headers=headers).raise_for_status().json()

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"


def _celery_worker(name: str) -> list[str]:
    return ["celery", "worker", "--celery-hostname", f"{name}@%h", "--skip-serve-logs"]


def _signal(session: int, how: signal.Signals) -> None:
    # Those that are killed stand still first: on a machine that loses its power, none reports the death of another.
    for each in (signal.SIGSTOP, how) if how == signal.SIGKILL else (how,):
        for pid in _members(session):
            with suppress(ProcessLookupError):
                os.kill(pid, each)


def _members(session: int) -> Iterator[int]:
    """Find the processes of a session that have not ended. Airflow gives each task a process group of its own."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, sid, *_ = status.read_text().rpartition(")")[2].split()
            if int(sid) == session and state != "Z":
                yield int(status.parent.name)
