"""Which layers a repository has, as the local ECR answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest
from emulator_calls import ONCE
from local_ecr import REPOSITORY, needs_archives

from ecr_provider.ecr.layers import available_layers
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image
from ecr_provider.exceptions import AccessDeniedError, RepositoryNotFoundError, ServiceFaultError, ThrottledError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
OTHER = "999999999999"


def blobs_of(image: SampleImage) -> frozenset[Digest]:
    return frozenset(map(Digest.parse, image.blobs))


def absent(count: int) -> list[Digest]:
    return [Digest.of(f"absent {number}".encode()) for number in range(count)]


@pytest.mark.parametrize("absent_layer", ["UNAVAILABLE", "MissingLayerDigest"])
def test_layers_and_configs_that_are_there_are_found(
    ecr: EcrEmulator,
    repository: EcrRepository,
    build: Build,
    absent_layer: Literal["UNAVAILABLE", "MissingLayerDigest"],
) -> None:
    ecr.switches.absent_layer = absent_layer
    there = blobs_of(build("new"))
    assert available_layers(repository, [*absent(2), *there]) == there
    assert available_layers(repository, absent(3)) == frozenset()
    assert ecr.calls == ["BatchCheckLayerAvailability"] * 2


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_a_hundred_are_asked_for_at_a_time(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, count: int, sizes: list[int]
) -> None:
    build("new")
    available_layers(repository, absent(count))
    asked = [request.parameters["layerDigests"] for request in ecr.requests]
    assert [len(batch) for batch in asked] == sizes
    assert [digest for batch in asked for digest in batch] == list(map(str, absent(count)))


def test_what_is_there_is_found_in_every_batch(repository: EcrRepository, build: Build) -> None:
    first, last = (
        blobs_of(build("first", platforms=["linux/amd64"])),
        blobs_of(build("last", platforms=["linux/arm64"])),
    )
    assert available_layers(repository, [*first, *absent(150), *last]) == first | last


@needs_archives
def test_what_is_archived_is_missing(client: ECRClient, repository: EcrRepository, build: Build) -> None:
    archived = build("old", platforms=["linux/amd64"])
    active = build("new", platforms=["linux/arm64"])
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": archived.digest}, targetStorageClass="ARCHIVE"
    )
    assert available_layers(repository, blobs_of(archived) | blobs_of(active)) == blobs_of(active)


def test_another_account_is_asked_by_its_registry_id(ecr: EcrEmulator) -> None:
    owner, image = ecr.client(account_id=OTHER), sample_image()
    owner.create_repository(repositoryName=REPOSITORY)
    push(owner, REPOSITORY, image)
    foreign = EcrRepository(ecr.client(), REPOSITORY, OTHER)
    with pytest.raises(AccessDeniedError):
        available_layers(foreign, blobs_of(image))
    policy = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    assert available_layers(foreign, blobs_of(image)) == blobs_of(image)
    assert ecr.requests[-1].parameters["registryId"] == OTHER


def test_the_own_account_is_not_named(ecr: EcrEmulator, repository: EcrRepository) -> None:
    available_layers(repository, absent(1))
    assert "registryId" not in ecr.requests[-1].parameters


def test_a_repository_that_is_not_there_is_an_error(client: ECRClient) -> None:
    with pytest.raises(RepositoryNotFoundError, match=r"BatchCheckLayerAvailability of shop/none failed"):
        available_layers(EcrRepository(client, "shop/none"), absent(1))


def test_a_failure_of_a_later_batch_is_one_of_the_whole(ecr: EcrEmulator) -> None:
    ecr.faults.fail("BatchCheckLayerAvailability", skip=1)
    with pytest.raises(ThrottledError):
        available_layers(EcrRepository(ecr.client(config=ONCE), REPOSITORY), absent(101))


@pytest.mark.parametrize("layers", [None, [{"layerDigest": "no digest", "layerAvailability": "AVAILABLE"}], [{}]])
def test_an_answer_of_another_shape_is_a_fault(ecr: EcrEmulator, repository: EcrRepository, layers: object) -> None:
    ecr.faults.corrupt("BatchCheckLayerAvailability", lambda answer: answer | {"layers": layers})
    with pytest.raises(ServiceFaultError):
        available_layers(repository, absent(1))
