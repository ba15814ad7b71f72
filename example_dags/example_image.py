"""Images and tags: every way to put an image under a tag, and to wait for one."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import DAG, task

from ecr_provider.operators.image import ABSENT, EcrPutImageOperator
from ecr_provider.sensors.image import EcrImageSensor

# ruff: noqa: PLC0415, T201 - tasks import what they need, and print to their log

REPOSITORY = "shop/web"

with DAG(
    "example_image",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_sensor_ecr_image_tag]
    build = EcrImageSensor(
        task_id="build",
        repository_name=REPOSITORY,
        image_tag="build-42",
        poke_interval=10,
        timeout=600,
    )
    # [END howto_sensor_ecr_image_tag]

    # [START howto_sensor_ecr_image_platforms]
    both_platforms = EcrImageSensor(
        task_id="both_platforms",
        repository_name=REPOSITORY,
        image_tag="build-42",
        platforms=["linux/amd64", "linux/arm64"],
        poke_interval=10,
        timeout=600,
    )
    # [END howto_sensor_ecr_image_platforms]

    # [START howto_sensor_ecr_image_deferrable]
    nightly_build = EcrImageSensor(
        task_id="nightly_build",
        repository_name=REPOSITORY,
        image_tag="build-41",
        poke_interval=60,
        timeout=6 * 60 * 60,
        deferrable=True,
    )
    # [END howto_sensor_ecr_image_deferrable]

    # [START howto_operator_ecr_put_image_retag]
    retag = EcrPutImageOperator(
        task_id="retag",
        repository_name=REPOSITORY,
        source_image_tag="build-42",
        image_tag="staging",
    )
    # [END howto_operator_ecr_put_image_retag]

    # [START howto_sensor_ecr_image_digest]
    staging_is_build = EcrImageSensor(
        task_id="staging_is_build",
        repository_name=REPOSITORY,
        image_tag="staging",
        image_digest=build.output["imageDigest"],
        poke_interval=10,
        timeout=600,
    )
    # [END howto_sensor_ecr_image_digest]

    # [START howto_operator_ecr_put_image_several_tags]
    several_tags = EcrPutImageOperator(
        task_id="several_tags",
        repository_name=REPOSITORY,
        source_image_digest=build.output["imageDigest"],
        image_tags=["v1.42.0", "v1.42", "v1"],
    )
    # [END howto_operator_ecr_put_image_several_tags]

    # [START howto_operator_ecr_put_image_digest]
    only_this_image = EcrPutImageOperator(
        task_id="only_this_image",
        repository_name=REPOSITORY,
        source_image_tag="build-42",
        # Refuse, before anything is put, if build-42 was moved since the sensor saw it.
        image_digest=build.output["imageDigest"],
        image_tag="candidate",
    )
    # [END howto_operator_ecr_put_image_digest]

    # [START howto_operator_ecr_put_image_manifest]
    @task
    def annotate(image: dict[str, Any]) -> str:
        """Return the manifest of the image with an annotation: another image."""
        from ecr_provider.hooks.ecr import EcrImageHook

        hook = EcrImageHook()
        index = hook.get_image(REPOSITORY, image_digest=image["imageDigest"])
        annotations = {"org.opencontainers.image.version": "1.42.0"}
        return json.dumps(json.loads(index.text) | {"annotations": annotations})

    manifest = EcrPutImageOperator(
        task_id="manifest",
        repository_name=REPOSITORY,
        image_manifest=annotate(build.output),
        image_tag="annotated",
    )
    # [END howto_operator_ecr_put_image_manifest]

    # [START howto_operator_ecr_put_image_guard]
    prod_now = EcrImageSensor(
        task_id="prod_now",
        repository_name=REPOSITORY,
        image_tag="prod",
    )

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        source_image_digest=build.output["imageDigest"],
        image_tag="prod",
        # Refuse to move prod if somebody else has moved it in the meantime.
        expected_current_digest=prod_now.output["imageDigest"],
    )
    # [END howto_operator_ecr_put_image_guard]

    # [START howto_operator_ecr_put_image_absent]
    never_overwrite = EcrPutImageOperator(
        task_id="never_overwrite",
        repository_name=REPOSITORY,
        source_image_digest=build.output["imageDigest"],
        image_tag="release-42",
        expected_current_digest=ABSENT,
    )
    # [END howto_operator_ecr_put_image_absent]

    # [START howto_sensor_ecr_image_other_than]
    prod_moved = EcrImageSensor(
        task_id="prod_moved",
        repository_name=REPOSITORY,
        image_tag="prod",
        other_than_image_digest=nightly_build.output["imageDigest"],
        poke_interval=10,
        timeout=600,
    )
    # [END howto_sensor_ecr_image_other_than]

    # [START howto_operator_ecr_put_image_taskflow]
    @task
    def deploy(image_uri: str) -> str:
        """Deploy the image; the reference is pinned by digest."""
        print(f"Deploying {image_uri}")
        return image_uri

    deploy(promote.output["imageUri"])
    # [END howto_operator_ecr_put_image_taskflow]

    # [START howto_operator_ecr_put_image_mapped]
    services = EcrPutImageOperator.partial(
        task_id="services",
        image_tag="stable",
    ).expand_kwargs(
        [
            {"repository_name": "shop/web", "source_image_tag": "build-42"},
            {"repository_name": "shop/api", "source_image_tag": "build-42"},
            {"repository_name": "shop/worker", "source_image_tag": "build-41"},
        ]
    )
    # [END howto_operator_ecr_put_image_mapped]

    build >> both_platforms >> retag >> staging_is_build
    promote >> prod_moved
