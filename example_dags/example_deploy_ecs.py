"""Deploy on Amazon ECS: wait for a build, hold it to its gate, promote it, and set a service to exactly that image."""
# ruff: noqa: PLC0415 - tasks import what they need

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.operators.ecs import EcsRegisterTaskDefinitionOperator
from airflow.sdk import DAG, task

from ecr_provider.operators.deploy_ecs import EcsUpdateServiceOperator
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image import EcrImageSensor
from ecr_provider.sensors.image_scan import EcrImageScanSensor

REPOSITORY = "shop/web"

# [START deploy_ecs]
with DAG(
    "example_deploy_ecs",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # one release after the other
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    build = EcrImageSensor(
        task_id="build",
        repository_name=REPOSITORY,
        image_tag="build-42",
        poke_interval=10,
        timeout=600,
        deferrable=True,
    )

    scan = EcrImageScanSensor(
        task_id="scan",
        repository_name=REPOSITORY,
        image_digest=build.output["imageDigest"],
        max_findings={"CRITICAL": 0, "HIGH": 5},
        poke_interval=10,
        timeout=1800,
        deferrable=True,
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        source_image_digest=scan.output["imageDigest"],
        image_tag="prod",
    )

    register = EcsRegisterTaskDefinitionOperator(
        task_id="register",
        family="web",
        container_definitions=[
            {"name": "web", "image": promote.output["imageUri"], "memory": 512, "essential": True},
        ],
    )

    # [START howto_operator_ecs_update_service]
    deploy = EcsUpdateServiceOperator(
        task_id="deploy",
        cluster="shop",
        service="web",
        task_definition=register.output,
        image_uri=promote.output["imageUri"],
        rollback_on_failure=True,
        deferrable=True,
    )
    # [END howto_operator_ecs_update_service]

    @task
    def check(deployed: dict[str, Any]) -> None:
        """Check from the other end that it is the tag's image that runs."""
        from ecr_provider.hooks.ecr import EcrImageHook

        prod = EcrImageHook().describe_image(REPOSITORY, image_tag="prod")
        if not deployed["imageUri"].endswith(f"@{prod.digest}"):
            raise ValueError(f"prod is {prod.digest}, and {deployed['imageUri']} was deployed.")

    checked = check(deploy.output)
    # [END deploy_ecs]

    # [START howto_operator_ecs_update_service_restart]
    restart = EcsUpdateServiceOperator(
        task_id="restart",
        cluster="shop",
        service="web",
        task_definition="web",  # the newest revision
        force_new_deployment=True,
    )
    # [END howto_operator_ecs_update_service_restart]

    # [START howto_operator_ecs_update_service_start]
    start = EcsUpdateServiceOperator(
        task_id="start",
        cluster="shop",
        service="web",
        task_definition=register.output,
        image_uri=promote.output["imageUri"],
        container_name="web",
        wait_for_completion=False,
    )
    # [END howto_operator_ecs_update_service_start]

    checked >> restart >> start
