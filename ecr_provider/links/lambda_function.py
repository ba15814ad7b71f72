"""Link from a task to its Lambda function in the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from ecr_provider.links.console import ConsoleLink

if TYPE_CHECKING:
    from ecr_provider.deploying.lambda_function import LambdaFunction


class LambdaFunctionLink(ConsoleLink):
    """Link to the function: its image, its versions, its calls."""

    name = "AWS Lambda function"

    def persist(self, context: Context, function: LambdaFunction) -> None:
        """Store the address for the UI."""
        region = function.client.meta.region_name
        path = f"lambda/home?region={region}#/functions/{function}"
        self.store(context, function.client.meta.partition, path)
