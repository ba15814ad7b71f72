"""Creating a repository that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import ONCE
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.creation import create_repository
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.exceptions import (
    AccessDeniedError,
    InvalidInputError,
    InvalidRequestError,
    QuotaExceededError,
    ThrottledError,
)

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OTHER = "999999999999"


def names(client: ECRClient) -> list[str]:
    return [each["repositoryName"] for each in client.describe_repositories()["repositories"]]


@pytest.fixture
def missing(ecr: EcrEmulator) -> EcrRepository:
    return EcrRepository(ecr.client(config=ONCE), "shop/new")


def test_a_repository_is_created_with_ecr_s_defaults(ecr: EcrEmulator, missing: EcrRepository) -> None:
    create_repository(missing, {})
    assert [request.parameters for request in ecr.requests] == [{"repositoryName": "shop/new"}]
    assert set(names(missing.client)) == {REPOSITORY, "shop/new"}


def test_a_repository_is_created_as_it_is_asked_for(missing: EcrRepository) -> None:
    settings: dict[str, Any] = {
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "tags": [{"Key": "team", "Value": "web"}],
    }
    create_repository(missing, settings)
    (made,) = missing.client.describe_repositories(repositoryNames=["shop/new"])["repositories"]
    assert {name: made.get(name) for name in settings if name != "tags"} == {
        name: value for name, value in settings.items() if name != "tags"
    }
    assert missing.client.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == settings["tags"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"imageTagMutabilty": "IMMUTABLE"}, "imageTagMutabilty"),
        ({"repositoryName": "shop/new"}, "repositoryName"),
        ({"registryId": OTHER}, "registryId"),
        ({"zone": 1, "tags": [], "image_tag_mutability": "MUTABLE"}, "image_tag_mutability, zone"),
    ],
)
def test_what_the_call_does_not_take_is_refused_before_it(
    ecr: EcrEmulator, missing: EcrRepository, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        create_repository(missing, settings)
    assert str(refused.value).startswith(
        f"create_repository has {named}, and takes the arguments of CreateRepository: "
    )
    arguments = str(refused.value).partition("CreateRepository: ")[2].rstrip(".").split(", ")
    assert {"imageTagMutability", "encryptionConfiguration", "tags"} <= set(arguments)
    assert not {"repositoryName", "registryId"} & set(arguments)
    assert ecr.calls == []


def test_that_somebody_else_just_created_it_is_fine(ecr: EcrEmulator, missing: EcrRepository) -> None:
    ecr.faults.before("CreateRepository", lambda: ecr.client().create_repository(repositoryName="shop/new"))
    create_repository(missing, {"imageTagMutability": "IMMUTABLE"})
    (there,) = missing.client.describe_repositories(repositoryNames=["shop/new"])["repositories"]
    assert there["imageTagMutability"] == "MUTABLE"


def test_that_it_was_created_by_a_call_whose_answer_was_lost_is_fine(ecr: EcrEmulator) -> None:
    ecr.faults.lose("CreateRepository")
    create_repository(EcrRepository(ecr.client(), "shop/new"), {})  # boto3 tries again
    assert ecr.calls == ["CreateRepository", "CreateRepository"]


def test_another_account_s_repository_does_not_become_one_of_the_own_account(ecr: EcrEmulator) -> None:
    with pytest.raises(AccessDeniedError):
        create_repository(EcrRepository(ecr.client(), "shop/new", OTHER), {})
    assert names(ecr.client()) == [REPOSITORY]


def test_the_account_may_be_named(ecr: EcrEmulator) -> None:
    create_repository(EcrRepository(ecr.client(), "shop/new", ACCOUNT), {"imageTagMutability": "IMMUTABLE"})
    assert ecr.requests[-1].parameters["registryId"] == ACCOUNT
    assert set(names(ecr.client())) == {REPOSITORY, "shop/new"}


def test_refusals_are_errors_of_ours(ecr: EcrEmulator, missing: EcrRepository) -> None:
    ecr.faults.fail("CreateRepository", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=r"CreateRepository of shop/new failed"):
        create_repository(missing, {})
    ecr.faults.fail("CreateRepository")
    with pytest.raises(ThrottledError):
        create_repository(missing, {})
    ecr.limits.repositories = 1
    with pytest.raises(QuotaExceededError):
        create_repository(missing, {})


@pytest.mark.parametrize("settings", [{"imageTagMutability": 1}, {"imageTagMutability": "SOMETIMES"}, {"tags": "x"}])
def test_a_value_that_the_call_does_not_take_is_an_error_of_ours(
    missing: EcrRepository, settings: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        create_repository(missing, settings)
