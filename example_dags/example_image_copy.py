"""Copies: every way to bring an image into a repository."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from ecr_provider.operators.image import ABSENT
from ecr_provider.operators.image_copy import EcrCopyImageOperator

REPOSITORY = "shop/web"

with DAG(
    "example_image_copy",
    schedule=None,
    catchup=False,
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    # [START howto_operator_ecr_copy_image_account]
    to_production = EcrCopyImageOperator(
        task_id="to_production",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        repository_name=REPOSITORY,
        image_tag="prod",
        aws_conn_id="aws_prod",
        create_repository={"imageScanningConfiguration": {"scanOnPush": True}},
        execution_timeout=timedelta(hours=1),
        retries=3,
    )
    # [END howto_operator_ecr_copy_image_account]

    # [START howto_operator_ecr_copy_image_repository]
    to_released = EcrCopyImageOperator(
        task_id="to_released",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        repository_name="shop/released",
        image_tags=["v1.42.0", "latest"],
        create_repository=True,
    )
    # [END howto_operator_ecr_copy_image_repository]

    # [START howto_operator_ecr_copy_image_region]
    to_europe = EcrCopyImageOperator(
        task_id="to_europe",
        source_repository_name=REPOSITORY,
        source_image_digest=to_production.output["imageDigest"],
        repository_name=REPOSITORY,
        region_name="eu-central-1",
        create_repository=True,
    )
    # [END howto_operator_ecr_copy_image_region]

    # [START howto_operator_ecr_copy_image_replication]
    by_replication = EcrCopyImageOperator(
        task_id="by_replication",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        repository_name=REPOSITORY,
        image_tag="prod",
        region_name="eu-central-1",
        strategy="auto",
    )
    # [END howto_operator_ecr_copy_image_replication]

    # [START howto_operator_ecr_copy_image_upstream]
    from_upstream = EcrCopyImageOperator(
        task_id="from_upstream",
        # The connection says where the registry is, and who one is there.
        source_image="{{ conn.upstream_registry.host }}/tools/linter:2.1",
        source_conn_id="upstream_registry",
        repository_name="mirror/linter",
        image_tag="2.1",
        create_repository=True,
    )
    # [END howto_operator_ecr_copy_image_upstream]

    # [START howto_operator_ecr_copy_image_platforms]
    for_arm = EcrCopyImageOperator(
        task_id="for_arm",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        repository_name="shop/edge",
        image_tag="build-42",
        platforms=["linux/arm64"],
        create_repository=True,
    )
    # [END howto_operator_ecr_copy_image_platforms]

    # [START howto_operator_ecr_copy_image_guard]
    once_only = EcrCopyImageOperator(
        task_id="once_only",
        source_repository_name=REPOSITORY,
        source_image_tag="build-42",
        repository_name="shop/released",
        image_tag="release-42",
        expected_current_digest=ABSENT,
    )
    # [END howto_operator_ecr_copy_image_guard]

    to_production >> to_europe >> by_replication
    to_released >> once_only
