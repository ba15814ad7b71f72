"""Deploy container images on Amazon ECS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.links.ecs import EcsServiceLink
from ecr_provider.operators.base import EcrDeployOperator

if TYPE_CHECKING:
    from ecr_provider.deploying.ecs_rollout import EcsRollout
    from ecr_provider.deploying.ecs_service import EcsService


class EcsUpdateServiceOperator(EcrDeployOperator):
    """Set an Amazon ECS service to a task definition, wait until it runs, and check that it is the image that runs.

    Before anything is changed, the task definition is read, and it has to name exactly ``image_uri``. One UpdateService
    begins the deployment; a service that is on the task definition already is not deployed again, but waited for, so
    that a retry begins no second deployment. Once ECS calls the deployment done, the running tasks are read: they have
    to be of that task definition, and their containers have to run that digest.

    .. seealso::
        For how to use this operator, take a look at the guide: :ref:`howto/operator:EcsUpdateServiceOperator`

    What else it takes is documented with :class:`~ecr_provider.operators.base.EcrDeployOperator`.

    :param cluster: the cluster, by name or ARN. (templated)
    :param service: the service, by name or ARN. (templated)
    :param task_definition: a family (its newest revision), ``family:revision`` or an ARN. (templated)
    :param image_uri: what has to run, as ``registry/repository@sha256:…``: the ``imageUri`` of an upstream task.
        Without it, only the task definition is checked. (templated)
    :param container_name: the container that has to run it; by default any of the task definition's, but at least one.
        (templated)
    :param force_new_deployment: begin a deployment though the service is on the task definition already, unless one is
        under way.
    :raises InvalidInputError: the arguments contradict each other.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    """

    template_fields: Sequence[str] = (
        *EcrDeployOperator.template_fields,
        "cluster",
        "service",
        "task_definition",
        "image_uri",
        "container_name",
    )
    operator_extra_links = (EcsServiceLink(),)

    def __init__(
        self,
        *,
        cluster: str,
        service: str,
        task_definition: str,
        image_uri: str | None = None,
        container_name: str | None = None,
        force_new_deployment: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        self.service = service
        self.task_definition = task_definition
        self.image_uri = image_uri
        self.container_name = container_name
        self.force_new_deployment = force_new_deployment
        if container_name is not None and image_uri is None:
            raise InvalidInputError("container_name says where image_uri has to run: give image_uri, too.")
        self.remember_given()

    def begin(self, context: Context) -> EcsRollout:
        """Store the link, and begin the deployment, unless it is there already."""
        from ecr_provider.deploying.ecs_plan import EcsRequest  # noqa: PLC0415 - imports botocore
        from ecr_provider.deploying.ecs_rollout import begin  # noqa: PLC0415 - as above
        from ecr_provider.deploying.pinned import pinned  # noqa: PLC0415 - as above

        request = EcsRequest(
            self.task_definition,
            self.parsed("image_uri", pinned),
            self.container_name,
            force=self.force_new_deployment,
        )
        service = self.door()
        EcsServiceLink().persist(context, service)
        return begin(service, request)

    def door(self) -> EcsService:
        """Return the service."""
        return self._service

    @cached_property
    def _service(self) -> EcsService:
        from ecr_provider.hooks.ecs import EcsServiceHook  # noqa: PLC0415 - imports boto3, which parsing need not

        return EcsServiceHook(**self.hook_arguments()).service(self.cluster, self.service)
