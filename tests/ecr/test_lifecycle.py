"""Lifecycle policies and their previews, as the local ECR answers them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import ONCE, OTHER, version
from local_ecr import REPOSITORY, needs_archives

from ecr_provider.ecr.lifecycle import Preview, PreviewResult, describe_preview, lifecycle_policy, start_preview
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push
from ecr_provider.exceptions import (
    AccessDeniedError,
    EcrCallError,
    InvalidRequestError,
    RepositoryNotFoundError,
    ServiceFaultError,
    ThrottledError,
)
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

EVERYTHING = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'


def keep(count: int, priority: int = 1, tag_status: str = "any") -> str:
    selection = {"tagStatus": tag_status, "countType": "imageCountMoreThan", "countNumber": count}
    rule = {"rulePriority": priority, "description": "Ünglücke", "selection": selection, "action": {"type": "expire"}}
    return json.dumps({"rules": [rule]}, indent=1, ensure_ascii=False)


POLICY = keep(2)


def pushed(client: ECRClient, count: int) -> list[Digest]:
    return [Digest.parse(push(client, REPOSITORY, version(number), f"v{number}")) for number in range(count)]


@pytest.fixture
def foreign(ecr: EcrEmulator) -> EcrRepository:
    """A repository of another account, which allows everything."""
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=EVERYTHING)
    owner.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=POLICY)
    return EcrRepository(ecr.client(), REPOSITORY, OTHER)


# --- The policy ------------------------------------------------------------------------------------------------------


def test_the_policy_is_the_text_that_was_put(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    client.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=POLICY)
    ecr.clear_requests()
    assert lifecycle_policy(repository) == POLICY
    assert ecr.calls == ["GetLifecyclePolicy"]


def test_a_repository_without_a_policy_is_no_error(repository: EcrRepository) -> None:
    assert lifecycle_policy(repository) is None


def test_a_repository_that_is_not_there_is_one(client: ECRClient) -> None:
    nowhere = EcrRepository(client, "shop/nowhere")
    with pytest.raises(RepositoryNotFoundError, match="GetLifecyclePolicy of shop/nowhere failed"):
        lifecycle_policy(nowhere)
    with pytest.raises(RepositoryNotFoundError, match="StartLifecyclePolicyPreview of shop/nowhere failed"):
        start_preview(nowhere, POLICY)
    with pytest.raises(RepositoryNotFoundError, match="GetLifecyclePolicyPreview of shop/nowhere failed"):
        describe_preview(nowhere, [Digest.of(b"")])


def test_another_account_s_repository_is_asked_for_by_its_registry_id(ecr: EcrEmulator, foreign: EcrRepository) -> None:
    assert lifecycle_policy(foreign) == POLICY
    assert start_preview(foreign, POLICY)
    assert describe_preview(foreign, [Digest.of(b"")]) == Preview(POLICY, "IN_PROGRESS")
    assert {request.parameters["registryId"] for request in ecr.requests[-3:]} == {OTHER}


# --- Its preview -----------------------------------------------------------------------------------------------------


def test_a_preview_takes_its_time_and_tells_of_the_images_that_are_asked_for(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    oldest, older, newer, _ = pushed(client, 4)
    assert start_preview(repository, POLICY)
    assert describe_preview(repository, [oldest]) == Preview(POLICY, "IN_PROGRESS")
    ecr.advance(ecr.switches.lifecycle_preview_seconds)
    doomed = tuple(PreviewResult(digest, "EXPIRE", 1) for digest in (oldest, older))
    assert describe_preview(repository, [newer]) == Preview(POLICY, "COMPLETE")
    assert describe_preview(repository, [newer, oldest]) == Preview(POLICY, "COMPLETE", doomed[:1])
    assert describe_preview(repository, [older, newer, oldest]) == Preview(POLICY, "COMPLETE", doomed)
    assert len(client.describe_images(repositoryName=REPOSITORY)["imageDetails"]) == 4  # nothing is deleted by it


@needs_archives
def test_a_preview_tells_what_goes_to_the_archive(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    policy = json.loads(keep(1, priority=7))
    policy["rules"][0]["action"] = {"type": "transition", "targetStorageClass": "archive"}
    oldest, _ = pushed(client, 2)
    assert start_preview(repository, json.dumps(policy))
    ecr.advance(5)
    assert describe_preview(repository, [oldest]) == Preview(
        json.dumps(policy), "COMPLETE", (PreviewResult(oldest, "TRANSITION", 7),)
    )


def test_there_is_one_preview_at_a_time_and_the_last_one_is_told(ecr: EcrEmulator, repository: EcrRepository) -> None:
    assert describe_preview(repository, [Digest.of(b"")]) is None
    assert start_preview(repository, POLICY)
    assert not start_preview(repository, keep(9))
    ecr.advance(5)
    assert start_preview(repository, keep(9))
    assert describe_preview(repository, [Digest.of(b"")]) == Preview(keep(9), "IN_PROGRESS")


@pytest.mark.parametrize("status", ["EXPIRED", "FAILED"])
def test_a_preview_that_came_to_nothing_is_told(ecr: EcrEmulator, repository: EcrRepository, status: str) -> None:
    assert start_preview(repository, POLICY)
    ecr.faults.corrupt("GetLifecyclePolicyPreview", lambda answer: answer | {"status": status})
    assert describe_preview(repository, [Digest.of(b"")]) == Preview(POLICY, status)


@pytest.mark.parametrize("policy", ["{}", keep(0)])
def test_a_policy_that_ecr_refuses_is_an_error(repository: EcrRepository, policy: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"StartLifecyclePolicyPreview of {REPOSITORY} failed"):
        start_preview(repository, policy)


def describe_nothing(repository: EcrRepository) -> object:
    return describe_preview(repository, [Digest.of(b"")])


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("GetLifecyclePolicy", lifecycle_policy),
        ("StartLifecyclePolicyPreview", lambda repository: start_preview(repository, POLICY)),
        ("GetLifecyclePolicyPreview", describe_nothing),
    ],
)
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDeniedException", AccessDeniedError),
        ("ThrottlingException", ThrottledError),
        ("ServerException", EcrCallError),
    ],
)
def test_other_failures_are_errors(
    ecr: EcrEmulator, operation: str, call: Any, code: str, error: type[EcrCallError]
) -> None:
    ecr.faults.fail(operation, code)
    with pytest.raises(error, match=f"{operation} of {REPOSITORY} failed"):
        call(EcrRepository(ecr.client(config=ONCE), REPOSITORY))


@pytest.mark.parametrize(
    "damage",
    [
        {"status": None},
        {"lifecyclePolicyText": None},
        {"previewResults": [{}]},
        {"previewResults": [{"imageDigest": "none", "action": {"type": "EXPIRE"}, "appliedRulePriority": 1}]},
        {"previewResults": [{"imageDigest": str(Digest.of(b"")), "action": {}, "appliedRulePriority": 1}]},
        {"previewResults": [{"imageDigest": str(Digest.of(b"")), "action": {"type": "EXPIRE"}}]},
    ],
)
def test_a_preview_of_another_shape_is_a_fault(
    ecr: EcrEmulator, repository: EcrRepository, damage: dict[str, Any]
) -> None:
    assert start_preview(repository, POLICY)
    ecr.faults.corrupt("GetLifecyclePolicyPreview", lambda answer: answer | damage)
    with pytest.raises(ServiceFaultError):
        describe_nothing(repository)


def test_a_policy_of_another_shape_is_a_fault(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    client.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=POLICY)
    ecr.faults.corrupt("GetLifecyclePolicy", lambda answer: answer | {"lifecyclePolicyText": None})
    with pytest.raises(ServiceFaultError):
        lifecycle_policy(repository)
