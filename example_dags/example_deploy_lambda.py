"""Deploy on AWS Lambda: promote the image of one platform, and give it to a function."""
# ruff: noqa: PLC0415 - tasks import what they need

from __future__ import annotations

from airflow.sdk import DAG, task

from ecr_provider.operators.deploy_lambda import LambdaUpdateFunctionCodeOperator
from ecr_provider.operators.image import EcrPutImageOperator

REPOSITORY = "shop/web"

# [START deploy_lambda]
with DAG(
    "example_deploy_lambda",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # one release after the other
    tags=["example", "ecr"],
    doc_md=__doc__,
):

    @task
    def for_platform(image_tag: str, platform: str) -> str:
        """Find the image of one platform in an index: Lambda takes no index."""
        from ecr_provider.hooks.ecr import EcrImageHook
        from ecr_provider.oci import ImageIndex

        image = EcrImageHook().get_image(REPOSITORY, image_tag=image_tag)
        if not isinstance(image, ImageIndex):
            return str(image.digest)
        return next(str(each.digest) for each in image.manifests if str(each.platform) == platform)

    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name=REPOSITORY,
        source_image_digest=for_platform("build-42", "linux/amd64"),
        image_tag="prod-lambda",
    )

    # [START howto_operator_lambda_update_function_code]
    deploy = LambdaUpdateFunctionCodeOperator(
        task_id="deploy",
        function_name="thumbnails",
        image_uri=promote.output["imageUri"],
        publish=True,
        rollback_on_failure=True,
        deferrable=True,
    )
    # [END howto_operator_lambda_update_function_code]
# [END deploy_lambda]
