"""The provider's metadata, which Airflow reads from the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_INTEGRATION: Final = "Amazon Elastic Container Registry (ECR)"
_OPERATORS: Final = ("deploy_ecs", "deploy_lambda", "image", "image_copy")
_SENSORS: Final = (
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
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://aws.amazon.com/ecr/",
                "logo": "/docs/_static/favicon.svg",
                "how-to-guide": [*_guides("operators", _OPERATORS), *_guides("sensors", _SENSORS)],
                "tags": ["aws"],
            }
        ],
        "hooks": [_modules("hooks", "ecr", "ecs", "event_queue", "lambda_function")],
        "operators": [_modules("operators", *_OPERATORS)],
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
        "config": {
            "ecr": {
                "description": "What this package does beside its tasks.",
                "options": {
                    "ui_reads_registry": {
                        "description": "Whether the API server asks Amazon ECR, for the Releases page and the tab with "
                        "a task's image: what tags name now, and what images are made of. It does so with the "
                        "connections of the tasks that released them.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    }
                },
            }
        },
        "extra-links": [
            "ecr_provider.links.ecr.EcrImageLink",
            "ecr_provider.links.ecr.EcrRepositoryLink",
            "ecr_provider.links.ecs.EcsServiceLink",
            "ecr_provider.links.lambda_function.LambdaFunctionLink",
        ],
    }


def _guides(kind: str, stems: Sequence[str]) -> list[str]:
    return [f"/docs/{kind}/{stem}.md" for stem in stems]


def _modules(kind: str, *stems: str) -> dict[str, Any]:
    return {
        "integration-name": _INTEGRATION,
        "python-modules": [f"ecr_provider.{kind}.{stem}" for stem in stems],
    }
