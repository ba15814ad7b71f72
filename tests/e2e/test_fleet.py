"""Several machines: a full Airflow with PostgreSQL, Redis and two Celery workers, one of which dies."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from full_airflow import SETTINGS, free_port, wait_for
from local_ecr import ROOT
from real_clients import needs_client
from services import postgresql, redis

from demo.airflow import LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator, Request, Switches
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS, HAS_REACT_APPS

pytestmark = [
    needs_client("pg_ctlcluster", "postgresql"),
    needs_client("redis-server"),
    pytest.mark.timeout(600),  # seconds, with the start of it all
]

MANY, RELEASE, DEPLOY = "example_many_images", "example_gated_release", "example_gated_release_deploy"
SERVICES = [f"fleet/service-{number}" for number in range(4)]
IMAGES, SLOTS = 200, 4  # slots of each worker
WORKERS = ("worker-1", "worker-2")
_PATIENCE = 240  # seconds, for what takes longest

#: Imported by a worker once, instead of by each of its tasks: what docs/many-images.md recommends.
PRELOADED = """
import sys
from contextlib import suppress

if "celery" in sys.argv:
    with suppress(ImportError):  # before Airflow 3.2
        import airflow.dag_processing.dagbag
    import ecr_provider.ecr.put_image
    import ecr_provider.hooks.ecr
    import ecr_provider.operators.image
"""

FLEET = SETTINGS | {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "32",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
    # A worker that is not heard of for so long is dead, in seconds: Airflow's 300 are for real machines.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # What a dead worker took from Redis and did not start is queued again after so long.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


@pytest.fixture(scope="module")
def ecr() -> Iterator[EcrEmulator]:
    behind = [3600.0]  # seconds: the builds were pushed and scanned an hour ago
    with EcrEmulator(clock=lambda: time.time() - behind[0], switches=Switches(replication_seconds=1)) as emulator:
        push_builds(emulator)
        behind[0] = 0
        yield emulator


@pytest.fixture(scope="module")
def airflow(ecr: EcrEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "airflow_local_settings.py").write_text(PRELOADED)
    (home / "dags").mkdir()
    for name in (MANY, RELEASE) if HAS_PARTITIONED_EVENTS else (MANY,):
        shutil.copy(ROOT / "example_dags" / f"{name}.py", home / "dags")
    with postgresql() as database, redis() as broker:
        services = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": f"{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"{broker}/1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "PYTHONPATH": str(home),
        }
        settings = airflow_settings(home, ecr) | FLEET | services
        with LocalAirflow(home, settings, free_port(), WORKERS) as running:
            running.set_pool("ecr_put_image", 10)
            wait_for(running, "parsing the examples", lambda: running.dag_ids() >= {MANY})
            yield running


@pytest.fixture(scope="module")
def releases(ecr: EcrEmulator) -> dict[tuple[str, str], str]:
    """Two hundred releases: the digest that each tag is to have. Half of the tags are on an older image."""
    client, wanted = ecr.client(), {}
    for name in SERVICES:
        client.create_repository(repositoryName=name)
        for build in range(5):
            image = sample_image(files={"name": f"{name} {build}".encode()}, platforms=["linux/amd64"])
            push(client, name, image, f"build-{build}")
    for number in range(IMAGES):
        name, build = SERVICES[number % len(SERVICES)], number % 5
        image = sample_image(files={"name": f"{name} {build}".encode()}, platforms=["linux/amd64"])
        wanted[name, f"live-{number}"] = image.digest
        if number % 2:
            older = sample_image(files={"name": f"{name} {(build + 1) % 5}".encode()}, platforms=["linux/amd64"])
            client.put_image(repositoryName=name, imageManifest=older.text, imageTag=f"live-{number}")
    ecr.clear_requests()
    return wanted


class Hold:
    """Keep calls back, until they are let go: some that only look, and some that have put."""

    def __init__(self, ecr: EcrEmulator, looks: int, puts: int) -> None:
        self._held: list[float] = []
        self._let_go = threading.Event()
        # The first ones pass, so that it happens in the middle.
        ecr.faults.before("BatchGetImage", self._hold, skip=IMAGES // 4, times=looks)
        ecr.faults.after("PutImage", self._hold, skip=IMAGES // 4, times=puts)
        self._wanted = looks + puts

    def is_complete(self) -> bool:
        return len(self._held) == self._wanted

    def let_go(self) -> None:
        self._let_go.set()

    def _hold(self) -> None:
        self._held.append(time.time())
        self._let_go.wait(_PATIENCE)


def test_a_worker_that_dies_costs_no_release_and_makes_none_twice(
    airflow: LocalAirflow, ecr: EcrEmulator, releases: dict[tuple[str, str], str]
) -> None:
    # More of one kind than a worker has slots: each worker has some that have put.
    hold = Hold(ecr, looks=SLOTS - 1, puts=SLOTS + 1)
    wanted = [
        {"repository_name": name, "source_image_tag": f"build-{number % 5}", "image_tag": tag}
        for number, (name, tag) in enumerate(releases)
    ]
    run = airflow.trigger(MANY, releases=wanted)
    # All slots of both workers are in the middle of a promotion, before the look or right after the put.
    wait_for(airflow, "promotions by both workers", hold.is_complete)
    airflow.stop(WORKERS[0], signal.SIGKILL)
    died = time.time()
    hold.let_go()
    wait_for(airflow, "the end", lambda: airflow.run_state(MANY, run) in {"success", "failed"}, _PATIENCE)

    tasks = [each for each in airflow.task_instances(MANY, run) if each["task_id"] == "promote"]
    assert Counter(each["state"] for each in tasks) == {"success": IMAGES}
    assert {tag: digest for tag, digest in tags_of(ecr, *SERVICES).items() if tag in releases} == releases
    puts = [(tag_of(each), each.time) for each in ecr.requests if each.operation == "PutImage"]
    assert Counter(tag for tag, _ in puts) == dict.fromkeys(releases, 1)
    put_before = {tag for tag, at in puts if at < died}
    # What the dead worker had in hand, and nothing else, was tried again; what it had put was left as it was.
    again = [each["map_index"] for each in tasks if each["try_number"] > 1]
    assert len(again) == SLOTS
    results = [airflow.xcom(MANY, run, "promote", "return_value", index) for index in again]
    unchanged = {(each["repositoryName"], each["imageTag"]): each["outcome"] == "unchanged" for each in results}
    assert unchanged == {tag: tag in put_before for tag in unchanged}
    assert any(unchanged.values())
    # Every result is in XCom, by the order of the list, as the task after it got them.
    live = airflow.xcom(MANY, run, "live", "return_value")
    assert {tag: uri.rpartition("@")[2] for tag, uri in live.items()} == {
        f"{name}:{tag}": digest for (name, tag), digest in releases.items()
    }


@pytest.mark.skipif(not HAS_PARTITIONED_EVENTS, reason="this Airflow has no partitions of this kind")
def test_a_gated_release_and_the_deploy_that_it_starts_work_the_same(airflow: LocalAirflow, ecr: EcrEmulator) -> None:
    wanted = tags_of(ecr, "shop/web")["shop/web", "1.4.0"]
    run = airflow.trigger(RELEASE)
    wait_for(airflow, "the release", lambda: airflow.run_state(RELEASE, run) in {"success", "failed"})
    assert set(airflow.task_states(RELEASE, run).values()) == {"success"}
    assert tags_of(ecr, "shop/web")["shop/web", "prod"] == wanted
    wait_for(airflow, "the deploy", lambda: airflow.run_ids(DEPLOY))
    (deploy,) = airflow.run_ids(DEPLOY)
    wait_for(airflow, "its end", lambda: airflow.run_state(DEPLOY, deploy) in {"success", "failed"})
    assert airflow.xcom(DEPLOY, deploy, "deploy", "return_value").endswith(f"/shop/web@{wanted}")


@pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of others")
def test_the_releases_page_reads_them_from_postgresql(
    airflow: LocalAirflow, releases: dict[tuple[str, str], str]
) -> None:
    page = airflow.page("releases")
    found = {(each["repository_name"], each["image_tag"]): each for each in page["tags"]}
    assert {tag: found[tag]["image_digest"] for tag in releases} == releases
    run = found["shop/web", "prod"]["task"]
    steps = airflow.page(f"run?{urlencode({name: run[name] for name in ('dag_id', 'run_id')})}")
    assert [each["dag_id"] for each in steps["followers"]] == [DEPLOY]


def tag_of(put: Request) -> tuple[str, str]:
    return put.parameters["repositoryName"], put.parameters["imageTag"]


def tags_of(ecr: EcrEmulator, *repository_names: str) -> dict[tuple[str, str], str]:
    """Tell where all tags point, by the registry's own word."""
    describe = ecr.client().get_paginator("describe_images").paginate
    return {
        (name, tag): detail["imageDigest"]
        for name in repository_names
        for page in describe(repositoryName=name)
        for detail in page["imageDetails"]
        for tag in detail.get("imageTags", ())
    }
