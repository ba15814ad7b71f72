"""Deploy on Kubernetes: promote an image, and render a manifest that names exactly that."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from ecr_provider.operators.image import EcrPutImageOperator

# [START deploy_eks]
with DAG(
    "example_deploy_eks",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # one release after the other
    tags=["example", "ecr"],
    doc_md=__doc__,
):
    promote = EcrPutImageOperator(
        task_id="promote",
        repository_name="shop/api",
        source_image_tag="build-42",
        image_tag="prod",
    )

    @task
    def manifest(image_uri: str) -> dict[str, Any]:
        """Render the Deployment; whoever applies it, applies this image, whatever becomes of the tag."""
        labels = {"app": "api"}
        container = {
            "name": "api",
            "image": image_uri,
            "imagePullPolicy": "IfNotPresent",  # a digest does not change: there is nothing to pull twice
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "api", "labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }

    # Apply it by what runs your cluster, such as the cncf.kubernetes provider's KubernetesCreateResourceOperator.
    manifest(promote.output["imageUri"])
# [END deploy_eks]
