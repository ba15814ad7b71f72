"""Releases that start by themselves, in a full Airflow: none lost, none out of order, none that is not wanted."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from full_airflow import SETTINGS, free_port, wait_for
from local_ecr import ROOT
from real_clients import needs_client, run, write_directory
from registry_client import credentials_of

from demo.airflow import LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator, Switches
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS

pytestmark = pytest.mark.skipif(not HAS_PARTITIONED_EVENTS, reason="this Airflow has no partitions of this kind")

DAGS = ("example_gated_release", "example_gated_release_deploy", "example_image_events", "promote_nine", "deploy_each")


@pytest.fixture(scope="module")
def ecr() -> Iterator[EcrEmulator]:
    with EcrEmulator(switches=Switches(replication_seconds=1)) as emulator:
        push_builds(emulator)
        emulator.advance(3600)
        yield emulator


@pytest.fixture(scope="module")
def airflow(ecr: EcrEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    dags.mkdir()
    for path in (*(ROOT / "example_dags").glob("example_*.py"), ROOT / "tests/e2e/dags/bursts.py"):
        shutil.copy(path, dags)
    settings = airflow_settings(home, ecr) | SETTINGS | {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    with LocalAirflow(home, settings, free_port()) as running:
        wait_for(running, "parsing the DAGs", lambda: running.dag_ids() >= set(DAGS))
        yield running


def digest_of(ecr: EcrEmulator, repository_name: str, tag: str) -> str:
    images = ecr.client().describe_images(repositoryName=repository_name, imageIds=[{"imageTag": tag}])["imageDetails"]
    return images[0]["imageDigest"]


def has_ended(airflow: LocalAirflow, dag_id: str, run_id: str) -> bool:
    return airflow.run_state(dag_id, run_id) in {"success", "failed"}


def deployed(airflow: LocalAirflow, dag_id: str) -> list[str]:
    """What the runs of a DAG deployed, in the order in which they ran."""
    runs = airflow.run_ids(dag_id)
    if not all(has_ended(airflow, dag_id, each) for each in runs):
        return []
    return [airflow.xcom(dag_id, each, "deploy", "return_value") for each in runs]


def test_an_image_with_a_critical_finding_never_gets_the_tag(airflow: LocalAirflow, ecr: EcrEmulator) -> None:
    dag, before = "example_gated_release", digest_of(ecr, "shop/web", "prod")
    ecr.scans.script(repository_name="shop/web", findings={"CRITICAL": 1})
    run_id = airflow.trigger(dag)
    wait_for(airflow, "the refusal", lambda: has_ended(airflow, dag, run_id))
    assert airflow.task_states(dag, run_id) == {
        "newest": "success",
        "scan": "failed",
        "signed": "success",
        "promote": "upstream_failed",
    }
    assert airflow.xcom(dag, run_id, "scan", "findingSeverityCounts") == {"CRITICAL": 1}
    assert digest_of(ecr, "shop/web", "prod") == before
    assert airflow.run_ids("example_gated_release_deploy") == []


def test_an_image_that_passes_all_gates_is_deployed_by_its_digest(airflow: LocalAirflow, ecr: EcrEmulator) -> None:
    dag, wanted = "example_gated_release", digest_of(ecr, "shop/web", "1.4.0")
    ecr.scans.clear()
    run_id = airflow.trigger(dag)
    wait_for(airflow, "the release", lambda: has_ended(airflow, dag, run_id))
    assert digest_of(ecr, "shop/web", "prod") == wanted
    wait_for(airflow, "the deploy", lambda: deployed(airflow, "example_gated_release_deploy"))
    (image_uri,) = deployed(airflow, "example_gated_release_deploy")
    assert image_uri.endswith(f"/shop/web@{wanted}")


def test_nine_promotions_in_a_burst_make_nine_deploys_in_order(airflow: LocalAirflow, ecr: EcrEmulator) -> None:
    images = {number: sample_image(files={"name": f"burst {number}".encode()}) for number in range(1, 6)}
    for number, image in images.items():
        push(ecr.client(), "shop/api", image, f"burst-{number}")
    promoted = [images[number].digest for number in (1, 2, 3, 1, 2, 1, 4, 5, 4)]
    run_id = airflow.trigger("promote_nine")
    wait_for(airflow, "the promotions", lambda: has_ended(airflow, "promote_nine", run_id))
    wait_for(airflow, "the deploys", lambda: len(deployed(airflow, "deploy_each")) >= len(promoted))
    assert deployed(airflow, "deploy_each") == promoted
    # Airflow makes fewer runs of these, and each took the newest.
    wait_for(airflow, "the newest deploy", lambda: deployed(airflow, "deploy_newest"))
    assert deployed(airflow, "deploy_newest")[-1] == promoted[-1]


@needs_client("skopeo")
def test_a_push_from_outside_starts_a_dag_also_one_that_no_triggerer_saw(
    airflow: LocalAirflow, ecr: EcrEmulator, tmp_path: Path
) -> None:
    dag = "example_image_events"
    registry, credentials = ecr.endpoint_url.removeprefix("http://"), credentials_of(ecr.client())

    def push_by_skopeo(name: str) -> str:
        image = sample_image(files={"name": name.encode()})
        options = ("--dest-tls-verify=false", f"--dest-creds={credentials}", "--all", "--preserve-digests")
        source = write_directory(tmp_path / name, image)
        run("skopeo", "--insecure-policy", "copy", *options, source, f"docker://{registry}/shop/web:staging")
        return image.digest

    wait_for(airflow, "the first look", lambda: "DescribeImages" in ecr.calls)
    first = push_by_skopeo("first")
    wait_for(airflow, "the first deploy", lambda: deployed(airflow, dag))
    assert deployed(airflow, dag)[-1].endswith(first)

    airflow.stop("triggerer", signal.SIGKILL)
    second = push_by_skopeo("second")
    airflow.start("triggerer")
    wait_for(airflow, "the second deploy", lambda: len(deployed(airflow, dag)) > 1)
    assert [uri.rpartition("@")[2] for uri in deployed(airflow, dag)] == [first, second]
