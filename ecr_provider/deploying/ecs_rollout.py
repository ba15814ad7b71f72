"""A deployment on an ECS service: begin it, tell how far it is and whether it is the image that runs, and go back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ecr_provider.deploying.ecs_plan import EcsRequest, decide
from ecr_provider.deploying.ecs_service import Container, Deployment, EcsService, ServiceState, Task, short
from ecr_provider.deploying.pinned import pinned
from ecr_provider.deploying.rollout import Rollout
from ecr_provider.exceptions import DeploymentFailedError, DeploymentRefusedError, EcrCallError
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.patience import Patience


def begin(service: EcsService, request: EcsRequest) -> EcsRollout:
    """Look, decide, and begin a deployment unless it is there already.

    :raises DeploymentRefusedError: the service or the task definition cannot take it; nothing was changed.
    :raises EcrCallError: a call failed.
    """
    definition = service.read_task_definition(request.task_definition)
    state = service.describe()
    plan = decide(state, definition, request)
    deployment, earlier = plan.joins, state.ids
    if deployment is None:
        state = service.update(definition.arn, force=request.force)
        deployment = _begun(service, state, definition.arn)
    return EcsRollout(
        cluster=service.cluster,
        service=service.service,
        cluster_arn=state.cluster_arn,
        service_arn=state.service_arn,
        task_definition=definition.arn,
        previous=plan.previous,
        deployment_id=deployment.id,
        image=None if request.image is None else str(request.image),
        containers=plan.containers,
        outcome="deployed" if plan.joins is None else "unchanged",
        earlier=() if plan.joins else earlier,
    )


def _begun(service: EcsService, state: ServiceState, task_definition: str) -> Deployment:
    primary = state.primary
    if primary is None or primary.task_definition_arn != task_definition:
        raise DeploymentFailedError(
            f"ECS took UpdateService of {service} to {short(task_definition)}, and answers with something else: "
            f"{state.now}. Look at the service; somebody else may have changed it at the same instant."
        )
    return primary


# --- How far it is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EcsRollout(Rollout[EcsService]):
    """A deployment on an ECS service.

    :param cluster: the cluster, as it was given.
    :param service: the service, as it was given.
    :param cluster_arn: the cluster's ARN.
    :param service_arn: the service's ARN.
    :param task_definition: the ARN of what is deployed.
    :param previous: the ARN of what can be gone back to.
    :param deployment_id: ECS's id of it.
    :param image: what has to run.
    :param containers: in which containers.
    :param outcome: ``deployed``, or ``unchanged`` if the service was on it already.
    :param earlier: the ids of the deployments that were there before it.
    """

    kind: ClassVar[str] = "ecs"
    cluster: str
    service: str
    cluster_arn: str
    service_arn: str
    task_definition: str
    previous: str | None
    deployment_id: str
    image: str | None
    containers: tuple[str, ...]
    outcome: str
    earlier: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{short(self.cluster_arn)}/{short(self.service_arn)}"
        return f"{where}: deployment {self.deployment_id} of {short(self.task_definition)}"

    def look(self, door: EcsService) -> Look:
        """Look once: one DescribeServices and, once the deployment is done, the tasks.

        :raises EcrProviderError: a call failed, or what is pulled cannot be told.
        """
        state = door.describe()
        look = progress(self, state)
        if look.verdict is not Verdict.PASSED:
            return look
        tasks = door.tasks()
        return checked(self, state, tasks, self._accepted(door, tasks))

    def _accepted(self, door: EcsService, tasks: Sequence[Task]) -> frozenset[str]:
        """Return the digests that prove the image.

        A runtime that pulls an index by digest verifies it, picks its own platform's manifest, and may report either
        digest: ECS's agent says the index's (https://github.com/aws/amazon-ecs-agent/pull/3576), and AWS documents
        none of it. So that of the index counts, and those that the index itself names.
        """
        if self.image is None:
            return frozenset()
        image = pinned(self.image)
        own = frozenset([str(image.digest)])
        own_tasks = [task for task in tasks if task.task_definition_arn == self.task_definition]
        told = {each.digest for task in own_tasks for each in self._containers_in(task) if each.digest}
        if told <= own:
            return own
        try:
            return own | door.platform_digests(image)
        except EcrCallError as error:
            if error.retryable:
                raise
            raise DeploymentFailedError(
                f"The tasks run {', '.join(sorted(told - own))}, and whether the index {image} names that cannot be "
                f"read: {error}"
            ) from error

    def _containers_in(self, task: Task) -> list[Container]:
        return [each for each in task.containers if each.name in self.containers]

    def faults_of(self, task: Task, accepted: frozenset[str]) -> list[str]:
        """Return what contradicts that a task runs the image.

        :param accepted: the digests that prove it.
        """
        missing = set(self.containers) - {each.name for each in task.containers}
        return [f"task {short(task.arn)} has no container {name}" for name in sorted(missing)] + [
            f"container {each.name} of task {short(task.arn)} runs {each.image} ({each.digest or 'no digest given'})"
            for each in self._containers_in(task)
            if each.image != self.image or (each.digest is not None and each.digest not in accepted)
        ]

    def containers_in(self, tasks: Sequence[Task]) -> list[dict[str, Any]]:
        """Return the containers that run the image, each kind once, in ECS's own names."""
        kinds = dict.fromkeys(each for task in tasks for each in self._containers_in(task))
        return [{"name": each.name, "image": each.image, "imageDigest": each.digest} for each in kinds]

    def facts(self) -> dict[str, Any]:
        """Return what is known without a look, in ECS's own names."""
        return {
            "clusterArn": self.cluster_arn,
            "serviceArn": self.service_arn,
            "serviceName": short(self.service_arn),
            "taskDefinitionArn": self.task_definition,
            "previousTaskDefinitionArn": self.previous,
            "deploymentId": self.deployment_id,
            "outcome": self.outcome,
            "imageUri": self.image,
            "rolloutState": None,
            "desiredCount": None,
            "runningCount": None,
            "containers": [],
            "rollback": None,
        }

    def way_back(self, door: EcsService) -> EcsRollout:
        """Set the service to the task definition of before; if ECS has begun that itself, take that for it.

        :raises DeploymentRefusedError: there is nothing to go back to, or somebody else has changed the service.
        :raises EcrCallError: a call failed, again and again.
        """
        patience = Patience()
        state = patience.call(door.describe)
        back, earlier = decide_back(self, state), state.ids
        if back.deployment is None:
            state = patience.call(lambda: door.update(back.task_definition))
        deployment = back.deployment or _begun(door, state, back.task_definition)
        return replace(
            self,
            task_definition=back.task_definition,
            previous=None,
            deployment_id=deployment.id,
            image=None,
            containers=(),
            earlier=() if back.deployment else earlier,
        )

    def as_rollback(self) -> dict[str, Any]:
        """Return what is known of a way back, in ECS's own names."""
        return {"taskDefinitionArn": self.task_definition, "deploymentId": self.deployment_id}


def progress(rollout: EcsRollout, state: ServiceState) -> Look:
    """Tell how far a deployment is: decided without I/O.

    It has passed once ECS says that it is done; whether it is the image that runs, is another question.
    """
    primary = state.primary
    if state.status != "ACTIVE":
        return Look(Verdict.FAILED, f"ended with the service, which is {state.status}", _seen(state))
    # ECS's answers may lag behind its own (API_RunTask, "eventual consistency"): what was there before is no successor.
    if primary is None or primary.id in rollout.earlier:
        return Look.waiting(f"is not to be seen yet. Now: {state.now}")
    if primary.id != rollout.deployment_id:
        return Look(Verdict.FAILED, _displaced(rollout, state, primary), _seen(state))
    return _progress_of(primary, state)


def _progress_of(primary: Deployment, state: ServiceState) -> Look:
    if primary.rollout_state == "FAILED":
        return Look(Verdict.FAILED, f"FAILED: {_reason(primary)}. Now: {state.now}", _seen(state))
    if state.is_steady(primary):
        return Look(Verdict.PASSED, "is done", _seen(state))
    failed = f", {primary.failed} have failed" if primary.failed else ""
    return Look(Verdict.WAITING, f"is under way{failed}. Now: {state.now}", _seen(state))


def _displaced(rollout: EcsRollout, state: ServiceState, primary: Deployment) -> str:
    own = next((each for each in state.deployments if each.id == rollout.deployment_id), None)
    if own is not None and own.rollout_state == "FAILED":
        return f"FAILED: {_reason(own)}. ECS itself went back: {_reason(primary)}. Now: {state.now}"
    if primary.task_definition_arn == rollout.previous:
        return f"was taken back, by ECS or by somebody else: {_reason(primary)}. Now: {state.now}"
    return f"was displaced by another deployment, {primary.id}. Now: {state.now}"


def _reason(deployment: Deployment) -> str:
    return deployment.reason.rstrip(".") or "ECS gives no reason"


def _seen(state: ServiceState) -> dict[str, Any]:
    primary = state.primary
    if primary is None:
        return {}
    return {
        "rolloutState": primary.rollout_state,
        "desiredCount": primary.desired,
        "runningCount": primary.running,
    }


# --- What runs -----------------------------------------------------------------------------------------------


def checked(rollout: EcsRollout, state: ServiceState, tasks: Sequence[Task], accepted: frozenset[str]) -> Look:
    """Tell whether it is the image that runs, once the deployment is done: decided without I/O.

    :param tasks: those that ECS means to run.
    :param accepted: the digests that prove the image.
    """
    seen = {**_seen(state), "containers": rollout.containers_in(tasks)}
    running = [task for task in tasks if task.last_status == "RUNNING"]
    others = [task for task in tasks if task.task_definition_arn != rollout.task_definition]
    if others:
        what = ", ".join(sorted({short(task.task_definition_arn) for task in others}))
        return Look(Verdict.WAITING, f"is done, but {len(others)} tasks of {what} are there still", seen)
    if not running and seen["desiredCount"]:
        return Look(Verdict.WAITING, "is done, but none of its tasks runs yet", seen)
    if faults := [fault for task in running for fault in rollout.faults_of(task, accepted)]:
        return Look(Verdict.FAILED, f"is done, but it is not {rollout.image} that runs: {'; '.join(faults)}", seen)
    return Look(Verdict.PASSED, _proof(rollout, len(running)), seen)


def _proof(rollout: EcsRollout, running: int) -> str:
    if not running:
        return "is done; the service is scaled to 0, so that nothing runs, and nothing could be checked"
    tasks = "its 1 task runs" if running == 1 else f"its {running} tasks run"
    what = "" if rollout.image is None else f" {rollout.image} in {', '.join(rollout.containers)}"
    return f"is done; {tasks}{what}"


# --- The way back --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where to go back to.

    :param deployment: that which goes there already, if one does.
    """

    task_definition: str
    deployment: Deployment | None = None


def decide_back(rollout: EcsRollout, state: ServiceState) -> WayBack:
    """Decide how to go back: decided without I/O.

    :raises DeploymentRefusedError: there is nothing to go back to, or somebody else has changed the service.
    """
    primary = state.primary
    if rollout.previous is None:
        raise DeploymentRefusedError(
            "no other task definition of the service had come to rest before, so there is none to go back to."
        )
    if state.status != "ACTIVE" or primary is None:
        raise DeploymentRefusedError(f"the service is {state.status}, with {state.now}.")
    if primary.id == rollout.deployment_id:
        return WayBack(rollout.previous)
    if primary.task_definition_arn == rollout.previous:
        return WayBack(rollout.previous, primary)
    raise DeploymentRefusedError(f"the service is somebody else's by now, and was left alone: {state.now}.")
