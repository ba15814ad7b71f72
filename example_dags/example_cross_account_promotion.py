"""Promotion across accounts: an image that was built in one account goes to production in another one and its Region.

The connection ``aws_default`` reads the account that builds, and ``aws_prod`` writes to the one that runs.
"""
# ruff: noqa: T201, PLC0415 - print is a task's log, and tasks import what they need

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from ecr_provider.operators.image_copy import EcrCopyImageOperator
from ecr_provider.sensors.image import EcrImageSensor

REPOSITORY = "{{ params.repository_name }}"

with DAG(
    "example_cross_account_promotion",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    params={
        "repository_name": Param("shop/web", type="string", description="The ECR repository, in both accounts."),
        "build_tag": Param("build-42", type="string", description="The tag that the build pushed."),
    },
    doc_md=__doc__,
):
    # [START cross_account_promotion]
    wait_for_build = EcrImageSensor(
        task_id="wait_for_build",
        repository_name=REPOSITORY,
        image_tag="{{ params.build_tag }}",
        platforms=["linux/amd64", "linux/arm64"],
        poke_interval=10,
        timeout=600,
        deferrable=True,
    )

    promote = EcrCopyImageOperator(
        task_id="promote",
        source_repository_name=REPOSITORY,
        source_image_tag="{{ params.build_tag }}",
        # What was waited for is what is promoted, or nothing is.
        source_image_digest=wait_for_build.output["imageDigest"],
        repository_name=REPOSITORY,
        image_tags=["{{ params.build_tag }}", "prod"],
        aws_conn_id="aws_prod",
        create_repository=True,
    )

    @task
    def deploy(image_uri: str) -> str:
        """Deploy the image, from the account that runs it."""
        print(f"Deploying {image_uri}")
        return image_uri

    @task
    def check(image: dict[str, Any]) -> None:
        """Check that production's tag is the image that was deployed, and that its signatures came along."""
        from ecr_provider.hooks.ecr import EcrImageHook

        detail = EcrImageHook("aws_prod").describe_image(image["repositoryName"], image_tag="prod")
        if str(detail.digest) != image["imageDigest"]:
            raise ValueError(f"prod points at {detail.digest}, but {image['imageDigest']} was deployed.")
        print(f"prod is {detail.digest}, with {image['copy']['referrers']} signatures and the like")

    deploy(promote.output["imageUri"]) >> check(promote.output)
    # [END cross_account_promotion]
