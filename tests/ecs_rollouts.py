"""Deployments on a scriptable ECS, for the tests of what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecs_door import Ecs
from local_ecr import ACCOUNT, REGION

from ecr_provider.deploying.ecs_plan import EcsRequest
from ecr_provider.deploying.ecs_rollout import EcsRollout, begin
from ecr_provider.deploying.ecs_service import EcsService
from ecr_provider.deploying.pinned import pinned
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.oci import ImageReference, Manifest

Build = Callable[..., SampleImage]
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def image(letter: str) -> str:
    return f"{HOST}/shop/web@sha256:{letter * 64}"


OLD, NEW, OTHER = image("a"), image("b"), image("c")


def no_manifest(_: ImageReference) -> None:
    return None


def service_of(door: Ecs, manifest_of: Callable[[ImageReference], Manifest | None] = no_manifest) -> EcsService:
    return EcsService(door.client(), "shop", "web", manifest_of)


def request(**arguments: Any) -> EcsRequest:
    given: dict[str, Any] = {"task_definition": "web", "image": pinned(NEW)}
    return EcsRequest(**given | arguments)


def begun(door: Ecs, **arguments: Any) -> tuple[EcsService, EcsRollout]:
    service = service_of(door)
    return service, begin(service, request(**arguments))


def end_of(rollout: EcsRollout, service: EcsService) -> Look:
    for _ in range(10):
        look = rollout.look(service)
        if look.verdict is not Verdict.WAITING:
            return look
    raise AssertionError(look)
