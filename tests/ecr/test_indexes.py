"""The image index that an image is a part of, as the local ECR has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.indexes import index_with
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_artifact, sample_image
from ecr_provider.exceptions import AccessDeniedError, RepositoryNotFoundError, ServiceFaultError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
OTHER = "999999999999"


def of(image: SampleImage, child: int) -> Digest:
    return Digest.parse(image.children[child].digest)


def test_the_index_of_an_image_is_found_in_two_calls(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("old", "build-41")
    new = build("new", "build-42", "prod", media_types="docker")
    found = index_with(repository, of(new, 1))
    assert found is not None
    assert (str(found.digest), set(found.tags), found.registry_id) == (new.digest, {"build-42", "prod"}, ACCOUNT)
    assert ecr.calls == ["DescribeImages", "BatchGetImage"]
    page = {"repositoryName": REPOSITORY, "filter": {"tagStatus": "ANY"}, "maxResults": 1000}
    assert ecr.requests[0].parameters == page


def test_only_indexes_are_read(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build) -> None:
    index = build("new", "build-42")
    build("single", "single", platforms=["linux/amd64"])
    push(client, REPOSITORY, sample_artifact("text/plain", subject=index))
    assert index_with(repository, of(index, 0)) is not None
    assert ecr.requests[-1].parameters["imageIds"] == [{"imageDigest": index.digest}]


def test_an_image_of_no_index_has_none(repository: EcrRepository, build: Build) -> None:
    single = build("single", "single", platforms=["linux/amd64"])
    index = build("new", "build-42")
    assert index_with(repository, Digest.parse(single.digest)) is None
    assert index_with(repository, Digest.parse(index.digest)) is None


def test_where_there_is_no_index_nothing_is_read(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    single = build("single", "single", platforms=["linux/amd64"])
    assert index_with(repository, Digest.parse(single.digest)) is None
    assert ecr.calls == ["DescribeImages"]


def test_only_the_newest_are_looked_at_unless_all_are_wanted(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    old = build("old")
    newer = []
    for name in ("new", "newest"):
        ecr.advance(60)
        newer.append(build(name))
    assert index_with(repository, of(old, 0), most=2) is None
    assert ecr.requests[-1].parameters["imageIds"] == [{"imageDigest": each.digest} for each in reversed(newer)]
    assert index_with(repository, of(newer[0], 0), most=2) is not None
    assert index_with(repository, of(old, 0), most=None) is not None


def test_of_several_indexes_the_newest_is_told(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    first = build("new", "first")
    ecr.advance(60)
    second = build("new", "second", annotations={"built": "again"})
    assert first.children == second.children
    found = index_with(repository, of(first, 0))
    assert found is not None
    assert found.tags == ("second",)
    ecr.advance(60)
    client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": second.digest}])
    found = index_with(repository, of(first, 0))
    assert found is not None
    assert found.tags == ("first",)


def test_an_index_that_is_gone_in_between_is_none(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    index = build("new", "build-42")
    ecr.faults.after(
        "DescribeImages",
        lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": index.digest}]),
    )
    assert index_with(repository, of(index, 0)) is None


def test_an_index_of_another_account_is_asked_for_by_its_registry_id(ecr: EcrEmulator) -> None:
    owner, image = ecr.client(account_id=OTHER), sample_image()
    owner.create_repository(repositoryName=REPOSITORY)
    push(owner, REPOSITORY, image, "build-42")
    foreign = EcrRepository(ecr.client(), REPOSITORY, OTHER)
    with pytest.raises(AccessDeniedError):
        index_with(foreign, of(image, 0))
    policy = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    found = index_with(foreign, of(image, 0))
    assert found is not None
    assert found.registry_id == OTHER


def test_failures_are_errors(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build) -> None:
    digest = of(build("new"), 0)
    with pytest.raises(RepositoryNotFoundError, match=r"DescribeImages of shop/none failed"):
        index_with(EcrRepository(client, "shop/none"), digest)
    ecr.faults.corrupt("DescribeImages", lambda _: {"imageDetails": None})
    with pytest.raises(ServiceFaultError):
        index_with(repository, digest)
