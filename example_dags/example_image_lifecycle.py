"""Lifecycle: make sure that neither a release nor the one before it will be deleted soon."""

from __future__ import annotations

from airflow.sdk import DAG

from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_lifecycle import EcrImageLifecycleSensor

REPOSITORY = "shop/web"

with DAG(
    "example_image_lifecycle",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_image_lifecycle]
    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        source_image_tag="build-42",
        image_tag="prod",
    )

    stays = EcrImageLifecycleSensor(
        task_id="stays",
        repository_name=REPOSITORY,
        image_digest=promote.output["imageDigest"],
        rollback_image_digest=promote.output["previousImageDigest"],
        days_ahead=14,
        pushes_ahead=20,
        timeout=600,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_lifecycle]
