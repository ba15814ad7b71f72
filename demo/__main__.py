"""Show the main job on a local ECR: ``python -m demo``. The exit status tells whether all went as it should."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.local import BUILD, EXAMPLES, airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator


@dataclass(frozen=True)
class Release:
    """What one run of the DAG did."""

    tasks: list[tuple[str, str, float]]
    image: dict[str, Any]
    calls: list[str]


def main() -> int:
    """Run the example DAG twice and print what happened."""
    started = time.monotonic()

    def step(text: str) -> None:
        print(f"[{time.monotonic() - started:4.1f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="ecr-demo-") as home, EcrEmulator() as ecr:
        step(f"a local ECR answers at {ecr.endpoint_url}")
        digest = push_builds(ecr)
        step(f"pushed images for two platforms; shop/web:prod is build-41, and {BUILD} is {digest}")
        step("starting Airflow: a temporary home, a new SQLite database")
        log = Path(home, "airflow.log")
        with quiet(log):
            dag = prepare_airflow(Path(home), ecr)
        step(f"running {dag.dag_id}: wait, put under prod, deploy, check (Airflow's log: {log})")
        first = release(dag, ecr, log)
        step("running it again: nothing is left to do")
        second = release(dag, ecr, log)
        show(first, second)
        problems = [*wrong(first, "moved", digest), *wrong(second, "unchanged", digest)]
        if problems:
            print(log.read_text(), file=sys.stderr)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    print(f"{'FAILED' if problems else 'OK'} after {time.monotonic() - started:.0f} s")
    return 1 if problems else 0


def prepare_airflow(home: Path, ecr: EcrEmulator) -> Any:
    """Make a database in ``home`` and return the example DAG."""
    os.environ |= airflow_settings(home, ecr)
    # Airflow reads its configuration when it is imported.
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    return DagBag(str(EXAMPLES)).dags["example_release_promotion"]


def release(dag: Any, ecr: EcrEmulator, log: Path) -> Release:
    """Run the DAG once, in a real Airflow run, and collect what it did."""
    ecr.clear_requests()
    with quiet(log):
        run = dag.test()
        instances = sorted(run.get_task_instances(), key=lambda instance: instance.start_date)
        image = instances[0].xcom_pull(task_ids="promote") or {}
    tasks = [(instance.task_id, str(instance.state), instance.duration) for instance in instances]
    return Release(tasks, image, ecr.calls)


def wrong(release: Release, outcome: str, digest: str) -> Iterator[str]:
    """Yield what is not as it should be."""
    for task, state, _ in release.tasks:
        if state != "success":
            yield f"task {task} is {state}"
    for name, expected in (("outcome", outcome), ("imageDigest", digest)):
        if (found := release.image.get(name)) != expected:
            yield f"{name} is {found}, not {expected}"


def show(*releases: Release) -> None:
    """Print a short summary for people."""
    for number, each in enumerate(releases, start=1):
        image = each.image
        print(f"\nRun {number}\n  {'task':<16}{'state':<10}seconds")
        for task, state, seconds in each.tasks:
            print(f"  {task:<16}{state:<10}{seconds:.2f}")
        print(f"  tag       {image.get('repositoryName')}:{image.get('imageTag')}, {image.get('outcome')}")
        print(f"  from      {image.get('previousImageDigest') or '(did not exist)'}")
        print(f"  to        {image.get('imageDigest')}")
        print(f"  deployed  {image.get('imageUri')}")
        print(f"  API calls {', '.join(f'{count} {call}' for call, count in Counter(each.calls).items())}")
    print()


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send everything that is printed within, by whatever means, to a file."""
    sys.stdout.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])


if __name__ == "__main__":
    sys.exit(main())
