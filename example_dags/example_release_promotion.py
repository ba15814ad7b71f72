"""Release promotion: wait for a build, put it under ``prod``, and deploy exactly that image."""
# ruff: noqa: T201, PLC0415 - print is a task's log, and tasks import what they need

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image import EcrImageSensor

REPOSITORY = "{{ params.repository_name }}"

with DAG(
    "example_release_promotion",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    params={
        "repository_name": Param("shop/web", type="string", description="The ECR repository."),
        "build_tag": Param("build-42", type="string", description="The tag that the build pushed."),
    },
    doc_md=__doc__,
):
    # [START release_promotion]
    wait_for_build = EcrImageSensor(
        task_id="wait_for_build",
        repository_name=REPOSITORY,
        image_tag="{{ params.build_tag }}",
        platforms=["linux/amd64", "linux/arm64"],
        poke_interval=10,
        timeout=600,
        deferrable=True,
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        # The digest that the sensor saw, not the tag: what was waited for is what is promoted.
        source_image_digest=wait_for_build.output["imageDigest"],
        image_tag="prod",
    )

    @task
    def deploy(image_uri: str) -> str:
        """Deploy the image; ECS, Lambda, Batch and Kubernetes all take a reference that is pinned by digest."""
        print(f"Deploying {image_uri}")
        return image_uri

    @task
    def check(image: dict[str, Any]) -> None:
        """Check that the tag in the registry is the image that was deployed."""
        from ecr_provider.hooks.ecr import EcrImageHook

        detail = EcrImageHook().describe_image(image["repositoryName"], image_tag="prod")
        if str(detail.digest) != image["imageDigest"]:
            raise ValueError(f"prod points at {detail.digest}, but {image['imageDigest']} was deployed.")

    deploy(promote.output["imageUri"]) >> check(promote.output)
    # [END release_promotion]
