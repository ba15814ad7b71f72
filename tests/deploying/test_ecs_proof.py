"""What proves that it is the image that runs on an ECS service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ecs_door import Ecs
from ecs_rollouts import HOST, NEW, OLD, OTHER, Build, begun, end_of, request, service_of

from ecr_provider.deploying.ecs_rollout import begin
from ecr_provider.deploying.pinned import pinned
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import (
    DeploymentFailedError,
)
from ecr_provider.gates.gate import Verdict
from ecr_provider.oci import ImageReference, Manifest


def test_tasks_of_another_definition_are_waited_for(door: Ecs) -> None:
    service, rollout = begun(door)
    old = {"taskArn": "arn:task/shop/x", "taskDefinitionArn": rollout.previous, "lastStatus": "RUNNING"}
    door.strangers = [old]
    look = rollout.look(service)
    assert look.verdict is Verdict.WAITING
    assert "1 tasks of web:1 are there still" in look.says
    door.strangers = []
    assert rollout.look(service).verdict is Verdict.PASSED


def test_nothing_is_proven_before_a_task_runs(door: Ecs) -> None:
    service, rollout = begun(door)
    rollout.look(service)
    door.primary["runningCount"] = 0
    assert rollout.look(service).verdict is Verdict.WAITING


def test_a_service_that_is_scaled_to_nothing_is_said_to_be_unchecked(door: Ecs) -> None:
    door.desired = 0
    service, rollout = begun(door)
    look = end_of(rollout, service)
    assert look.verdict is Verdict.PASSED
    assert "nothing could be checked" in look.says
    assert rollout.report(look)["containers"] == []


@pytest.mark.parametrize("digest", ["sha256:" + "c" * 64, "nonsense"])
def test_another_digest_is_a_contradiction(door: Ecs, digest: str) -> None:
    door.pulled[NEW] = digest
    service, rollout = begun(door)
    look = end_of(rollout, service)
    assert look.verdict is Verdict.FAILED
    assert f"it is not {NEW} that runs: container web of task 2-0 runs {NEW} ({digest})" in look.says


def test_another_reference_is_a_contradiction_whatever_the_digest(door: Ecs) -> None:
    service, rollout = begun(door)
    definition = door.definitions[rollout.task_definition]
    definition["containerDefinitions"][0]["image"] = OTHER
    door.pulled[OTHER] = NEW.partition("@")[2]
    assert end_of(rollout, service).verdict is Verdict.FAILED


def test_a_container_that_is_not_there_is_a_contradiction(door: Ecs) -> None:
    service, rollout = begun(door)
    door.definitions[rollout.task_definition]["containerDefinitions"][0]["name"] = "other"
    assert "has no container web" in end_of(rollout, service).says


def test_without_a_digest_from_ecs_the_pinned_reference_is_the_proof(door: Ecs) -> None:
    door.pulled[NEW] = None
    service, rollout = begun(door)
    look = end_of(rollout, service)
    assert look.verdict is Verdict.PASSED
    assert rollout.report(look)["containers"] == [{"name": "web", "image": NEW, "imageDigest": None}]


def test_other_containers_are_nobodys_business(door: Ecs) -> None:
    door.register(NEW, "docker.io/envoy:latest")
    service, rollout = begun(door)
    assert end_of(rollout, service).verdict is Verdict.PASSED
    assert rollout.containers == ("web",)


def test_without_an_image_the_definition_is_what_is_checked(door: Ecs) -> None:
    door.pulled[NEW] = "sha256:" + "c" * 64
    service, rollout = begun(door, image=None)
    assert end_of(rollout, service).says == "is done; its 2 tasks run"


def test_more_tasks_than_one_answer_takes_are_all_checked(door: Ecs) -> None:
    door.desired = 230
    service, rollout = begun(door)
    assert "its 230 tasks run" in end_of(rollout, service).says
    assert (door.calls.count("ListTasks"), door.calls.count("DescribeTasks")) == (3, 3)


@pytest.fixture
def index(build: Build, door: Ecs) -> SampleImage:
    """An index that is to be deployed."""
    made = build("new", "prod")
    door.register(f"{HOST}/shop/web@{made.digest}")
    return made


def reader(ecr: EcrEmulator) -> Callable[[ImageReference], Manifest]:
    repository = EcrRepository(ecr.client(), "shop/web")
    return lambda image: repository.manifest_of(repository.get_image(ImageIdentifier(image.digest)))


def test_the_manifest_of_a_platform_proves_the_index_that_names_it(
    door: Ecs, ecr: EcrEmulator, index: SampleImage
) -> None:
    uri = f"{HOST}/shop/web@{index.digest}"
    service = service_of(door, reader(ecr))
    rollout = begin(service, request(image=pinned(uri)))
    door.pulled[uri] = index.children[1].digest
    assert end_of(rollout, service).verdict is Verdict.PASSED
    assert rollout.look(service).verdict is Verdict.PASSED
    assert ecr.calls == ["BatchGetImage"]  # what a digest names stays so
    door.pulled[uri] = "sha256:" + "d" * 64
    assert end_of(rollout, service).verdict is Verdict.FAILED


def test_the_index_is_not_read_for_nothing(door: Ecs, ecr: EcrEmulator, index: SampleImage) -> None:
    service = service_of(door, reader(ecr))
    rollout = begin(service, request(image=pinned(f"{HOST}/shop/web@{index.digest}")))
    assert end_of(rollout, service).verdict is Verdict.PASSED
    assert ecr.calls == []


def test_what_older_tasks_run_needs_no_proof(door: Ecs, ecr: EcrEmulator, index: SampleImage) -> None:
    uri = f"{HOST}/shop/web@{index.digest}"
    service = service_of(door, reader(ecr))
    rollout = begin(service, request(image=pinned(uri)))
    rollout.look(service)
    other = {"name": "web", "image": OLD, "imageDigest": OLD.partition("@")[2]}
    task = {"taskArn": "t/1", "taskDefinitionArn": rollout.previous, "lastStatus": "RUNNING", "containers": [other]}
    door.strangers = [task]
    assert rollout.look(service).verdict is Verdict.WAITING
    assert ecr.calls == []


def test_what_cannot_be_told_is_no_success(door: Ecs, ecr: EcrEmulator, index: SampleImage) -> None:
    uri = f"{HOST}/shop/web@{index.digest}"
    service = service_of(door, reader(ecr))
    rollout = begin(service, request(image=pinned(uri)))
    door.pulled[uri] = index.children[0].digest
    ecr.faults.fail("BatchGetImage", "AccessDeniedException")
    with pytest.raises(DeploymentFailedError, match=r"cannot be read.*BatchGetImage"):
        end_of(rollout, service)
