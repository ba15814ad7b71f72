"""Table G again, from row 21 on: reading, layers, pages, deleting, and the protocol."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ZEROS = f"sha256:{'0' * 64}"


NEW = "UpdateImageStorageClass" in botocore.session.get_session().get_service_model("ecr").operation_names


def version(number: int | str) -> SampleImage:
    """Make one of many images that are made of the same layers."""
    return sample_image(("linux/amd64",), annotations={"version": str(number)})


def put(client: ECRClient, repository: str, image: SampleImage, **more: Any) -> str:
    answer = client.put_image(repositoryName=repository, imageManifest=image.text, **more)
    return answer["image"]["imageId"]["imageDigest"]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_rows_21_and_26_the_asked_tag_and_the_exact_bytes(client: ECRClient, layers: str) -> None:
    image = sample_image(("linux/amd64",), annotations={"text": 'naïve "日本" \\ \u2028 é\u0301 😀'})
    text = image.text.replace('":"', '" :\n\t"') + "\n"
    for tag in ("a", "b", "c"):
        client.put_image(repositoryName=layers, imageManifest=text, imageTag=tag)
    (read,) = client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "a"}])["images"]
    assert read["imageManifest"] == text
    assert read["imageId"] == {
        "imageDigest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        "imageTag": "a",
    }


def test_rows_22_and_23_failures(client: ECRClient, layers: str) -> None:
    put(client, layers, version(1), imageTag="one")
    asked: list[Any] = [
        {"imageTag": "one", "imageDigest": version(0).digest},
        {"imageDigest": ZEROS},
        {"imageTag": "none"},
        {"imageDigest": "zzz"},
        {"imageTag": "-bad tag!"},
        {},
        {"imageTag": "one", "imageDigest": version(1).digest},
    ]
    answer = client.batch_get_image(repositoryName=layers, imageIds=asked)
    assert [failure["failureCode"] for failure in answer["failures"]] == [
        "ImageTagDoesNotMatchDigest",
        "ImageNotFound",
        "ImageNotFound",
        "InvalidImageDigest",
        "InvalidImageTag",
        "MissingDigestAndTag",
    ]
    assert [failure["imageId"] for failure in answer["failures"]] == asked[:-1]
    assert [image["imageId"] for image in answer["images"]] == asked[-1:]


def test_row_24_a_hundred_images_at_most(client: ECRClient, layers: str) -> None:
    asked: list[Any] = [{"imageTag": f"t{number}"} for number in range(101)]
    with refused("InvalidParameterException"):
        client.batch_get_image(repositoryName=layers, imageIds=asked)
    assert len(client.batch_get_image(repositoryName=layers, imageIds=asked[:100])["failures"]) == 100


def test_row_25_conversion_by_tag_only(client: ECRClient, web: str) -> None:
    image = sample_image(("linux/amd64",), media_types="docker")
    push(client, web, image, "v1")
    (converted,) = client.batch_get_image(
        repositoryName=web, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[MANIFEST]
    )["images"]
    assert converted["imageManifestMediaType"] == json.loads(converted["imageManifest"])["mediaType"] == MANIFEST
    assert converted["imageId"]["imageDigest"] == image.digest
    assert hashlib.sha256(converted["imageManifest"].encode()).hexdigest() not in image.digest
    (exact,) = client.batch_get_image(
        repositoryName=web, imageIds=[{"imageDigest": image.digest}], acceptedMediaTypes=[MANIFEST]
    )["images"]
    assert exact["imageManifest"] == image.text


@pytest.mark.parametrize(
    ("first", "last"), [(0, 3), (0, 5), (1, 5), (4, 0)], ids=["short", "long", "late", "backwards"]
)
def test_rows_27_and_29_parts_that_do_not_fit(client: ECRClient, web: str, first: int, last: int) -> None:
    upload = client.initiate_layer_upload(repositoryName=web)["uploadId"]
    with pytest.raises(client.exceptions.InvalidLayerPartException) as caught:
        client.upload_layer_part(
            repositoryName=web, uploadId=upload, partFirstByte=first, partLastByte=last, layerPartBlob=b"12345"
        )
    facts: Any = caught.value.response
    assert (facts["uploadId"], facts["repositoryName"]) == (upload, web)
    assert "lastValidByteReceived" not in facts


def test_row_28_a_part_that_is_too_large(client: ECRClient, web: str) -> None:
    upload = client.initiate_layer_upload(repositoryName=web)["uploadId"]
    size = 20_971_521
    with refused("InvalidParameterException"):
        client.upload_layer_part(
            repositoryName=web, uploadId=upload, partFirstByte=0, partLastByte=size - 1, layerPartBlob=bytes(size)
        )


def test_row_28_parts_that_are_too_small(client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    with pytest.raises(client.exceptions.LayerPartTooSmallException, match="at least 5MB"):
        upload(client, web, b"tiny", b"parts")


def test_row_29_a_gap_between_parts(client: ECRClient, web: str) -> None:
    upload = client.initiate_layer_upload(repositoryName=web)["uploadId"]
    part: Any = {"repositoryName": web, "uploadId": upload, "layerPartBlob": b"12345"}
    assert client.upload_layer_part(partFirstByte=0, partLastByte=4, **part)["lastByteReceived"] == 4
    for first in (6, 0):  # a gap, and the same part again
        with pytest.raises(client.exceptions.InvalidLayerPartException) as caught:
            client.upload_layer_part(partFirstByte=first, partLastByte=first + 4, **part)
        facts: Any = caught.value.response
        assert facts["lastValidByteReceived"] == 4


def test_row_30_a_layer_of_another_digest(client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    with refused("InvalidLayerException"):
        upload(client, web, b"layer", digest=ZEROS)


def test_row_31_empty_and_repeated_uploads(client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    with refused("EmptyUploadException"):
        upload(client, web)
    upload(client, web, b"layer")
    with refused("LayerAlreadyExistsException"):
        upload(client, web, b"layer")


def test_rows_32_and_34_layers_come_back(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    for digest, blob in image.blobs.items():
        url = client.get_download_url_for_layer(repositoryName=web, layerDigest=digest)["downloadUrl"]
        with urllib.request.urlopen(url) as response:  # noqa: S310 - an http address of the emulator's
            assert response.read() == blob


def test_row_33_the_media_type_of_a_layer_is_its_images(client: ECRClient, web: str) -> None:
    image = version(1)
    push(client, web, image, "v1")
    manifest = json.loads(image.text)
    described = [manifest["config"], *manifest["layers"]]
    answer = client.batch_check_layer_availability(
        repositoryName=web, layerDigests=[blob["digest"] for blob in described]
    )
    assert [(layer["mediaType"], layer["layerSize"]) for layer in answer["layers"]] == [
        (blob["mediaType"], blob["size"]) for blob in described
    ]


def test_row_35_pages(client: ECRClient, layers: str) -> None:
    for number in range(1, 6):
        put(client, layers, version(number), imageTag=f"v{number}")
        client.create_repository(repositoryName=f"shop/n{number}")
    first = client.describe_images(repositoryName=layers, maxResults=2)
    assert len(first["imageDetails"]) == 2
    assert first["nextToken"]
    size: Any = {"PageSize": 2}
    pages = list(client.get_paginator("describe_images").paginate(repositoryName=layers, PaginationConfig=size))
    assert [len(page["imageDetails"]) for page in pages] == [2, 2, 2]
    assert len({image["imageDigest"] for page in pages for image in page["imageDetails"]}) == 6
    listed = list(client.get_paginator("list_images").paginate(repositoryName=layers, PaginationConfig=size))
    assert [len(page["imageIds"]) for page in listed] == [2, 2, 2]
    repositories = list(client.get_paginator("describe_repositories").paginate(PaginationConfig=size))
    assert [len(page["repositories"]) for page in repositories] == [2, 2, 2]


def test_row_36_the_filter_is_honoured(client: ECRClient, layers: str) -> None:
    put(client, layers, version(1))
    for status, expected in (("UNTAGGED", [version(1)]), ("TAGGED", [version(0)]), ("ANY", [version(0), version(1)])):
        wanted: Any = {"tagStatus": status}
        shown = client.describe_images(repositoryName=layers, filter=wanted)["imageDetails"]
        assert [image["imageDigest"] for image in shown] == [image.digest for image in expected]
        listed = client.list_images(repositoryName=layers, filter=wanted)["imageIds"]
        assert [image["imageDigest"] for image in listed] == [image.digest for image in expected]


def test_row_37_sizes(client: ECRClient, web: str) -> None:
    image = sample_image(("linux/amd64", "linux/arm64", "linux/riscv64"), {"data": b"x" * 1000})
    push(client, web, image, "v1")
    sizes = [sum(layer["size"] for layer in json.loads(child.text)["layers"]) for child in image.children]
    shown = client.describe_images(repositoryName=web)["imageDetails"]
    assert [one["imageSizeInBytes"] for one in shown] == [*sizes, max(sizes)]


def test_row_38_children_are_protected(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    child = image.children[0].digest
    answer = client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": child}])
    assert answer["imageIds"] == []
    assert answer["failures"] == [
        {
            "imageId": {"imageDigest": child},
            "failureCode": "ImageReferencedByManifestList",
            "failureReason": f"Requested image referenced by manifest list: [{image.digest}]",
        }
    ]


def test_row_45_a_token_is_good_for_twelve_hours(ecr: EcrEmulator, client: ECRClient) -> None:
    (granted,) = client.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert password
    assert ":" not in password
    assert granted["proxyEndpoint"] == ecr.endpoint_url
    assert granted["expiresAt"].timestamp() == pytest.approx(time.time() + 12 * 3600, abs=60)
    ecr.advance(3600)
    (later,) = client.get_authorization_token()["authorizationData"]
    assert later["expiresAt"].timestamp() == pytest.approx(time.time() + 13 * 3600, abs=60)


@pytest.mark.parametrize(
    ("operation", "headers", "body", "code"),
    [
        ("DescribeImages", {"Authorization": ""}, "{}", "MissingAuthenticationTokenException"),
        ("DescribeImages", {"Authorization": "Basic QVdTOng="}, "{}", "IncompleteSignatureException"),
        ("DescribeImages", {}, "{", "SerializationException"),
        ("DescribeImages", {}, "{}", "InvalidParameterException"),
        ("DescribeAnything", {}, "{}", "UnknownOperationException"),
    ],
)
def test_row_47_what_is_no_call(wire: Any, operation: str, headers: dict[str, str], body: str, code: str) -> None:
    target = {"X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}"}
    answer = wire.send("POST", "/", body, target | headers)
    assert (answer.status, answer.code) == (400, code)
    assert answer.headers["x-amzn-RequestId"]


@pytest.mark.skipif(not NEW, reason="this botocore has the older pattern")
@pytest.mark.parametrize("name", ["a__b", "a--b", "a.b/c-d_e", "0ad"])
def test_row_48_names_that_the_model_admits(client: ECRClient, name: str) -> None:
    assert client.create_repository(repositoryName=name)["repository"]["repositoryName"] == name
