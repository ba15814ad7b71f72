from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import ACCOUNT, REPOSITORY, needs_archives

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository, Image
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image
from ecr_provider.exceptions import (
    AccessDeniedError,
    EcrCallError,
    ImageNotFoundError,
    InvalidInputError,
    InvalidManifestError,
    InvalidReferenceError,
    ServiceFaultError,
)
from ecr_provider.oci import Digest, ImageIndex

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]


def test_an_image_is_read_as_it_was_pushed(repository: EcrRepository, build: Build) -> None:
    pushed = build("new", "build-42")
    image = repository.get_image(ImageIdentifier(tag="build-42"))
    manifest = repository.manifest_of(image)
    assert (image.registry_id, str(image.digest), image.tag) == (ACCOUNT, pushed.digest, "build-42")
    assert (manifest.text, manifest.media_type) == (pushed.text, pushed.media_type)
    assert isinstance(manifest, ImageIndex)


def test_all_modern_media_types_are_accepted(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    repository.get_image(ImageIdentifier(tag="build-42"))
    assert set(ecr.requests[-1].parameters["acceptedMediaTypes"]) >= {
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    }


def test_a_converted_answer_is_read_again_by_digest(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    pushed = build("new", "build-42", platforms=["linux/amd64"])

    def converted(answer: dict[str, Any]) -> dict[str, Any]:
        text = answer["images"][0]["imageManifest"].replace("vnd.oci.image", "vnd.docker")
        return answer | {"images": [answer["images"][0] | {"imageManifest": text}]}

    ecr.faults.corrupt("BatchGetImage", converted)
    manifest = repository.manifest_of(repository.get_image(ImageIdentifier(tag="build-42")))
    assert manifest.text == pushed.text
    assert ecr.requests[-1].parameters["imageIds"] == [{"imageDigest": pushed.digest}]


def test_a_schema_1_image_is_refused_as_a_source(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42", platforms=["linux/amd64"])
    text = '{"schemaVersion": 1, "name": "shop/web", "fsLayers": [], "history": []}'

    def schema_1(answer: dict[str, Any]) -> dict[str, Any]:
        identifier = {"imageDigest": str(Digest.of(text.encode())), "imageTag": "build-42"}
        return answer | {"images": [answer["images"][0] | {"imageManifest": text, "imageId": identifier}]}

    ecr.faults.corrupt("BatchGetImage", schema_1)
    image = repository.get_image(ImageIdentifier(tag="build-42"))
    with pytest.raises(InvalidManifestError, match="schema 1"):
        repository.manifest_of(image)


def test_tag_and_digest_have_to_agree(repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    old = build("old", "build-41")
    with pytest.raises(ImageNotFoundError, match="ImageTagDoesNotMatchDigest"):
        repository.get_image(ImageIdentifier(Digest.parse(old.digest), "build-42"))


def test_one_answer_tells_what_is_there_and_what_is_not(repository: EcrRepository, build: Build) -> None:
    pushed = build("new", "build-42", "prod")
    asked = [ImageIdentifier(tag="build-42"), ImageIdentifier(tag="gone"), ImageIdentifier(tag="prod")]
    asked += [ImageIdentifier(Digest.parse(pushed.digest)), ImageIdentifier(Digest.of(b"gone"))]
    answer = repository.read(asked)
    assert [isinstance(answer[each], EcrCallError) for each in asked] == [False, True, False, False, True]


@needs_archives
def test_describing_an_image_tells_its_tags_and_status(
    client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    pushed = build("new", "build-42", "prod", platforms=["linux/amd64"])
    detail = repository.describe_image(ImageIdentifier(tag="prod"))
    assert (str(detail.digest), set(detail.tags), detail.is_active) == (pushed.digest, {"build-42", "prod"}, True)
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": pushed.digest}, targetStorageClass="ARCHIVE"
    )
    assert not repository.describe_image(ImageIdentifier(tag="prod")).is_active


def test_another_account_is_reached_by_its_registry_id(ecr: EcrEmulator) -> None:
    owner = ecr.client(account_id="999999999999")
    owner.create_repository(repositoryName=REPOSITORY)
    push(owner, REPOSITORY, sample_image(), "build-42")
    foreign = EcrRepository(ecr.client(), REPOSITORY, "999999999999")
    with pytest.raises(AccessDeniedError, match="policy of the repository"):
        foreign.get_image(ImageIdentifier(tag="build-42"))
    policy = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    manifest = foreign.manifest_of(foreign.get_image(ImageIdentifier(tag="build-42")))
    assert foreign.put_image(manifest, "prod") == "999999999999"
    assert foreign.describe_image(ImageIdentifier(tag="prod")).registry_id == "999999999999"


def test_the_uri_pins_the_digest(repository: EcrRepository) -> None:
    digest = Digest.of(b"")
    assert repository.image_uri(ACCOUNT, digest) == f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{digest}"


def test_the_uri_knows_the_partition(ecr: EcrEmulator) -> None:
    repository = EcrRepository(ecr.client(region_name="cn-north-1"), REPOSITORY)
    assert ".dkr.ecr.cn-north-1.amazonaws.com.cn/" in repository.image_uri(ACCOUNT, Digest.of(b""))


@pytest.mark.parametrize(("name", "registry_id"), [("Shop", None), ("shop/web", "1234")])
def test_names_are_checked_before_any_call(client: ECRClient, name: str, registry_id: str | None) -> None:
    with pytest.raises((InvalidReferenceError, InvalidInputError)):
        EcrRepository(client, name, registry_id)


def test_an_answer_that_names_an_image_once_for_two_tags_is_completed(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    pushed = build("new", "build-42", "prod")
    ecr.faults.corrupt("BatchGetImage", lambda answer: answer | {"images": answer["images"][:1]})
    asked = [ImageIdentifier(tag="build-42"), ImageIdentifier(tag="prod")]
    answer = repository.read(asked)
    assert {str(image.digest) for image in answer.values() if isinstance(image, Image)} == {pushed.digest}
    assert ecr.calls == ["BatchGetImage", "BatchGetImage"]


def test_an_answer_about_another_image_is_a_fault(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")

    def other(answer: dict[str, Any]) -> dict[str, Any]:
        return {"imageDetails": [answer["imageDetails"][0] | {"imageTags": ["other"]}]}

    ecr.faults.corrupt("DescribeImages", other)
    with pytest.raises(ServiceFaultError):
        repository.describe_image(ImageIdentifier(tag="build-42"))


@pytest.mark.parametrize("images", [None, [None], [{"imageId": {"imageDigest": "no digest"}, "registryId": "1"}]])
def test_an_answer_of_another_shape_is_a_fault(ecr: EcrEmulator, repository: EcrRepository, images: object) -> None:
    ecr.faults.corrupt("BatchGetImage", lambda answer: answer | {"images": images})
    with pytest.raises(ServiceFaultError):
        repository.get_image(ImageIdentifier(tag="build-42"))


def test_a_region_without_registries_is_refused_before_any_call(ecr: EcrEmulator) -> None:
    client = ecr.client(region_name="local")
    with pytest.raises(InvalidReferenceError, match="'local' is not an AWS Region"):
        EcrRepository(client, REPOSITORY)
    assert ecr.calls == []
