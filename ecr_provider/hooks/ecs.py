"""From an Airflow connection to an ECS service."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from airflow.providers.amazon.aws.hooks.ecs import EcsHook

from ecr_provider.deploying.ecs_rollout import EcsRollout
from ecr_provider.deploying.ecs_service import EcsService
from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import EcrRegistry, ImageIdentifier
from ecr_provider.hooks.ecr import EcrImageHook
from ecr_provider.hooks.mixin import StrictHookMixin
from ecr_provider.oci import ImageReference, Manifest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class EcsServiceHook(StrictHookMixin, EcsHook):
    """Deploy on Amazon ECS services.

    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param config: botocore's ``Config``, or a dictionary of its arguments.
    :raises InvalidInputError: ``config`` has a key that botocore does not know.
    """

    @cached_property
    def client(self) -> ECSClient:
        """The boto3 client.

        :raises ConnectionNotFoundError: the connection does not exist.
        :raises EcrCallError: the connection's settings make no client.
        """
        with translated("The connection", repr(self.aws_conn_id)):
            return cast("ECSClient", self.conn)

    def service(self, cluster: str, service: str) -> EcsService:
        """Return a service; nothing is called yet.

        :param cluster: the cluster, by name or ARN.
        :param service: the service, by name or ARN.
        """
        return EcsService(self.client, cluster, service, self._manifest_of)

    def door_of(self, rollout: EcsRollout) -> EcsService:
        """Return the service that a deployment is on."""
        return self.service(rollout.cluster, rollout.service)

    def _manifest_of(self, image: ImageReference) -> Manifest | None:
        registry = EcrRegistry.of_host(image.registry)
        if registry is None:
            return None
        hook = EcrImageHook(**self.arguments | {"region_name": registry.region_name})
        repository = hook.repository(image.repository, registry_id=registry.account_id)
        return repository.manifest_of(repository.get_image(ImageIdentifier(image.digest)))
