"""From an Airflow connection to a Lambda function."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from airflow.providers.amazon.aws.hooks.lambda_function import LambdaHook

from ecr_provider.deploying.lambda_function import LambdaFunction
from ecr_provider.deploying.lambda_update import LambdaUpdate
from ecr_provider.ecr.faults import translated
from ecr_provider.hooks.mixin import StrictHookMixin

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaFunctionHook(StrictHookMixin, LambdaHook):
    """Deploy on AWS Lambda functions.

    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param config: botocore's ``Config``, or a dictionary of its arguments.
    :raises InvalidInputError: ``config`` has a key that botocore does not know.
    """

    @cached_property
    def client(self) -> LambdaClient:
        """The boto3 client.

        :raises ConnectionNotFoundError: the connection does not exist.
        :raises EcrCallError: the connection's settings make no client.
        """
        with translated("The connection", repr(self.aws_conn_id)):
            return cast("LambdaClient", self.conn)

    def function(self, function_name: str) -> LambdaFunction:
        """Return a function; nothing is called yet.

        :param function_name: the function, by name or ARN, without a version.
        """
        return LambdaFunction(self.client, function_name)

    def door_of(self, update: LambdaUpdate) -> LambdaFunction:
        """Return the function that an update is of."""
        return self.function(update.function_name)
