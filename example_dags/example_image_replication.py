"""Replication: hold an image back until it is where it will be pulled."""

from __future__ import annotations

from airflow.sdk import DAG

from ecr_provider.sensors.image_replication import EcrImageReplicationSensor

REPOSITORY = "shop/web"

with DAG(
    "example_image_replication",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_image_replication]
    everywhere = EcrImageReplicationSensor(
        task_id="everywhere",
        repository_name=REPOSITORY,
        image_tag="build-42",
        timeout=3600,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_replication]

    # [START howto_sensor_ecr_image_replication_destinations]
    in_frankfurt = EcrImageReplicationSensor(
        task_id="in_frankfurt",
        repository_name=REPOSITORY,
        image_tag="build-42",
        destinations=["eu-central-1"],
        timeout=3600,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_replication_destinations]
