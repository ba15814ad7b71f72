"""Replication of deletions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from emulator.replications import configure, delete, needs_deletions, tags_of
from emulator_calls import version

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


@pytest.fixture
def replica(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> str:
    """A repository whose images, with the tags "v1" and "stable", and whose deletions are replicated."""
    configure(client, deleteReplication={"enabled": True})
    push(client, web, version(1), "v1")
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="stable")
    ecr.advance(30)
    assert set(tags_of(west, web)) == {"v1", "stable"}
    return web


def test_deletions_do_not_travel_unless_asked(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    delete(client, web, imageTag="v1")
    ecr.advance(60)
    assert tags_of(west, web) == {"v1": version(1).digest}


@needs_deletions
def test_the_removal_of_a_tag_travels(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    delete(client, replica, imageTag="v1")
    assert set(tags_of(west, replica)) == {"v1", "stable"}
    ecr.advance(30)
    assert set(tags_of(west, replica)) == {"stable"}


@needs_deletions
def test_the_deletion_of_an_image_travels(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    delete(client, replica, imageDigest=version(1).digest)
    ecr.advance(30)
    assert west.list_images(repositoryName=replica)["imageIds"] == []


@needs_deletions
def test_a_tag_that_points_elsewhere_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    push(west, replica, version(2), "v1")
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert tags_of(west, replica)["v1"] == version(2).digest


@needs_deletions
def test_an_image_that_loses_its_last_tag_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    delete(west, replica, imageTag="stable")
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert west.list_images(repositoryName=replica)["imageIds"] == [{"imageDigest": version(1).digest}]


@needs_deletions
def test_an_image_that_an_index_names_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str, capfd: pytest.CaptureFixture[str]
) -> None:
    image = sample_image()
    configure(client, deleteReplication={"enabled": True})
    for child in image.children[:1]:
        push(client, web, SampleImage(child, (), image.blobs))
    ecr.advance(30)
    push(west, web, image, "theirs")
    delete(client, web, imageDigest=image.children[0].digest)
    ecr.advance(30)
    assert west.describe_images(repositoryName=web, imageIds=[{"imageDigest": image.children[0].digest}])
    assert capfd.readouterr().err == ""  # where a job that failed would be


@needs_deletions
def test_what_a_lifecycle_policy_expires_is_deleted_there_too(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    push(client, replica, version(2), "v2")
    ecr.advance(30)
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    client.put_lifecycle_policy(repositoryName=replica, lifecyclePolicyText=json.dumps({"rules": [rule]}))
    ecr.advance(24 * 60 * 60)
    assert set(tags_of(west, replica)) == {"v1", "stable", "v2"}
    ecr.advance(30)
    assert tags_of(west, replica) == tags_of(client, replica) == {"v2": version(2).digest}


@needs_deletions
def test_a_deletion_where_there_is_nothing(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    west.delete_repository(repositoryName=replica, force=True)
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert west.describe_repositories()["repositories"] == []
