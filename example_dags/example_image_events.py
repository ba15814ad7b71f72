"""Events: start a DAG by what was pushed outside of Airflow, and deploy the newest of it."""
# ruff: noqa: T201 - print is a task's log

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetWatcher, task

from ecr_provider.assets.ecr import EcrImageAsset
from ecr_provider.assets.events import latest_image
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger

# [START image_watch]
STAGING = EcrImageAsset(
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:staging",
    watchers=[
        AssetWatcher(
            name="shop_web_staging",
            trigger=EcrImageWatchTrigger(repository_name="shop/web", image_tag="staging", poll_interval=10),
        )
    ],
)

with DAG(
    "example_image_events",
    schedule=[STAGING],
    catchup=False,
    max_active_runs=1,
    tags=["example", "ecr"],
    doc_md=__doc__,
):

    @task
    def deploy(triggering_asset_events: Any) -> str:
        """Deploy the newest image, however many events started this run."""
        image_uri: str = latest_image(triggering_asset_events, STAGING)["imageUri"]
        print(f"Deploying {image_uri}")
        return image_uri

    deploy()
# [END image_watch]
