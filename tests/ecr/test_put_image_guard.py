"""Guarded tags and archived images, by the real boto3 client against the local ECR."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import ACCOUNT, REPOSITORY, needs_archives
from puts import put, retag

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.put_image import carry_out, plan_put
from ecr_provider.ecr.put_plan import Guard, Outcome, PutRequest
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import (
    EcrProviderError,
    ImageInaccessibleError,
    LostRaceError,
    PreconditionFailedError,
    ServiceFaultError,
)
from ecr_provider.oci import Digest, parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
PointsAt = Callable[[str], str | None]


# --- Guard -----------------------------------------------------------------------------------------------------------


def test_a_guard_costs_one_look_more(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    old = build("old", "prod")
    build("new", "build-42")
    plan = put(repository, retag("build-42", "prod", guard=Guard(Digest.parse(old.digest))))
    assert plan.outcome is Outcome.MOVED
    assert ecr.calls == ["BatchGetImage", "PutImage", "BatchGetImage"]


def test_a_guard_refuses_before_anything_is_put(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    old = build("old", "prod")
    build("new", "build-42")
    request = retag("build-42", "fresh", "prod", guard=Guard(None))
    with pytest.raises(PreconditionFailedError):
        plan_put(repository, request)
    assert "PutImage" not in ecr.calls
    assert points_at("prod") == old.digest


def test_a_lost_race_is_reported_as_such(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    old = build("old", "prod")
    rival = build("rival", "build-43")
    build("new", "build-42")
    other = ecr.client()

    def overtake() -> None:
        other.put_image(repositoryName=REPOSITORY, imageManifest=rival.text, imageTag="prod")

    ecr.faults.after("PutImage", overtake)
    with pytest.raises(LostRaceError) as caught:
        put(repository, retag("build-42", "prod", guard=Guard(Digest.parse(old.digest))))
    assert caught.value.actual == rival.digest
    assert not caught.value.retryable


def test_a_tag_deleted_right_after_a_guarded_put_is_a_lost_race(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    other = ecr.client()

    def remove() -> None:
        other.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "prod"}])

    ecr.faults.after("PutImage", remove)
    with pytest.raises(LostRaceError, match="does not exist"):
        put(repository, retag("build-42", "prod", guard=Guard(None)))


def test_a_retry_after_a_guarded_put_succeeds(repository: EcrRepository, build: Build) -> None:
    old = build("old", "prod")
    build("new", "build-42")
    request = retag("build-42", "prod", guard=Guard(Digest.parse(old.digest)))
    put(repository, request)
    assert put(repository, request).outcome is Outcome.UNCHANGED


def test_a_tag_that_cannot_be_read_back_is_no_lost_race(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    plan = plan_put(repository, retag("build-42", "prod", guard=Guard(None)))
    ecr.faults.fail("BatchGetImage", "ServerException", status=500, times=3)
    with pytest.raises(ServiceFaultError):
        carry_out(repository, plan)


# --- Archived images -------------------------------------------------------------------------------------------------


def archive(client: ECRClient, image: SampleImage) -> None:
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": image.digest}, targetStorageClass="ARCHIVE"
    )


@needs_archives
def test_an_archived_source_is_refused(client: ECRClient, repository: EcrRepository, build: Build) -> None:
    archive(client, build("new", "build-42", platforms=["linux/amd64"]))
    with pytest.raises(ImageInaccessibleError, match="Restore it"):
        plan_put(repository, retag("build-42", "prod"))


@needs_archives
@pytest.mark.parametrize("tags", [("prod",), ()], ids=["by tag", "by digest"])
def test_an_archived_image_that_is_put_again_is_restored(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build, tags: tuple[str, ...]
) -> None:
    image = build("new", "prod", platforms=["linux/amd64"])
    archive(client, image)
    plan = plan_put(repository, PutRequest(parse_manifest(image.text), tags))
    assert (plan.outcome, carry_out(repository, plan)[1]) == (Outcome.RESTORED, ACCOUNT)
    assert ecr.calls.count("PutImage") == 1
    assert repository.describe_image(ImageIdentifier(tag="prod")).is_active


@needs_archives
@pytest.mark.parametrize("guarded", [False, True])
def test_a_tag_on_an_archived_image_is_moved_and_remembers_from_where(
    client: ECRClient, repository: EcrRepository, build: Build, *, guarded: bool
) -> None:
    old = build("old", "prod", platforms=["linux/amd64"])
    build("new", "build-42")
    archive(client, old)
    guard = Guard(Digest.parse(old.digest)) if guarded else None
    assert str(put(repository, retag("build-42", "prod", guard=guard)).moves[0].previous) == old.digest


@needs_archives
@pytest.mark.parametrize("answer", ["ImageInaccessible", "ImageNotFound"])
def test_a_tag_on_an_archived_image_is_not_absent_whatever_ecr_calls_it(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build, answer: str
) -> None:
    archive(client, build("old", "prod", platforms=["linux/amd64"]))
    build("new", "build-42")

    def called(reply: dict[str, Any]) -> dict[str, Any]:
        return reply | {"failures": [failure | {"failureCode": answer} for failure in reply["failures"]]}

    ecr.faults.corrupt("BatchGetImage", called)
    with pytest.raises(PreconditionFailedError):
        plan_put(repository, retag("build-42", "prod", guard=Guard(None)))


def test_a_tag_of_which_nothing_can_be_known_is_left_alone(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")

    def unknown(reply: dict[str, Any]) -> dict[str, Any]:
        return reply | {"failures": [failure | {"failureCode": "KmsError"} for failure in reply["failures"]]}

    ecr.faults.corrupt("BatchGetImage", unknown)
    with pytest.raises(EcrProviderError):
        plan_put(repository, retag("build-42", "prod"))
    assert "PutImage" not in ecr.calls


def test_a_tag_that_moves_while_layers_are_waited_for_is_left_alone(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    old = build("old", "prod")
    rival = build("rival", "build-43")
    new = build("new", platforms=["linux/amd64"])
    other = ecr.client()

    def overtake(_: float) -> None:
        other.put_image(repositoryName=REPOSITORY, imageManifest=rival.text, imageTag="prod")

    guard = Guard(Digest.parse(old.digest))
    plan = plan_put(repository, PutRequest(parse_manifest(new.text), ("prod",), guard=guard))
    ecr.faults.fail("PutImage", "LayersNotFoundException", times=2)
    with pytest.raises(PreconditionFailedError):
        carry_out(repository, plan, sleep=overtake)
    assert points_at("prod") == rival.digest


@needs_archives
def test_an_image_restored_between_two_looks_is_unchanged(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    image = build("new", "prod", platforms=["linux/amd64"])
    archive(client, image)
    ecr.faults.before("DescribeImages", lambda: client.put_image(repositoryName=REPOSITORY, imageManifest=image.text))
    plan = plan_put(repository, PutRequest(parse_manifest(image.text), ("prod",)))
    assert (plan.outcome, carry_out(repository, plan)[1]) == (Outcome.UNCHANGED, ACCOUNT)
