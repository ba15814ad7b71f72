"""PutImage: what the contract's cases do not cover."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import put, refused, version
from local_ecr import supports

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OCI = "application/vnd.oci.image.manifest.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def test_the_answer(client: ECRClient, layers: str) -> None:
    image = client.put_image(
        repositoryName=layers, imageManifest=version(1).text, imageTag="one", imageDigest=version(1).digest
    )["image"]
    assert image == {
        "registryId": "123456789012",
        "repositoryName": layers,
        "imageId": {"imageDigest": version(1).digest, "imageTag": "one"},
        "imageManifest": version(1).text,
        "imageManifestMediaType": OCI,
    }


@pytest.mark.parametrize("mutability", ["MUTABLE", "IMMUTABLE"])
def test_the_same_image_under_the_same_tag(client: ECRClient, layers: str, mutability: Any) -> None:
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability=mutability)
    expected = f"Image with digest '{version(0).digest}' and tag 'zero' already exists in the repository"
    with pytest.raises(client.exceptions.ImageAlreadyExistsException, match=expected):
        put(client, layers, version(0), imageTag="zero")


def test_the_same_image_under_an_immutable_tag_by_switch(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.switches.immutable_and_identical = "ImageTagAlreadyExistsException"
    with refused("ImageAlreadyExistsException"):
        put(client, layers, version(0), imageTag="zero")  # mutable yet
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    with refused("ImageTagAlreadyExistsException"):
        put(client, layers, version(0), imageTag="zero")


def test_another_tag_of_the_same_image(client: ECRClient, layers: str) -> None:
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    put(client, layers, version(0), imageTag="prod")
    (shown,) = client.describe_images(repositoryName=layers)["imageDetails"]
    assert shown["imageTags"] == ["prod", "zero"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"imageTag": "bad tag"}, "InvalidParameterException"),
        ({"repositoryName": "no/where"}, "RepositoryNotFoundException"),
        ({"imageManifest": "{"}, "InvalidParameterException"),
        ({"imageDigest": f"sha256:{'0' * 64}"}, "ImageDigestDoesNotMatchException"),
        ({"imageManifest": sample_image().text}, "ReferencedImagesNotFoundException"),
        ({}, "ImageTagAlreadyExistsException"),
        ({"imageTag": "new"}, "LimitExceededException"),
    ],
)
def test_the_order_of_errors(ecr: EcrEmulator, client: ECRClient, layers: str, changes: Any, code: str) -> None:
    """Each case is wrong in its own way and in all later ones."""
    ecr.limits.images_per_repository = 1
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    wrong: dict[str, Any] = {"repositoryName": layers, "imageManifest": version(1).text, "imageTag": "zero"}
    with refused(code):
        client.put_image(**(wrong | changes))
    assert len(client.describe_images(repositoryName=layers)["imageDetails"]) == 1


def test_foreign_layers_need_not_be_there(client: ECRClient, layers: str) -> None:
    manifest = json.loads(version(0).text)
    foreign = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": f"sha256:{'f' * 64}",
        "size": 1_000_000,
        "urls": ["https://example.invalid/layer"],
    }
    manifest["layers"].append(foreign)
    client.put_image(repositoryName=layers, imageManifest=json.dumps(manifest), imageTag="windows")
    shown = client.describe_images(repositoryName=layers, imageIds=[{"imageTag": "windows"}])["imageDetails"]
    assert shown[0]["imageSizeInBytes"] == sum(layer["size"] for layer in manifest["layers"][:-1])


def test_missing_layers_are_named(client: ECRClient, layers: str) -> None:
    manifest = json.loads(version(0).text)
    gone = [f"sha256:{digit * 64}" for digit in "12"]
    manifest["layers"] += [manifest["layers"][0] | {"digest": digest} for digest in gone]
    with pytest.raises(client.exceptions.LayersNotFoundException, match=", ".join(gone)):
        client.put_image(repositoryName=layers, imageManifest=json.dumps(manifest))


@pytest.mark.usefixtures("layers")
def test_layers_belong_to_one_repository(client: ECRClient) -> None:
    client.create_repository(repositoryName="shop/other")
    with refused("LayersNotFoundException"):
        put(client, "shop/other", version(0))


def test_docker_schema_1(client: ECRClient, layers: str) -> None:
    digests = [layer["digest"] for layer in json.loads(version(0).text)["layers"]]
    schema1 = json.dumps({"schemaVersion": 1, "fsLayers": [{"blobSum": digest} for digest in digests]})
    answer = client.put_image(repositoryName=layers, imageManifest=schema1, imageTag="old")["image"]
    assert answer["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v1+prettyjws"


def test_artifacts(client: ECRClient, layers: str) -> None:
    """Custom config types and artifact types, and a subject that is not there yet."""
    manifest = json.loads(version(0).text)
    subject = manifest["config"] | {"digest": f"sha256:{'a' * 64}", "mediaType": OCI}
    manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    for tag, more in (("helm", {}), ("sbom", {"artifactType": "application/spdx+json", "subject": subject})):
        client.put_image(repositoryName=layers, imageManifest=json.dumps(manifest | more), imageTag=tag)
    asked: list[Any] = [{"imageTag": "helm"}, {"imageTag": "sbom"}]
    shown = client.describe_images(repositoryName=layers, imageIds=asked)["imageDetails"]
    assert [one["artifactMediaType"] for one in shown] == [
        "application/vnd.cncf.helm.config.v1+json",
        "application/spdx+json",
    ]
    if supports("UpdateImageStorageClass"):
        assert [one.get("subjectManifestDigest") for one in shown] == [None, subject["digest"]]


def test_quotas(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.limits.tags_per_image = 2
    put(client, layers, version(0), imageTag="one")
    with refused("LimitExceededException"):
        put(client, layers, version(0), imageTag="two")
    ecr.limits.images_per_repository = 1
    with refused("LimitExceededException"):
        put(client, layers, version(1))
    ecr.limits.layers_per_image = 1
    with pytest.raises(client.exceptions.InvalidParameterException, match="Limit on number of layers"):
        put(client, layers, version(2))


def test_a_key_that_cannot_be_used(ecr: EcrEmulator, client: ECRClient) -> None:
    made = client.create_repository(repositoryName="shop/web", encryptionConfiguration={"encryptionType": "KMS"})
    image = version(0)
    push(client, "shop/web", image, "v1")
    ecr.switches.unusable_kms_keys.add(made["repository"]["encryptionConfiguration"]["kmsKey"])
    with pytest.raises(client.exceptions.KmsException) as caught:
        put(client, "shop/web", version(1))
    facts: Any = caught.value.response
    assert facts["kmsError"]
    with refused("KmsException"):
        client.initiate_layer_upload(repositoryName="shop/web")
    (failure,) = client.batch_get_image(repositoryName="shop/web", imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == "KmsError"
    ecr.switches.unusable_kms_keys.clear()
    assert put(client, "shop/web", version(1)) == version(1).digest


@pytest.mark.parametrize("annotations", [[1], "text", 5, {"a": 1}, {"a": None}])
def test_annotations_are_texts(client: ECRClient, layers: str, annotations: Any) -> None:
    """A referrer is listed with its annotations, which the model has as a map of strings."""
    manifest = json.dumps(json.loads(version(0).text) | {"annotations": annotations})
    with refused("InvalidParameterException"):
        client.put_image(repositoryName=layers, imageManifest=manifest)
