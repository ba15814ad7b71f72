"""Many promotions in a row, one DAG that deploys each of them, and one that deploys the newest."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, chain, task

from ecr_provider.assets.ecr import EcrImageAsset
from ecr_provider.assets.events import latest_image
from ecr_provider.operators.image import EcrPutImageOperator

REPOSITORY = "shop/api"
#: Some are promoted again after others, and one right after another.
BUILDS = (1, 2, 3, 1, 2, 1, 4, 5, 4)

EACH = EcrImageAsset(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:prod", partitioned=True)
NEWEST = Asset("shop-api-prod")

with DAG("promote_nine", schedule=None, catchup=False):
    chain(
        *(
            EcrPutImageOperator(
                task_id=f"promote_{number}",
                repository_name=REPOSITORY,
                source_image_tag=f"burst-{build}",
                image_tag="prod",
                outlets=[EACH, NEWEST],
            )
            for number, build in enumerate(BUILDS)
        )
    )

for dag_id, schedule, asset in (
    ("deploy_each", PartitionedAssetTimetable(assets=EACH), EACH),
    ("deploy_newest", [NEWEST], NEWEST),
):
    with DAG(dag_id, schedule=schedule, catchup=False, max_active_runs=1):

        @task
        def deploy(triggering_asset_events: Any, asset: Asset = asset) -> str:
            digest: str = latest_image(triggering_asset_events, asset)["imageDigest"]
            return digest

        deploy()  # type: ignore[call-arg]  # Airflow hands it over by name
