"""An ECS for tests, for the real boto3 client: moto's cannot fail a rollout, and knows no tasks of a service."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

import boto3
import pytest
from aws_door import ACCESS, AwsDoor
from http_server import Received, Reply
from local_ecr import ACCOUNT, REGION

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
CONTENT = {"Content-Type": "application/x-amz-json-1.1"}
Step: TypeAlias = Callable[[], object]


class RefusedError(Exception):
    """What ECS answers instead."""


class Ecs(AwsDoor):
    """An ECS with one service ``shop/web``, whose rollouts a test decides.

    :param tasks: how many tasks the service has.
    :param moto: the address of moto, which then keeps the task definitions.
    """

    service_name: ClassVar[str] = "ecs"

    def __init__(self, tasks: int = 2, moto: str | None = None) -> None:
        super().__init__()
        self.asked_for: list[dict[str, Any]] = []
        self.definitions: dict[str, dict[str, Any]] = {}
        self.steps: list[Step] = []  # one for each DescribeServices after an UpdateService
        self.after_update: list[list[Step]] = []
        self.pulled: dict[str, str | None] = {}  # which digest is told of an image, if not its own
        self.strangers: list[dict[str, Any]] = []
        self.refusals: dict[str, list[str]] = defaultdict(list)
        self.service: dict[str, Any] = {}
        self.desired = tasks
        self._moto: Any = boto3.client("ecs", region_name=REGION, endpoint_url=moto, **ACCESS) if moto else None
        self._numbers = 0
        self._lock = threading.Lock()

    # --- What a test says ---------------------------------------------------------------------------------------

    def register(self, *images: str, family: str = "web", **further: Any) -> str:
        """Register a task definition with containers ``web``, ``sidecar``; return its ARN."""
        names = ("web", "sidecar")
        containers = [{"name": name, "image": image, "memory": 128} for name, image in zip(names, images, strict=False)]
        return str(
            self._register({"family": family, "containerDefinitions": containers, **further})["taskDefinitionArn"]
        )

    def serve(self, definition: str, **further: Any) -> None:
        """Have the service run a task definition, and be steady."""
        self.service = {
            "clusterArn": f"{ARN}:cluster/shop",
            "serviceArn": f"{ARN}:service/shop/web",
            "serviceName": "web",
            "status": "ACTIVE",
            "deploymentController": {"type": "ECS"},
            "deployments": [],
        } | further
        self.deploy(definition)
        self.finish()

    def deploy(self, definition: str) -> dict[str, Any]:
        """Begin a deployment, as anybody may."""
        for each in self.service["deployments"]:
            each["status"] = "ACTIVE"
        self._numbers += 1
        new = {
            "id": f"ecs-svc/{self._numbers}",
            "status": "PRIMARY",
            "taskDefinition": definition,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": f"ECS deployment ecs-svc/{self._numbers} in progress.",
            "desiredCount": self.desired,
            "pendingCount": self.desired,
            "runningCount": 0,
            "failedTasks": 0,
        }
        self.service["deployments"].insert(0, new)
        return new

    @property
    def primary(self) -> dict[str, Any]:
        return next(each for each in self.service["deployments"] if each["status"] == "PRIMARY")

    def finish(self) -> None:
        """Have the newest deployment come to rest."""
        done = {"rolloutState": "COMPLETED", "pendingCount": 0, "runningCount": self.desired}
        self.primary.update(done, rolloutStateReason=f"ECS deployment {self.primary['id']} completed.")
        self.service["deployments"] = [self.primary]

    def start_one(self) -> None:
        self.primary.update(runningCount=1, pendingCount=self.desired - 1)

    def lose_one(self) -> None:
        self.primary["failedTasks"] += 1

    def fail(self) -> None:
        """Have the circuit breaker give the newest deployment up."""
        reason = "ECS deployment circuit breaker: tasks failed to start."
        self.primary.update(rolloutState="FAILED", rolloutStateReason=reason, pendingCount=0, runningCount=0)

    def roll_back(self) -> None:
        """Have the circuit breaker give it up, and go back."""
        self.fail()
        before = self.service["deployments"][1]
        new = self.deploy(before["taskDefinition"])
        new["rolloutStateReason"] = f"ECS deployment circuit breaker: rolling back to deploymentId {before['id']}."

    def refuse(self, action: str, code: str = "AccessDeniedException", times: int = 1) -> None:
        """Answer the next calls with an error."""
        self.refusals[action] += [code] * times

    def updates(self) -> list[str]:
        """Return the task definitions that UpdateService was called with, such as ``web:2``."""
        return [each["taskDefinition"].rpartition("/")[2] for each in self.asked_for if "taskDefinition" in each]

    # --- What ECS does ------------------------------------------------------------------------------------------

    def reply_to(self, received: Received) -> Reply:
        action = received.headers["X-Amz-Target"].partition(".")[2]
        with self._lock:
            self.calls.append(action)
            if self.refusals[action]:
                return _refusal(self.refusals[action].pop(0), f"{action} is refused")
            try:
                return Reply(
                    200, json.dumps(getattr(self, f"_on_{action}")(json.loads(received.body))).encode(), CONTENT
                )
            except RefusedError as refused:
                return _refusal(*refused.args)

    def _on_DescribeServices(self, asked: dict[str, Any]) -> Any:  # noqa: N802 - ECS's own names
        if not self.service or asked["services"][0].rpartition("/")[2] != self.service["serviceName"]:
            return {"services": [], "failures": [{"arn": asked["services"][0], "reason": "MISSING"}]}
        if self.steps:
            self.steps.pop(0)()
        return {"services": [self.service], "failures": []}

    def _on_UpdateService(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        definition = self._definition(asked["taskDefinition"])
        if definition["status"] != "ACTIVE":
            raise RefusedError("ClientException", "TaskDefinition is inactive")
        self.asked_for.append(asked)
        if asked.get("forceNewDeployment") or self.primary["taskDefinition"] != definition["taskDefinitionArn"]:
            self.deploy(definition["taskDefinitionArn"])
            self.steps = self.after_update.pop(0) if self.after_update else [self.finish]
        return {"service": self.service}

    def _on_ListTasks(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        arns = [each["taskArn"] for each in self._tasks()]
        start = int(asked.get("nextToken", 0))
        page = {"taskArns": arns[start : start + 100]}
        return page | ({"nextToken": str(start + 100)} if start + 100 < len(arns) else {})

    def _on_DescribeTasks(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        assert len(asked["tasks"]) <= 100
        return {"tasks": [each for each in self._tasks() if each["taskArn"] in asked["tasks"]], "failures": []}

    def _on_RegisterTaskDefinition(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        return {"taskDefinition": self._register(asked)}

    def _on_DescribeTaskDefinition(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        return {"taskDefinition": self._definition(asked["taskDefinition"])}

    def _register(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._moto:
            return _as_json(self._moto.register_task_definition(**asked)["taskDefinition"])
        revision = 1 + sum(arn.rpartition("/")[2].startswith(f"{asked['family']}:") for arn in self.definitions)
        arn = f"{ARN}:task-definition/{asked['family']}:{revision}"
        self.definitions[arn] = {"taskDefinitionArn": arn, "revision": revision, "status": "ACTIVE", **asked}
        return self.definitions[arn]

    def _definition(self, name: str) -> dict[str, Any]:
        if self._moto:
            return _as_json(self._moto.describe_task_definition(taskDefinition=name)["taskDefinition"])
        own = [each for arn, each in self.definitions.items() if name in (arn, arn.rpartition("/")[2], each["family"])]
        if not own:
            raise RefusedError("ClientException", "Unable to describe task definition.")
        return own[-1]

    def _tasks(self) -> Iterator[dict[str, Any]]:
        for deployment in self.service["deployments"]:
            for number in range(deployment["runningCount"]):
                images = self._definition(deployment["taskDefinition"])["containerDefinitions"]
                yield {
                    "taskArn": f"{ARN}:task/shop/{deployment['id'].rpartition('/')[2]}-{number}",
                    "taskDefinitionArn": deployment["taskDefinition"],
                    "lastStatus": "RUNNING",
                    "containers": [self._container(each) for each in images],
                }
        yield from self.strangers

    def _container(self, definition: dict[str, Any]) -> dict[str, Any]:
        image = definition["image"]
        digest = self.pulled.get(image, image.partition("@")[2])
        told = {"name": definition["name"], "image": image, "lastStatus": "RUNNING"}
        return told | ({"imageDigest": digest} if digest else {})


def _as_json(answer: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(answer, default=datetime.timestamp))
    return made


def _refusal(code: str, message: str) -> Reply:
    status = 500 if code == "ServerException" else 400
    return Reply(status, json.dumps({"__type": code, "message": message}).encode(), CONTENT)


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecs]:
    """An ECS to which the connection ``aws_default`` leads."""
    with Ecs() as door:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", door.connection())
        yield door
