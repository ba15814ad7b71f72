"""Link from a task to its ECS service in the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from ecr_provider.links.console import ConsoleLink

if TYPE_CHECKING:
    from ecr_provider.deploying.ecs_service import EcsService


class EcsServiceLink(ConsoleLink):
    """Link to the service: its deployments, tasks and events."""

    name = "Amazon ECS service"

    def persist(self, context: Context, service: EcsService) -> None:
        """Store the address for the UI."""
        cluster, _, name = str(service).partition("/")
        self.store(
            context,
            service.client.meta.partition,
            f"ecs/v2/clusters/{cluster}/services/{name}/health?region={service.client.meta.region_name}",
        )
