"""An approved release: a person sees what is to go to prod, and says yes or no."""
# ruff: noqa: T201 - print is a task's log

from __future__ import annotations

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_scan import EcrImageScanSensor

REPOSITORY = "{{ params.repository_name }}"

with DAG(
    "example_approved_release",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    params={
        "repository_name": Param("shop/web", type="string", description="The ECR repository, without the registry."),
        "build_tag": Param("build-42", type="string", description="The tag that the build pushed."),
    },
    doc_md=__doc__,
):
    # [START approved_release]
    scan = EcrImageScanSensor(
        task_id="scan",
        repository_name=REPOSITORY,
        image_tag="{{ params.build_tag }}",
        max_findings={"CRITICAL": 0},
        timeout=1800,
        poke_interval=10,
        deferrable=True,
    )

    approve = ApprovalOperator(
        task_id="approve",
        subject="Put {{ params.repository_name }}:{{ params.build_tag }} under prod?",
        body=(
            'Image: `{{ ti.xcom_pull(task_ids="scan", key="imageUri") }}`\n\n'
            'Findings: {{ ti.xcom_pull(task_ids="scan", key="findingSeverityCounts") or "none" }}'
        ),
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        # What was scanned, and what the person saw, is what is released: whoever moves the tag meanwhile.
        source_image_digest=scan.output["imageDigest"],
        image_tag="prod",
    )
    # [END approved_release]

    @task
    def deploy(image_uri: str) -> str:
        """Deploy the image; the reference is pinned by digest."""
        print(f"Deploying {image_uri}")
        return image_uri

    scan >> approve >> promote
    deploy(promote.output["imageUri"])
