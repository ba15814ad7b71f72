"""Putting an image under tags, by the real boto3 client against the local ECR."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import REPOSITORY
from puts import put, retag

from ecr_provider.ecr.put_image import carry_out, plan_put
from ecr_provider.ecr.put_plan import Outcome, PutRequest
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, sample_image
from ecr_provider.exceptions import (
    DigestMismatchError,
    ImageDigestRejectedError,
    ImageNotFoundError,
    LayersNotFoundError,
    PartialPutError,
    ReferencedImagesNotFoundError,
    RepositoryNotFoundError,
    ServiceFaultError,
    TagImmutableError,
    ThrottledError,
)
from ecr_provider.oci import Digest, parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
PointsAt = Callable[[str], str | None]


# --- Calls -----------------------------------------------------------------------------------------------------------


def test_a_retag_takes_two_calls(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    image = build("new", "build-42")
    plan = put(repository, retag("build-42", "prod"))
    assert ecr.calls == ["BatchGetImage", "PutImage"]
    assert plan.outcome is Outcome.CREATED
    assert points_at("prod") == image.digest


def test_what_is_there_already_takes_one_call(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42", "prod")
    plan = put(repository, retag("build-42", "prod"))
    assert ecr.calls == ["BatchGetImage"]
    assert plan.outcome is Outcome.UNCHANGED


def test_every_put_carries_digest_and_media_type(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")
    put(repository, retag("build-42", "prod"))
    parameters = ecr.requests[-1].parameters
    assert parameters["imageDigest"] == image.digest
    assert parameters["imageManifestMediaType"] == image.media_type
    assert parameters["imageManifest"] == image.text


def test_several_tags_take_one_look_and_one_put_for_each_that_moves(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    old = build("old", "stable")
    build("new", "build-42", "prod")
    plan = put(repository, retag("build-42", "prod", "stable", "v1"))
    assert ecr.calls == ["BatchGetImage", "PutImage", "PutImage"]
    assert [(move.tag, move.outcome.value, move.previous and str(move.previous)) for move in plan.moves] == [
        ("prod", "unchanged", str(plan.manifest.digest)),
        ("stable", "moved", old.digest),
        ("v1", "created", None),
    ]


def test_more_tags_than_one_call_can_ask_for(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    plan = put(repository, retag("build-42", *(f"v{number}" for number in range(120))))
    assert ecr.calls == ["BatchGetImage"] * 2 + ["PutImage"] * 120
    assert len(plan.moves) == 120


def test_a_manifest_without_a_tag_is_put_by_digest_once(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    image = build("new")
    annotated = parse_manifest(image.text.replace('"schemaVersion":2', '"annotations":{"a":"b"},"schemaVersion":2'))
    assert put(repository, PutRequest(annotated)).outcome is Outcome.CREATED
    assert put(repository, PutRequest(annotated)).outcome is Outcome.UNCHANGED
    assert ecr.calls == ["BatchGetImage", "PutImage", "BatchGetImage"]


@pytest.mark.parametrize("media_types", ["oci", "docker"])
@pytest.mark.parametrize("platforms", [("linux/amd64",), ("linux/amd64", "linux/arm64")])
def test_every_kind_of_image_keeps_its_digest(
    repository: EcrRepository, build: Build, points_at: PointsAt, media_types: str, platforms: tuple[str, ...]
) -> None:
    image = build("new", "build-42", media_types=media_types, platforms=platforms)
    put(repository, retag("build-42", "prod"))
    assert points_at("prod") == image.digest


# --- Digest ----------------------------------------------------------------------------------------------------------


def test_a_demanded_digest_is_checked_before_any_call(ecr: EcrEmulator, repository: EcrRepository) -> None:
    manifest = parse_manifest(sample_image().text + "\n")
    with pytest.raises(DigestMismatchError, match="nothing was put"):
        plan_put(repository, PutRequest(manifest, ("prod",), Digest.parse(sample_image().digest)))
    assert ecr.calls == []


def test_a_demanded_digest_is_checked_against_the_source(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    with pytest.raises(DigestMismatchError):
        plan_put(repository, retag("build-42", "prod", digest=Digest.of(b"another")))
    assert ecr.calls == ["BatchGetImage"]


def test_ecr_calculating_another_digest_is_an_error(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage", "ImageDigestDoesNotMatchException")
    with pytest.raises(ImageDigestRejectedError) as caught:
        put(repository, retag("build-42", "prod"))
    assert not caught.value.retryable


def test_ecr_answering_another_digest_is_an_error(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")

    def other(answer: dict[str, Any]) -> dict[str, Any]:
        return {"image": answer["image"] | {"imageId": {"imageDigest": str(Digest.of(b"other"))}}}

    ecr.faults.corrupt("PutImage", other)
    with pytest.raises(DigestMismatchError, match="answered shop/web@"):
        put(repository, retag("build-42", "prod"))


def test_a_source_whose_text_is_not_its_digest_is_never_put(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")

    def tampered(answer: dict[str, Any]) -> dict[str, Any]:
        (image,) = answer["images"]
        return answer | {"images": [image | {"imageManifest": image["imageManifest"] + " "}]}

    ecr.faults.corrupt("BatchGetImage", tampered, times=2)
    with pytest.raises(DigestMismatchError, match="Do not release it"):
        plan_put(repository, retag("build-42", "prod"))
    assert "PutImage" not in ecr.calls


# --- Lost answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["500", "cut"])
@pytest.mark.parametrize("times", [1, 3], ids=["the SDK retries", "the SDK gives up"])
def test_a_lost_answer_ends_in_success(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt, how: str, times: int
) -> None:
    old = build("old", "prod")
    image = build("new", "build-42")
    ecr.faults.lose("PutImage", times=times, how=how)  # type: ignore[arg-type]  # a parameter of the test
    plan = put(repository, retag("build-42", "prod"))
    assert (plan.outcome, str(plan.moves[0].previous)) == (Outcome.MOVED, old.digest)
    assert points_at("prod") == image.digest


def test_a_lost_answer_to_a_put_without_a_tag_ends_in_success(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    manifest = parse_manifest(build("new").text + " ")
    ecr.faults.lose("PutImage")
    assert put(repository, PutRequest(manifest)).outcome is Outcome.CREATED


@pytest.mark.parametrize("answer", ["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"])
def test_the_same_image_put_by_somebody_else_in_between_is_success(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, answer: str
) -> None:
    ecr.client().put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    image = build("new", "build-42")
    ecr.switches.immutable_and_identical = answer  # type: ignore[assignment]  # a parameter of the test
    rival = ecr.client()

    def overtake() -> None:
        rival.put_image(repositoryName=REPOSITORY, imageManifest=image.text, imageTag="prod")

    ecr.faults.before("PutImage", overtake)
    assert put(repository, retag("build-42", "prod")).outcome is Outcome.CREATED


def test_a_fault_that_was_not_applied_is_retryable_and_the_next_try_converges(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    image = build("new", "build-42")
    ecr.faults.fail("PutImage", "ServerException", status=500, times=3)
    with pytest.raises(ServiceFaultError) as caught:
        put(repository, retag("build-42", "prod"))
    assert caught.value.retryable
    assert put(repository, retag("build-42", "prod")).outcome is Outcome.CREATED
    assert points_at("prod") == image.digest


def test_a_failed_put_whose_result_cannot_be_read_either_keeps_its_own_error(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    plan = plan_put(repository, retag("build-42", "prod"))
    ecr.faults.cut("PutImage", times=3)
    ecr.faults.cut("BatchGetImage", times=3)
    with pytest.raises(ServiceFaultError, match="PutImage"):
        carry_out(repository, plan)


# --- Errors ----------------------------------------------------------------------------------------------------------


def test_throttling_is_retryable(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage", "ThrottlingException", times=3)
    with pytest.raises(ThrottledError) as caught:
        put(repository, retag("build-42", "prod"))
    assert (caught.value.retryable, caught.value.code) == (True, "ThrottlingException")
    assert caught.value.request_id


def test_an_immutable_tag_on_another_image_says_which(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    old = build("old", "prod")
    image = build("new", "build-42")
    ecr.client().put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    with pytest.raises(TagImmutableError) as caught:
        put(repository, retag("build-42", "prod"))
    assert f"points at {old.digest}; the image to put is {image.digest}" in str(caught.value)
    assert caught.value.request_id


def test_a_missing_source_is_named(repository: EcrRepository) -> None:
    with pytest.raises(ImageNotFoundError, match=f"{REPOSITORY}:build-42 cannot be read"):
        plan_put(repository, retag("build-42", "prod"))


def test_a_missing_repository_is_named(client: ECRClient) -> None:
    with pytest.raises(RepositoryNotFoundError, match="shop/nowhere"):
        plan_put(EcrRepository(client, "shop/nowhere"), retag("build-42", "prod"))


def test_missing_children_are_named(repository: EcrRepository) -> None:
    with pytest.raises(ReferencedImagesNotFoundError, match="Push every manifest"):
        put(repository, PutRequest(parse_manifest(sample_image().text), ("prod",)))


def test_missing_layers_are_waited_for_and_then_named(ecr: EcrEmulator, repository: EcrRepository) -> None:
    waits: list[float] = []
    manifest = parse_manifest(sample_image(platforms=["linux/amd64"]).text)
    with pytest.raises(LayersNotFoundError, match="Push the image's layers"):
        carry_out(repository, plan_put(repository, PutRequest(manifest, ("prod",))), sleep=waits.append)
    assert ecr.calls.count("PutImage") == 6
    assert 2.9 < sum(waits) < 4


def test_layers_that_appear_in_time_are_no_error(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    image = build("new", platforms=["linux/amd64"])
    ecr.faults.fail("PutImage", "LayersNotFoundException", times=2)
    assert put(repository, PutRequest(parse_manifest(image.text), ("prod",))).outcome is Outcome.CREATED
    assert ecr.calls.count("PutImage") == 3


# --- Several tags ----------------------------------------------------------------------------------------------------


def test_a_failure_among_several_tags_says_what_is_done_and_a_retry_finishes_the_rest(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    image = build("new", "build-42")
    request = retag("build-42", "one", "two", "three")
    ecr.faults.after("PutImage", lambda: ecr.faults.fail("PutImage", "ThrottlingException", times=3))
    with pytest.raises(PartialPutError) as caught:
        put(repository, request)
    error = caught.value
    assert (error.put, error.failed, error.not_tried, error.retryable) == (("one",), "two", ("three",), True)
    assert "done: one; failed: two; not tried: three" in str(error)
    assert [move.outcome.value for move in put(repository, request).moves] == ["unchanged", "created", "created"]
    assert {points_at(tag) for tag in ("one", "two", "three")} == {image.digest}


def test_a_failure_that_no_retry_mends_is_not_retryable_for_several_tags_either(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage", "KmsException")
    with pytest.raises(PartialPutError) as caught:
        put(repository, retag("build-42", "one", "two"))
    assert not caught.value.retryable


def test_ecr_answering_another_tag_is_an_error(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")

    def other(answer: dict[str, Any]) -> dict[str, Any]:
        identifier = {"imageDigest": image.digest, "imageTag": "other"}
        return {"image": answer["image"] | {"imageId": identifier}}

    ecr.faults.corrupt("PutImage", other)
    with pytest.raises(DigestMismatchError, match=":other@"):
        put(repository, retag("build-42", "prod"))
