"""What to do to deploy a task definition on an ECS service: decided without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ecr_provider.deploying.ecs_service import Deployment, ServiceState, TaskDefinition, short
from ecr_provider.exceptions import DeploymentRefusedError
from ecr_provider.oci import ImageReference

#: Who deploys a service that ECS itself does not.
#: Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentController.html
_OTHER_WAYS: Final = {
    "CODE_DEPLOY": "CodeDeploy deploys it: start a deployment there, with an AppSpec that names the task definition",
    "EXTERNAL": "its task sets are made by a controller of your own (CreateTaskSet): have that deploy it",
}


@dataclass(frozen=True, slots=True)
class EcsRequest:
    """What is asked for.

    :param task_definition: a family, ``family:revision`` or an ARN.
    :param image: what has to run, pinned by digest.
    :param container_name: the container that has to run it; by default any, but at least one.
    :param force: begin a deployment though the service is on the task definition already.
    """

    task_definition: str
    image: ImageReference | None = None
    container_name: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class EcsPlan:
    """What to do: decided without I/O.

    :param containers: those of the task definition that are made from the image.
    :param previous: the task definition that the service can be taken back to, if there is one.
    :param joins: the deployment that is there already, if none is to be begun.
    """

    definition: TaskDefinition
    containers: tuple[str, ...]
    previous: str | None
    joins: Deployment | None


def decide(state: ServiceState, definition: TaskDefinition, request: EcsRequest) -> EcsPlan:
    """Decide what to do.

    :raises DeploymentRefusedError: the service or the task definition cannot take it.
    """
    _check_service(state)
    if definition.status != "ACTIVE":
        raise DeploymentRefusedError(
            f"The task definition {short(definition.arn)} is {definition.status}, and ECS sets no service to it. "
            "Register a new revision, or name another one in task_definition."
        )
    previous = _last_good(state)
    return EcsPlan(
        definition,
        () if request.image is None else _containers_of(definition, request.image, request.container_name),
        None if previous == definition.arn else previous,
        _joined(state, definition, force=request.force),
    )


def _check_service(state: ServiceState) -> None:
    if state.status != "ACTIVE":
        raise DeploymentRefusedError(
            f"The ECS service {state.service_name} is {state.status}, not ACTIVE: it was deleted. Create it again, or "
            "correct service, cluster or region_name."
        )
    if state.controller != "ECS":
        way = _OTHER_WAYS.get(state.controller, "another controller deploys it")
        raise DeploymentRefusedError(
            f"The ECS service {state.service_name} has the deployment controller {state.controller}, and UpdateService "
            f"cannot set its task definition: {way}; or create the service with the controller ECS."
        )


def _containers_of(definition: TaskDefinition, image: ImageReference, container_name: str | None) -> tuple[str, ...]:
    asked = [(name, text) for name, text in definition.images if container_name in (None, name)]
    names = tuple(name for name, text in asked if text == str(image))
    if not names:
        where = "none of its containers" if container_name is None else f"its container {container_name!r}"
        offered = ", ".join(f"{name} {text}" for name, text in definition.images) or "none"
        raise DeploymentRefusedError(
            f"The task definition {short(definition.arn)} would not run {image}: {where} names exactly that. Its "
            f"containers are: {offered}. Register a revision with this image, or correct image_uri or container_name."
        )
    return names


def _last_good(state: ServiceState) -> str | None:
    """Return the newest task definition that came to rest, as ECS itself does that rolls back.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    return next((each.task_definition_arn for each in state.deployments if state.is_steady(each)), None)


def _joined(state: ServiceState, definition: TaskDefinition, *, force: bool) -> Deployment | None:
    primary = state.primary
    if primary is None or primary.task_definition_arn != definition.arn:
        return None
    is_over = primary.rollout_state == "FAILED" or state.is_steady(primary)
    return None if force and is_over else primary
