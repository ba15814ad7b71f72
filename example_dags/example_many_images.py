"""Many images: a list of releases, a task for each, within ECR's quota, on any number of workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from ecr_provider.operators.image import EcrPutImageOperator

RELEASES = [
    {"repository_name": "shop/web", "source_image_tag": "build-42", "image_tag": "live"},
    {"repository_name": "shop/api", "source_image_tag": "build-42", "image_tag": "live"},
    {"repository_name": "shop/worker", "source_image_tag": "build-41", "image_tag": "live"},
]

with DAG(
    "example_many_images",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # one writer for each tag
    tags=["example", "ecr"],
    params={"releases": Param(RELEASES, type="array", description="What to put where, in the operator's words.")},
    doc_md=__doc__,
):

    @task
    def releases(params: dict[str, Any]) -> list[dict[str, str]]:
        """Return what to put where; in life, it stands in a file or in the answer of a build system."""
        wanted: list[dict[str, str]] = params["releases"]
        return wanted

    # [START howto_many_images]
    promote = EcrPutImageOperator.partial(
        task_id="promote",
        pool="ecr_put_image",  # shared by all tasks of all DAGs that put images in this account and Region
        max_active_tis_per_dagrun=8,  # which leaves places in the pool to the release that cannot wait
        retries=3,  # for a worker that dies; where ECR throttles, the task waits for its turn by itself
        retry_delay=timedelta(seconds=10),
        multiple_outputs=False,  # one XCom for each image, instead of one for each of its keys as well
    ).expand_kwargs(releases())

    @task(multiple_outputs=False)
    def live(images: list[dict[str, Any]]) -> dict[str, str]:
        """Return which image each tag names now: a reference that is pinned by digest."""
        return {f"{image['repositoryName']}:{image['imageTag']}": image["imageUri"] for image in images}

    live(promote.output)
    # [END howto_many_images]
