"""Which images an index is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import ACCOUNT, REPOSITORY, needs_archives
from sample_indexes import LINUX, NOBODY, entry, index_of

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_artifact, sample_image
from ecr_provider.exceptions import (
    ImageInaccessibleError,
    ImageNotFoundError,
    InvalidManifestError,
    RepositoryNotFoundError,
)
from ecr_provider.gates.gate import GatedImage
from ecr_provider.gates.platforms import PlatformImage, images_of
from ecr_provider.oci import Digest
from ecr_provider.oci.media_types import DOCKER_MANIFEST_LIST, DOCKER_MANIFEST_V1_SIGNED, OCI_IMAGE_INDEX

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]

AMD = sample_image(["linux/amd64"])
ARM = sample_image(["linux/arm64/v8"])
ATTESTATION = sample_artifact("application/vnd.in-toto+json", b"provenance")
MARK = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": AMD.digest}


def pushed(repository: EcrRepository, *parts: SampleImage) -> GatedImage:
    """Push images, and return the last of them."""
    for part in parts:
        push(repository.client, REPOSITORY, part)
    return gated(parts[-1].digest, parts[-1].media_type)


def gated(digest: str, media_type: str | None) -> GatedImage:
    return GatedImage(Digest.parse(digest), None, ACCOUNT, media_type)


def texts(images: Sequence[PlatformImage]) -> list[tuple[str, str]]:
    return [(str(image.digest), image.platform) for image in images]


def test_an_image_is_made_of_itself_and_not_read(ecr: EcrEmulator, repository: EcrRepository) -> None:
    image = pushed(repository, AMD)
    ecr.clear_requests()
    assert texts(images_of(repository, image)) == [(AMD.digest, "")]
    assert ecr.calls == []


@pytest.mark.parametrize("media_types", ["oci", "docker"])
def test_an_index_is_made_of_its_images(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, media_types: str
) -> None:
    image = build("new", platforms=["linux/amd64", "linux/arm64/v8", "windows/amd64"], media_types=media_types)
    found = images_of(repository, gated(image.digest, image.media_type))
    digests = [child.digest for child in image.children]
    assert texts(found) == list(zip(digests, ["linux/amd64", "linux/arm64/v8", "windows/amd64"], strict=True))
    assert list(map(str, found)) == ["linux/amd64", "linux/arm64/v8", "windows/amd64"]
    assert ecr.calls == ["BatchGetImage"]


@pytest.mark.parametrize("image", [AMD, index_of(entry(AMD, LINUX))], ids=["image", "index"])
def test_what_ecr_does_not_name_the_type_of_is_read(repository: EcrRepository, image: SampleImage) -> None:
    pushed(repository, AMD, image)
    (found,) = images_of(repository, gated(image.digest, None))
    assert str(found.digest) == AMD.digest


def test_the_images_of_an_index_in_an_index_are_images_of_it(ecr: EcrEmulator, repository: EcrRepository) -> None:
    inner = index_of(entry(AMD, LINUX), media_type=DOCKER_MANIFEST_LIST)
    middle = index_of(entry(inner, LINUX), entry(ARM, {"os": "linux", "architecture": "arm64", "variant": "v8"}))
    image = pushed(repository, AMD, ARM, inner, middle, index_of(entry(middle)))
    ecr.clear_requests()
    assert texts(images_of(repository, image)) == [(AMD.digest, "linux/amd64"), (ARM.digest, "linux/arm64/v8")]
    assert ecr.calls == ["BatchGetImage"] * 3


def test_an_image_that_is_named_twice_is_one(repository: EcrRepository) -> None:
    inner = index_of(entry(AMD, LINUX))
    image = pushed(repository, AMD, inner, index_of(entry(AMD, LINUX), entry(inner), entry(AMD, LINUX)))
    assert texts(images_of(repository, image)) == [(AMD.digest, "linux/amd64")]


def test_an_image_without_a_platform_is_named_by_its_digest(repository: EcrRepository) -> None:
    (found,) = images_of(repository, pushed(repository, AMD, index_of(entry(AMD))))
    assert (found.platform, str(found)) == ("", AMD.digest)


def test_an_attestation_is_no_image(repository: EcrRepository) -> None:
    image = index_of(entry(AMD, LINUX), entry(ATTESTATION, NOBODY, **MARK))
    assert texts(images_of(repository, pushed(repository, AMD, ATTESTATION, image))) == [(AMD.digest, "linux/amd64")]


@pytest.mark.parametrize(
    "disguised",
    [
        entry(ARM, NOBODY),
        entry(ARM, LINUX, **MARK),
        entry(ARM, None, **MARK),
        entry(ARM, {"os": "unknown", "architecture": "arm64"}, **MARK),
        entry(ARM, {"os": "linux", "architecture": "unknown"}, **MARK),
        entry(ARM, {"os": "", "architecture": ""}, **MARK),
        entry(ARM, NOBODY, **{"com.docker.reference.type": "attestation-manifest"}),
    ],
)
def test_an_image_is_no_attestation_for_half_of_its_marks(repository: EcrRepository, disguised: dict[str, Any]) -> None:
    found = images_of(repository, pushed(repository, AMD, ARM, index_of(entry(AMD, LINUX), disguised)))
    assert [str(image.digest) for image in found] == [AMD.digest, ARM.digest]


@pytest.mark.parametrize("entries", [[], [entry(ATTESTATION, NOBODY, **MARK)]], ids=["empty", "attestations"])
def test_an_index_may_be_made_of_nothing(repository: EcrRepository, entries: list[dict[str, Any]]) -> None:
    assert images_of(repository, pushed(repository, ATTESTATION, index_of(*entries))) == ()


def test_an_artifact_in_an_index_is_taken_for_an_image(repository: EcrRepository) -> None:
    image = pushed(repository, AMD, ATTESTATION, index_of(entry(AMD, LINUX), entry(ATTESTATION)))
    assert [str(found.digest) for found in images_of(repository, image)] == [AMD.digest, ATTESTATION.digest]


@pytest.mark.parametrize("reads_before", [0, 1])
def test_an_index_that_is_gone_is_an_error(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, reads_before: int
) -> None:
    inner = index_of(entry(AMD, LINUX))
    image = pushed(repository, AMD, inner, index_of(entry(inner)))
    indexes = [str(image.digest), inner.digest]

    def delete() -> None:
        for digest in indexes:
            client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])

    ecr.faults.before("BatchGetImage", delete, skip=reads_before)
    with pytest.raises(ImageNotFoundError, match=indexes[reads_before]):
        images_of(repository, image)


def test_a_repository_that_is_gone_is_an_error(client: ECRClient) -> None:
    with pytest.raises(RepositoryNotFoundError):
        images_of(EcrRepository(client, "shop/none"), gated(AMD.digest, OCI_IMAGE_INDEX))


@needs_archives
def test_an_index_in_the_archive_is_an_error(client: ECRClient, repository: EcrRepository) -> None:
    image = pushed(repository, AMD, index_of(entry(AMD, LINUX)))
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": str(image.digest)}, targetStorageClass="ARCHIVE"
    )
    with pytest.raises(ImageInaccessibleError):
        images_of(repository, image)


def test_an_image_of_schema_1_is_refused(client: ECRClient, repository: EcrRepository) -> None:
    text = json.dumps({"schemaVersion": 1, "name": "web", "tag": "1", "fsLayers": [], "history": [], "signatures": []})
    put = client.put_image(
        repositoryName=REPOSITORY,
        imageManifest=text,
        imageManifestMediaType=DOCKER_MANIFEST_V1_SIGNED,
        imageTag="old",
    )["image"]["imageId"]["imageDigest"]
    with pytest.raises(InvalidManifestError, match="schema 1"):
        images_of(repository, gated(put, DOCKER_MANIFEST_V1_SIGNED))
