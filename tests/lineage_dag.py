"""A release in a process of its own, for the events of OpenLineage: its listener is made when Airflow starts."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow_runs import run_dag
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.oci import Digest
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.operators.image_copy import EcrCopyImageOperator
from ecr_provider.sensors.image import EcrImageSensor
from ecr_provider.sensors.image_scan import EcrImageScanSensor

LOCKED = "shop/locked"


@task(trigger_rule="all_done")
def by_hand() -> None:
    """Release as a TaskFlow task does it, with the hook."""
    from ecr_provider.hooks.ecr import EcrImageHook

    hook = EcrImageHook()
    manifest = hook.get_image(REPOSITORY, image_tag="build-42")
    hook.put_image(REPOSITORY, manifest, image_tag="by-hand")
    hook.describe_image(REPOSITORY, image_digest=str(manifest.digest))


with DAG("lineage", schedule=None) as dag:
    seen = EcrImageSensor(task_id="seen", repository_name=REPOSITORY, image_tag="build-42")
    digest: Any = seen.output["imageDigest"]  # type: ignore[index]  # Airflow's idiom
    EcrPutImageOperator(
        task_id="put", repository_name=REPOSITORY, source_image_digest=digest, image_tags=["prod", "v1", "build-42"]
    )
    copied = EcrCopyImageOperator(
        task_id="copied",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        platforms=["linux/arm64"],
        repository_name=REPOSITORY,
        image_tag="prod",
        aws_conn_id="aws_prod",
        create_repository=True,
    )
    copied >> EcrCopyImageOperator(
        task_id="outdated",
        source_repository_name=REPOSITORY,
        source_image_digest=digest,
        repository_name=REPOSITORY,
        image_tag="prod",
        aws_conn_id="aws_prod",
        expected_current_digest=str(Digest.of(b"another")),
    )
    EcrImageScanSensor(
        task_id="vulnerable",
        repository_name=REPOSITORY,
        image_digest=digest,
        max_findings={"CRITICAL": 0},
        poke_interval=0.05,
        timeout=20,
        settle_time=0,
        deferrable=True,
    )
    EcrPutImageOperator(
        task_id="refused",
        repository_name=REPOSITORY,
        registry_id=ACCOUNT,
        source_image_tag="build-42",
        image_tag="guarded",
        expected_current_digest=str(Digest.of(b"another")),
    )
    EcrPutImageOperator(
        task_id="partial", repository_name=LOCKED, source_image_tag="build-7", image_tags=["v7", "taken", "v8"]
    )
    EcrPutImageOperator(task_id="unknown", repository_name=REPOSITORY, source_image_tag="no-such", image_tag="prod")
    # At the end: dag.test() has all tasks in one process, and what hooks read is collected for the process.
    [*dag.tasks] >> by_hand()

if __name__ == "__main__":
    run_dag(dag)
