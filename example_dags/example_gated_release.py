"""A gated release: the newest version, if it is scanned and signed, goes to prod, and from there to every Region."""
# ruff: noqa: T201 - print is a task's log

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, task

from ecr_provider.assets.ecr import EcrImageAsset
from ecr_provider.assets.events import latest_image
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_referrers import EcrImageReferrersSensor
from ecr_provider.sensors.image_replication import EcrImageReplicationSensor
from ecr_provider.sensors.image_scan import EcrImageScanSensor
from ecr_provider.sensors.newest_image import EcrNewestImageSensor

REPOSITORY = "shop/web"
PROD = EcrImageAsset(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:prod", partitioned=True)

# [START gated_release]
with DAG(
    "example_gated_release",
    schedule=None,  # or every ten minutes: a run that finds nothing newer skips the rest
    catchup=False,
    max_active_runs=1,  # one writer for prod
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    newest = EcrNewestImageSensor(
        task_id="newest",
        repository_name=REPOSITORY,
        semver_range=">=1.0, <2",
        only_if_newer_than="prod",
        timeout=0,
        soft_fail=True,
    )

    scan = EcrImageScanSensor(
        task_id="scan",
        repository_name=REPOSITORY,
        image_digest=newest.output["imageDigest"],
        max_findings={"CRITICAL": 0, "HIGH": 5},
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )

    signed = EcrImageReferrersSensor(
        task_id="signed",
        repository_name=REPOSITORY,
        image_digest=newest.output["imageDigest"],
        artifact_types=["application/vnd.example.signature"],
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        source_image_digest=scan.output["imageDigest"],
        image_tag="prod",
        outlets=[PROD],
    )

    signed >> promote
# [END gated_release]

# [START gated_release_deploy]
with DAG(
    "example_gated_release_deploy",
    schedule=PartitionedAssetTimetable(assets=PROD),
    catchup=False,
    max_active_runs=1,  # one release after the other
    tags=["example", "ecr"],
):

    @task(multiple_outputs=True)
    def release(triggering_asset_events: Any) -> dict[str, Any]:
        """Find out which image was released."""
        return latest_image(triggering_asset_events, PROD)

    @task
    def deploy(image_uri: str) -> str:
        """Deploy the image; ECS, Lambda, Batch and Kubernetes all take a reference that is pinned by digest."""
        print(f"Deploying {image_uri}")
        return image_uri

    released = release()

    replicated = EcrImageReplicationSensor(
        task_id="replicated",
        repository_name=REPOSITORY,
        image_digest=released["imageDigest"],
        timeout=3600,
        poke_interval=10,
        deferrable=True,
    )

    replicated >> deploy(released["imageUri"])
# [END gated_release_deploy]
