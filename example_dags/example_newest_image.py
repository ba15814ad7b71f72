"""The newest image: find what to release by the tags that a repository holds."""

from __future__ import annotations

from airflow.sdk import DAG

from ecr_provider.sensors.newest_image import EcrNewestImageSensor

REPOSITORY = "shop/web"

with DAG(
    "example_newest_image",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_newest_image_semver]
    newest_version = EcrNewestImageSensor(
        task_id="newest_version",
        repository_name=REPOSITORY,
        order="semver",
        semver_range=">=1.0, <2",
        timeout=600,
    )
    # [END howto_sensor_ecr_newest_image_semver]

    # [START howto_sensor_ecr_newest_image_numeric]
    newest_build = EcrNewestImageSensor(
        task_id="newest_build",
        repository_name=REPOSITORY,
        order="numeric",
        tag_pattern=r"build-(\d+)",
        timeout=600,
    )
    # [END howto_sensor_ecr_newest_image_numeric]

    # [START howto_sensor_ecr_newest_image_newer]
    something_newer = EcrNewestImageSensor(
        task_id="something_newer",
        repository_name=REPOSITORY,
        order="semver",
        only_if_newer_than="prod",
        # One look: a scheduled run that finds nothing newer skips the rest.
        timeout=0,
        soft_fail=True,
    )
    # [END howto_sensor_ecr_newest_image_newer]
