"""One ECS service, on a boto client handed in: what it is set to, what runs of it, and the one call that changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ecr_provider.ecr.faults import translated
from ecr_provider.exceptions import DeploymentRefusedError
from ecr_provider.oci import ImageIndex, ImageReference, Manifest

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef, TaskDefinitionTypeDef, TaskTypeDef

#: Tasks that one DescribeTasks takes.
#: Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
MAX_TASKS: Final = 100


def short(arn: str) -> str:
    """Return the last part of an ARN, such as ``web:42``."""
    return arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of a service's deployments.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html

    :param status: ``PRIMARY`` for the newest, ``ACTIVE`` for those that it replaces, ``INACTIVE`` once it has.
    :param rollout_state: ``IN_PROGRESS``, ``COMPLETED``, ``FAILED``; ``None`` where ECS does not say, which it does not
        for services behind a Classic Load Balancer.
    """

    id: str
    status: str
    task_definition_arn: str
    rollout_state: str | None
    reason: str
    desired: int
    pending: int
    running: int
    failed: int

    @classmethod
    def from_api(cls, deployment: DeploymentTypeDef) -> Self:
        """Read the form that boto3 answers."""
        return cls(
            id=deployment["id"],
            status=deployment["status"],
            task_definition_arn=deployment["taskDefinition"],
            rollout_state=deployment.get("rolloutState"),
            reason=deployment.get("rolloutStateReason", ""),
            desired=deployment.get("desiredCount", 0),
            pending=deployment.get("pendingCount", 0),
            running=deployment.get("runningCount", 0),
            failed=deployment.get("failedTasks", 0),
        )

    def __str__(self) -> str:
        state = f", {self.rollout_state}" if self.rollout_state else ""
        return (
            f"{self.status} {self.id} of {short(self.task_definition_arn)} runs {self.running} of {self.desired} "
            f"tasks{state}"
        )


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as DescribeServices and UpdateService answer it.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html

    :param status: ``ACTIVE``, ``DRAINING`` or ``INACTIVE``.
    :param controller: ``ECS``, ``CODE_DEPLOY`` or ``EXTERNAL``.
    """

    cluster_arn: str
    service_arn: str
    service_name: str
    status: str
    controller: str
    deployments: tuple[Deployment, ...]

    @classmethod
    def from_api(cls, service: ServiceTypeDef) -> Self:
        """Read the form that boto3 answers."""
        return cls(
            cluster_arn=service["clusterArn"],
            service_arn=service["serviceArn"],
            service_name=service["serviceName"],
            status=service["status"],
            controller=service.get("deploymentController", {}).get("type", "ECS"),
            deployments=tuple(map(Deployment.from_api, service.get("deployments", ()))),
        )

    @property
    def primary(self) -> Deployment | None:
        """The newest deployment."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the deployments."""
        return tuple(each.id for each in self.deployments)

    @property
    def now(self) -> str:
        """What there is now, for a message."""
        return "; ".join(map(str, self.deployments)) or "no deployment at all"

    def is_steady(self, deployment: Deployment) -> bool:
        """Tell whether a deployment is done: by ECS's word or, where it gives none, by the counts of the tasks.

        Source: botocore's waiter ``services_stable``, for the counts.
        """
        if deployment.rollout_state is not None:
            return deployment.rollout_state == "COMPLETED"
        return self.deployments == (deployment,) and deployment.running == deployment.desired


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A task definition: which image each of its containers is made from, by the container's name."""

    arn: str
    status: str
    images: tuple[tuple[str, str], ...]

    @classmethod
    def from_api(cls, definition: TaskDefinitionTypeDef) -> Self:
        """Read the form that boto3 answers."""
        containers = definition.get("containerDefinitions", ())
        return cls(
            arn=definition["taskDefinitionArn"],
            status=definition.get("status", "ACTIVE"),
            images=tuple((each["name"], each.get("image", "")) for each in containers),
        )


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a task.

    :param image: the reference that it was made from.
    :param digest: of what was pulled, as far as ECS says.
    """

    name: str
    image: str | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the service that ECS means to run."""

    arn: str
    task_definition_arn: str
    last_status: str
    containers: tuple[Container, ...]

    @classmethod
    def from_api(cls, task: TaskTypeDef) -> Self:
        """Read the form that boto3 answers."""
        containers = task.get("containers", ())
        return cls(
            arn=task["taskArn"],
            task_definition_arn=task["taskDefinitionArn"],
            last_status=task.get("lastStatus", ""),
            containers=tuple(
                Container(each.get("name", ""), each.get("image"), each.get("imageDigest")) for each in containers
            ),
        )


class EcsService:
    """One ECS service.

    :param client: the boto3 client, whose Region counts.
    :param cluster: the cluster, by name or ARN.
    :param service: the service, by name or ARN.
    :param manifest_of: reads an image's manifest, or says ``None`` of one that is not in ECR.
    """

    def __init__(
        self,
        client: ECSClient,
        cluster: str,
        service: str,
        manifest_of: Callable[[ImageReference], Manifest | None],
    ) -> None:
        self.client = client
        self.cluster = cluster
        self.service = service
        self._manifest_of = manifest_of
        self._platforms: dict[ImageReference, frozenset[str]] = {}

    def __str__(self) -> str:
        return f"{short(self.cluster)}/{short(self.service)}"

    def describe(self) -> ServiceState:
        """Return what the service is set to, by DescribeServices.

        :raises DeploymentRefusedError: there is no such service.
        :raises EcrCallError: the call failed.
        """
        with translated("DescribeServices", str(self)):
            answer = self.client.describe_services(cluster=self.cluster, services=[self.service])
            found = [ServiceState.from_api(each) for each in answer["services"]]
        if not found:
            reason = ", ".join(each.get("reason", "no reason given") for each in answer["failures"])
            raise DeploymentRefusedError(
                f"There is no ECS service {self} ({reason}). Create it, or correct service, cluster or region_name."
            )
        return found[0]

    def read_task_definition(self, task_definition: str) -> TaskDefinition:
        """Return a task definition, by DescribeTaskDefinition; of a family, the newest active one.

        :param task_definition: a family, ``family:revision`` or an ARN.
        :raises EcrCallError: there is none, or the call failed.
        """
        with translated("DescribeTaskDefinition", task_definition):
            answer = self.client.describe_task_definition(taskDefinition=task_definition)
            return TaskDefinition.from_api(answer["taskDefinition"])

    def update(self, task_definition_arn: str, *, force: bool = False) -> ServiceState:
        """Set the service to a task definition, by UpdateService; nothing else of it is touched.

        Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html

        :param force: begin a deployment though the service is set to it already.
        :raises EcrCallError: the call failed.
        """
        with translated("UpdateService", f"{self} to {short(task_definition_arn)}"):
            answer = self.client.update_service(
                cluster=self.cluster, service=self.service, taskDefinition=task_definition_arn, forceNewDeployment=force
            )
            return ServiceState.from_api(answer["service"])

    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks that ECS means to run, by ListTasks and DescribeTasks.

        :raises EcrCallError: a call failed.
        """
        with translated("ListTasks", str(self)):
            pages = self.client.get_paginator("list_tasks").paginate(cluster=self.cluster, serviceName=self.service)
            arns = [arn for page in pages for arn in page["taskArns"]]
        with translated("DescribeTasks", str(self)):
            return tuple(
                Task.from_api(task)
                for start in range(0, len(arns), MAX_TASKS)
                for task in self.client.describe_tasks(cluster=self.cluster, tasks=arns[start : start + MAX_TASKS])[
                    "tasks"
                ]
            )

    def platform_digests(self, image: ImageReference) -> frozenset[str]:
        """Return the digests of the manifests that an image index names; none for a single image.

        :raises EcrCallError: ECR refused or failed the call.
        """
        if image not in self._platforms:
            manifest = self._manifest_of(image)
            children = manifest.manifests if isinstance(manifest, ImageIndex) else ()
            self._platforms[image] = frozenset(str(child.digest) for child in children)
        return self._platforms[image]
