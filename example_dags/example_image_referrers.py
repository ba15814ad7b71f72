"""Referrers: hold an image back until its signatures, SBOMs and attestations are there."""

from __future__ import annotations

from airflow.sdk import DAG

from ecr_provider.sensors.image_referrers import EcrImageReferrersSensor

REPOSITORY = "shop/web"

with DAG(
    "example_image_referrers",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_image_referrers]
    signed = EcrImageReferrersSensor(
        task_id="signed",
        repository_name=REPOSITORY,
        image_tag="build-42",
        artifact_types=["application/vnd.example.signature"],
        timeout=600,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_referrers]

    # [START howto_sensor_ecr_image_referrers_managed]
    signed_by_ecr = EcrImageReferrersSensor(
        task_id="signed_by_ecr",
        repository_name=REPOSITORY,
        image_tag="build-42",
        managed_signing=True,
        timeout=600,
        poke_interval=10,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_referrers_managed]
