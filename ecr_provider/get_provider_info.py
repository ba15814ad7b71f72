"""The provider's metadata, which Airflow reads from the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

_SENSORS = (
    "image",
    "image_lifecycle",
    "image_referrers",
    "image_replication",
    "image_scan",
    "newest_image",
)


def get_provider_info() -> dict[str, Any]:
    """Return the metadata.

    Source: https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
    """
    return {
        "package-name": "airflow-provider-ecr",
        "name": "Amazon ECR releases",
        "description": "Release container images on Amazon ECR: byte-exact, verified by digest.",
        "integrations": [
            {
                "integration-name": "Amazon Elastic Container Registry (ECR)",
                "external-doc-url": "https://aws.amazon.com/ecr/",
                "tags": ["aws"],
            }
        ],
        "hooks": [_modules("hooks", "ecr", "ecs", "event_queue", "lambda_function")],
        "operators": [_modules("operators", "deploy_ecs", "deploy_lambda", "image", "image_copy")],
        "sensors": [_modules("sensors", *_SENSORS)],
        "triggers": [_modules("triggers", "deployment", "event_queue", "gate", "image_watch")],
        "asset-uris": [
            {
                "schemes": ["ecr"],
                "handler": "ecr_provider.assets.ecr.sanitize_uri",
                "factory": "ecr_provider.assets.ecr.create_asset",
                "to_openlineage_converter": "ecr_provider.assets.ecr.convert_asset_to_openlineage",
            }
        ],
        "extra-links": [
            "ecr_provider.links.ecr.EcrImageLink",
            "ecr_provider.links.ecr.EcrRepositoryLink",
            "ecr_provider.links.ecs.EcsServiceLink",
            "ecr_provider.links.lambda_function.LambdaFunctionLink",
        ],
    }


def _modules(kind: str, *stems: str) -> dict[str, Any]:
    return {
        "integration-name": "Amazon Elastic Container Registry (ECR)",
        "python-modules": [f"ecr_provider.{kind}.{stem}" for stem in stems],
    }
