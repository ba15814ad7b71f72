"""Reading, listing, deleting and archiving images: what the contract's cases do not cover."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import put, refused, version
from local_ecr import needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OCI = "application/vnd.oci.image.manifest.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


# --- BatchGetImage ---


@pytest.mark.parametrize(
    ("stored", "accepted", "answered"),
    [
        ("docker", [SCHEMA2], SCHEMA2),
        ("docker", [OCI, SCHEMA2], SCHEMA2),
        ("docker", [OCI], OCI),
        ("docker", [SCHEMA1], None),
        ("oci", [SCHEMA2], SCHEMA2),
        ("oci", [SCHEMA1, SCHEMA2], SCHEMA2),
        ("oci", [OCI], OCI),
        ("oci", [SCHEMA1], None),
        ("oci", [INDEX], OCI),
        ("oci", ["application/json"], OCI),
    ],
)
def test_conversion(client: ECRClient, web: str, stored: Any, accepted: list[str], answered: str | None) -> None:
    push(client, web, sample_image(("linux/amd64",), media_types=stored), "v1")
    answer = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=accepted)
    assert [image["imageManifestMediaType"] for image in answer["images"]] == ([answered] if answered else [])
    assert [failure["failureCode"] for failure in answer["failures"]] == ([] if answered else ["ImageNotFound"])


def test_what_is_not_converted_is_said(client: ECRClient, web: str) -> None:
    push(client, web, sample_image(("linux/amd64",), media_types="docker"), "v1")
    answer = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[SCHEMA1])
    reason = answer["failures"][0]["failureReason"]
    assert reason == "The ECR emulator does not convert images to Docker's schema 1"


def test_conversion_there_and_back(client: ECRClient, web: str) -> None:
    docker, oci = (sample_image(("linux/amd64",), media_types=kind) for kind in ("docker", "oci"))
    push(client, web, docker, "docker")
    push(client, web, oci, "oci")
    for tag, kind, expected in (("docker", OCI, oci), ("oci", SCHEMA2, docker)):
        answer = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": tag}], acceptedMediaTypes=[kind])
        assert answer["images"][0]["imageManifest"] == expected.text


def test_an_index_is_never_converted(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    for accepted in ([OCI], [SCHEMA2]):
        answer = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=accepted)
        assert answer["images"][0]["imageManifest"] == image.text


def test_pulls_are_recorded_once_a_day(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    def pulled() -> Any:
        client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "zero"}])
        return client.describe_images(repositoryName=layers)["imageDetails"][0]["lastRecordedPullTime"]

    assert "lastRecordedPullTime" not in client.describe_images(repositoryName=layers)["imageDetails"][0]
    first = pulled()
    ecr.advance(23 * 3600)
    assert pulled() == first
    ecr.advance(2 * 3600)
    assert pulled() > first


# --- Listing ---


def test_one_missing_image_fails_describe_images(client: ECRClient, layers: str) -> None:
    expected = r"imageId \{imageDigest:'null', imageTag:'none'\} does not exist within the repository"
    with pytest.raises(client.exceptions.ImageNotFoundException, match=expected):
        client.describe_images(repositoryName=layers, imageIds=[{"imageTag": "zero"}, {"imageTag": "none"}])


@pytest.mark.parametrize("image_id", [{}, {"imageDigest": "zzz"}, {"imageTag": "bad tag"}])
def test_describe_images_refuses_what_names_no_image(client: ECRClient, layers: str, image_id: Any) -> None:
    with refused("InvalidParameterException"):
        client.describe_images(repositoryName=layers, imageIds=[image_id])


@pytest.mark.parametrize("paging", [{"maxResults": 1}, {"nextToken": "x"}])
def test_ids_exclude_paging(client: ECRClient, layers: str, paging: Any) -> None:
    with refused("InvalidParameterException"):
        client.describe_images(repositoryName=layers, imageIds=[{"imageTag": "zero"}], **paging)


def test_list_images_pages_within_the_tags_of_an_image(client: ECRClient, layers: str) -> None:
    put(client, layers, version(1))
    for tag in ("a", "b", "c"):
        put(client, layers, version(0), imageTag=tag)
        put(client, layers, version(2), imageTag=f"{tag}2")
    pages = client.get_paginator("list_images").paginate(repositoryName=layers, PaginationConfig={"PageSize": 3})
    sizes, listed = [], []
    for page in pages:
        sizes.append(len(page["imageIds"]))
        listed += [(one["imageDigest"], one.get("imageTag")) for one in page["imageIds"]]
    zero, one, two = (version(number).digest for number in range(3))
    assert sizes == [3, 3, 2]
    assert listed == [(zero, t) for t in ("a", "b", "c", "zero")] + [(one, None)] + [
        (two, t) for t in ("a2", "b2", "c2")
    ]


def test_an_image_moves_to_no_other_page(client: ECRClient, layers: str) -> None:
    """What is pushed, retagged or deleted between two pages makes no other image appear twice or never."""
    for number in range(1, 4):
        put(client, layers, version(number))
    page = client.describe_images(repositoryName=layers, maxResults=2)
    client.batch_delete_image(repositoryName=layers, imageIds=[{"imageTag": "zero"}])
    put(client, layers, version(3), imageTag="late")
    put(client, layers, version(4))
    rest = client.describe_images(repositoryName=layers, nextToken=page["nextToken"])
    digests = [image["imageDigest"] for image in page["imageDetails"] + rest["imageDetails"]]
    assert digests == [version(number).digest for number in range(5)]


def test_tokens_are_opaque_and_of_one_listing(client: ECRClient, layers: str) -> None:
    put(client, layers, version(1))
    client.create_repository(repositoryName="shop/other")
    token = client.describe_images(repositoryName=layers, maxResults=1)["nextToken"]
    with pytest.raises(client.exceptions.InvalidParameterException, match="Invalid next token provided"):
        client.describe_images(repositoryName="shop/other", nextToken=token)
    with refused("InvalidParameterException"):
        client.list_images(repositoryName=layers, nextToken=token)
    with refused("InvalidParameterException"):
        client.describe_images(repositoryName=layers, nextToken=token, filter={"tagStatus": "TAGGED"})
    for made in ("", "1", "zzzz", "AAAA" * 20, token[:-1], token.swapcase(), "é"):
        with refused("InvalidParameterException"):
            client.describe_images(repositoryName=layers, nextToken=made)


# --- BatchDeleteImage ---


def test_delete_by_digest_takes_all_tags(client: ECRClient, layers: str) -> None:
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    put(client, layers, version(0), imageTag="one")
    digest = version(0).digest
    answer = client.batch_delete_image(repositoryName=layers, imageIds=[{"imageDigest": digest}])
    assert answer["imageIds"] == [{"imageDigest": digest, "imageTag": tag} for tag in ("one", "zero")]
    assert client.list_images(repositoryName=layers)["imageIds"] == []


def test_deleting_the_last_tag_deletes_the_image(client: ECRClient, layers: str) -> None:
    put(client, layers, version(0), imageTag="one")
    for tag, left in (("zero", 1), ("one", 0)):
        client.batch_delete_image(repositoryName=layers, imageIds=[{"imageTag": tag}])
        assert len(client.describe_images(repositoryName=layers)["imageDetails"]) == left


def test_deleting_what_is_not_there(client: ECRClient, layers: str) -> None:
    asked: list[Any] = [{"imageTag": "none"}, {"imageTag": "zero", "imageDigest": f"sha256:{'0' * 64}"}, {}]
    answer = client.batch_delete_image(repositoryName=layers, imageIds=asked)
    assert [failure["failureCode"] for failure in answer["failures"]] == [
        "ImageNotFound",
        "ImageTagDoesNotMatchDigest",
        "MissingDigestAndTag",
    ]
    assert len(client.describe_images(repositoryName=layers)["imageDetails"]) == 1


def test_a_childs_only_tag_is_protected_and_others_are_not(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    for tag in ("amd64", "amd64-2"):
        client.put_image(repositoryName=web, imageManifest=image.children[0].text, imageTag=tag)
    answer = client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "amd64-2"}, {"imageTag": "amd64"}])
    assert [one.get("imageTag") for one in answer["imageIds"]] == ["amd64-2"]
    assert [one.get("failureCode") for one in answer["failures"]] == ["ImageReferencedByManifestList"]


def test_an_index_and_then_its_children(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    digests = [image.digest, *(child.digest for child in image.children)]
    answer = client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": digest} for digest in digests])
    assert answer["failures"] == []
    assert client.list_images(repositoryName=web)["imageIds"] == []


# --- UpdateImageStorageClass ---


def archive(client: ECRClient, repository: str, **image_id: Any) -> str:
    wanted: Any = image_id
    answer = client.update_image_storage_class(repositoryName=repository, imageId=wanted, targetStorageClass="ARCHIVE")
    return answer["imageStatus"]


@needs_archives
def test_an_archived_image(client: ECRClient, layers: str) -> None:
    assert archive(client, layers, imageTag="zero") == "ARCHIVED"
    assert client.describe_images(repositoryName=layers)["imageDetails"] == []
    assert client.list_images(repositoryName=layers)["imageIds"] == []
    (shown,) = client.describe_images(repositoryName=layers, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert shown["imageStatus"] == "ARCHIVED"
    assert shown["lastArchivedAt"] >= shown["imagePushedAt"]
    (failure,) = client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "zero"}])["failures"]
    assert failure["failureCode"] == "ImageInaccessible"
    layer = json.loads(version(0).text)["layers"][0]["digest"]
    with refused("LayerInaccessibleException"):
        client.get_download_url_for_layer(repositoryName=layers, layerDigest=layer)
    (checked,) = client.batch_check_layer_availability(repositoryName=layers, layerDigests=[layer])["layers"]
    assert checked["layerAvailability"] == "ARCHIVED"


@needs_archives
def test_restoring_takes_a_while(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    archive(client, layers, imageTag="zero")
    answer = client.update_image_storage_class(
        repositoryName=layers, imageId={"imageTag": "zero"}, targetStorageClass="STANDARD"
    )
    assert answer["imageStatus"] == "ACTIVATING"
    (shown,) = client.describe_images(repositoryName=layers, filter={"imageStatus": "ACTIVATING"})["imageDetails"]
    assert "lastActivatedAt" not in shown
    assert client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "zero"}])["failures"]
    ecr.advance(20 * 60 + 1)
    (shown,) = client.describe_images(repositoryName=layers)["imageDetails"]
    assert shown["imageStatus"] == "ACTIVE"
    assert shown["lastActivatedAt"] > shown["lastArchivedAt"]
    assert client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "zero"}])["images"]


@needs_archives
@pytest.mark.parametrize("tag", [{}, {"imageTag": "zero"}])
def test_pushing_restores_at_once(client: ECRClient, layers: str, tag: Any) -> None:
    archive(client, layers, imageTag="zero")
    put(client, layers, version(0), **tag)
    assert client.describe_images(repositoryName=layers)["imageDetails"][0]["imageStatus"] == "ACTIVE"


@needs_archives
def test_what_cannot_be_archived(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    with refused("ImageStorageClassUpdateNotSupportedException"):
        archive(client, web, imageDigest=image.children[0].digest)
    with refused("ImageNotFoundException"):
        archive(client, web, imageTag="none")
    assert archive(client, web, imageTag="v1") == "ARCHIVED"
    assert archive(client, web, imageDigest=image.children[0].digest) == "ARCHIVED"
