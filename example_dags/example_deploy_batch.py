"""Run on AWS Batch: promote an image, register a job definition with exactly that, and run a job of it."""
# ruff: noqa: PLC0415 - tasks import what they need

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk import DAG, task

from ecr_provider.operators.image import EcrPutImageOperator

# [START deploy_batch]
with DAG(
    "example_deploy_batch",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name="shop/worker",
        source_image_tag="build-42",
        image_tag="prod",
    )

    @task
    def register(image_uri: str) -> str:
        """Register a revision of the job definition, and name it by its ARN: no other revision can be meant."""
        from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook

        batch: Any = BatchClientHook(aws_conn_id="aws_default").get_conn()
        answer = batch.register_job_definition(
            jobDefinitionName="nightly",
            type="container",
            containerProperties={"image": image_uri, "vcpus": 1, "memory": 512, "command": ["run"]},
        )
        return str(answer["jobDefinitionArn"])

    BatchOperator(
        task_id="run",
        job_name="nightly",
        job_queue="nightly",
        job_definition=register(promote.output["imageUri"]),
        region_name=None,  # that of the connection
    )
# [END deploy_batch]
