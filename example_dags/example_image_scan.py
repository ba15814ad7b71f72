"""Scans: hold an image back that has too many vulnerabilities."""

from __future__ import annotations

from airflow.sdk import DAG

from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_scan import EcrImageScanSensor

REPOSITORY = "shop/web"

with DAG(
    "example_image_scan",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_image_scan]
    scan = EcrImageScanSensor(
        task_id="scan",
        repository_name=REPOSITORY,
        image_tag="build-42",
        max_findings={"CRITICAL": 0, "HIGH": 5},
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        # What was scanned, wherever the tag points by now.
        source_image_digest=scan.output["imageDigest"],
        image_tag="scanned",
    )
    # [END howto_sensor_ecr_image_scan]

    # [START howto_sensor_ecr_image_scan_ignore]
    with_exceptions = EcrImageScanSensor(
        task_id="with_exceptions",
        repository_name=REPOSITORY,
        image_tag="build-42",
        max_findings={"CRITICAL": 0, "HIGH": 0},
        ignore={
            "CVE-2026-1234": "2026-12-31",  # not reachable in our configuration; looked at again next year
            "CVE-2026-4321": None,  # disputed by the package's authors
        },
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_scan_ignore]

    # [START howto_sensor_ecr_image_scan_start]
    by_hand = EcrImageScanSensor(
        task_id="by_hand",
        repository_name=REPOSITORY,
        image_tag="build-42",
        start_scan=True,
        on_state={"UNSUPPORTED_IMAGE": "pass"},
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_scan_start]
