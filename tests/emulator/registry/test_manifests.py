"""Manifests at the registry's HTTP API: the same rules as PutImage's, BatchGetImage's and BatchDeleteImage's."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import version
from local_ecr import needs_archives
from registry_client import RegistryClient, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ABSENT = f"sha256:{'0' * 64}"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


# --- Reading ---


def test_a_manifest_by_tag_and_by_digest(registry: RegistryClient, web: str, image: SampleImage) -> None:
    for reference in ("v1", image.digest):
        answer = registry.ask("GET", f"/v2/{web}/manifests/{reference}", Accept=OCI_INDEX)
        assert (answer.status, answer.body) == (200, image.text.encode())
        assert answer.headers["Content-Type"] == OCI_INDEX
        assert answer.headers["Docker-Content-Digest"] == image.digest
        head = registry.ask("HEAD", f"/v2/{web}/manifests/{reference}", Accept=OCI_INDEX)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(image.text)))
        assert head.headers["Docker-Content-Digest"] == image.digest


def test_reading_is_a_call(ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage) -> None:
    registry.ask("GET", f"/v2/{web}/manifests/{image.digest}", Accept=f"{OCI_INDEX}, {SCHEMA2};q=0.5")
    (request,) = ecr.requests
    assert (request.operation, request.endpoint, request.error_code) == ("BatchGetImage", "registry", None)
    assert request.parameters == {
        "registryId": "123456789012",
        "repositoryName": web,
        "imageIds": [{"imageDigest": image.digest}],
        "acceptedMediaTypes": [OCI_INDEX, SCHEMA2],
    }


@pytest.mark.parametrize("accept", [None, "*/*", f"{SCHEMA2}, */*", ""])
def test_whoever_accepts_everything_gets_what_is_there(
    client: ECRClient, registry: RegistryClient, web: str, accept: str | None
) -> None:
    push(client, web, version(1), "v1")
    assert registry.ask("GET", f"/v2/{web}/manifests/v1", Accept=accept).headers["Content-Type"] == OCI_MANIFEST


def test_a_manifest_is_converted_by_tag_only(client: ECRClient, registry: RegistryClient, web: str) -> None:
    """And the digest said is that of the bytes sent."""
    push(client, web, version(1), "v1")
    answer = registry.ask("GET", f"/v2/{web}/manifests/v1", Accept=SCHEMA2)
    assert answer.headers["Content-Type"] == answer.json["mediaType"] == SCHEMA2
    assert answer.headers["Docker-Content-Digest"] == digest_of(answer.body) != version(1).digest
    answer = registry.ask("GET", f"/v2/{web}/manifests/{version(1).digest}", Accept=SCHEMA2)
    assert answer.body == version(1).text.encode()


def test_what_is_not_there(registry: RegistryClient, web: str) -> None:
    missing = (404, "MANIFEST_UNKNOWN", "Requested image not found")
    assert registry.ask("GET", f"/v2/{web}/manifests/v1").error == missing
    assert registry.ask("GET", f"/v2/{web}/manifests/{ABSENT}").error == missing
    assert registry.ask("DELETE", f"/v2/{web}/manifests/{ABSENT}").error == missing
    status, code, message = registry.ask("GET", "/v2/shop/none/manifests/v1").error
    assert (status, code) == (404, "NAME_UNKNOWN")
    assert message == "The repository with name 'shop/none' does not exist in the registry with id '123456789012'"


def test_references_that_are_none(registry: RegistryClient, web: str) -> None:
    assert registry.ask("HEAD", f"/v2/{web}/manifests/2024.42.27+1234a").status == 400
    assert registry.ask("GET", f"/v2/{web}/manifests/2024.42.27+1234a").error[:2] == (400, "TAG_INVALID")
    assert registry.ask("GET", f"/v2/{web}/manifests/sha256:xyz").error[:2] == (400, "DIGEST_INVALID")


@needs_archives
def test_an_archived_image_is_not_found(client: ECRClient, registry: RegistryClient, web: str) -> None:
    push(client, web, version(1), "v1")
    client.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    assert registry.ask("GET", f"/v2/{web}/manifests/v1").error[:2] == (404, "MANIFEST_UNKNOWN")
    layer = next(iter(version(1).blobs))
    assert registry.ask("HEAD", f"/v2/{web}/blobs/{layer}").status == 404
    assert registry.ask("GET", f"/v2/{web}/blobs/{layer}").error[:2] == (404, "BLOB_UNKNOWN")


# --- Putting ---


def test_a_manifest_is_put_by_tag(client: ECRClient, registry: RegistryClient, web: str, image: SampleImage) -> None:
    answer = registry.put(web, image.manifest, "v2")
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Docker-Content-Digest"] == image.digest
    assert answer.headers["Location"] == f"http://{registry.host}/v2/{web}/manifests/{image.digest}"
    ids: Any = [{"imageTag": "v2"}]
    (read,) = client.batch_get_image(repositoryName=web, imageIds=ids)["images"]
    assert read["imageManifest"] == image.text


def test_a_manifest_is_put_by_its_digest_alone(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    made = version(1).manifest
    assert registry.put(layers, made, made.digest).status == 201
    (request,) = ecr.requests
    assert request.operation == "PutImage"
    assert request.parameters == {
        "registryId": "123456789012",
        "repositoryName": layers,
        "imageManifest": made.text,
        "imageManifestMediaType": made.media_type,
        "imageDigest": made.digest,
    }


def test_the_very_same_again_is_no_error(
    ecr: EcrEmulator, client: ECRClient, registry: RegistryClient, web: str, image: SampleImage
) -> None:
    client.put_image_tag_mutability(repositoryName=web, imageTagMutability="IMMUTABLE")
    assert registry.put(web, image.manifest, "v1").status == 201
    assert registry.put(web, image.manifest, image.digest).status == 201
    assert ecr.requests[-1].error_code == "ImageAlreadyExistsException"
    ecr.switches.immutable_and_identical = "ImageTagAlreadyExistsException"
    assert registry.put(web, image.manifest, "v1").error[:2] == (400, "TAG_INVALID")


def test_an_immutable_tag_stays(client: ECRClient, registry: RegistryClient, layers: str) -> None:
    """Docker's clients print the code as "tag invalid: " before the message."""
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    status, code, message = registry.put(layers, version(1).manifest, "zero").error
    assert (status, code) == (400, "TAG_INVALID")
    assert message.startswith(f"The image tag 'zero' already exists in the '{layers}' repository and cannot be")


def test_another_digest_than_the_bytes_have(registry: RegistryClient, layers: str) -> None:
    status, code, message = registry.put(layers, version(1).manifest, ABSENT).error
    assert (status, code) == (400, "MANIFEST_INVALID")
    assert message.endswith("does not match the image digest that Amazon ECR has calculated.")


def test_children_that_are_missing(registry: RegistryClient, web: str) -> None:
    image = sample_image()
    status, code, message = registry.put(web, image.manifest, "v1").error
    assert (status, code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert all(child.digest in message for child in image.children)


def test_layers_that_are_missing(registry: RegistryClient, web: str) -> None:
    assert registry.put(web, version(1).manifest, "v1").error[:2] == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", OCI_MANIFEST),
        (b"nonsense", OCI_MANIFEST),
        (b'{"schemaVersion": 2}', None),
        (b'{"schemaVersion": 2}', "application/json"),
        (b" " * (4 * 1024 * 1024 + 1), OCI_MANIFEST),
        (b" " * (32 * 1024 * 1024), OCI_MANIFEST),
    ],
)
def test_bodies_that_are_no_manifest(registry: RegistryClient, web: str, body: bytes, media_type: str | None) -> None:
    status, code, message = registry.ask("PUT", f"/v2/{web}/manifests/v1", body, Content_Type=media_type).error
    assert (status, code) == (405, "UNSUPPORTED")
    assert message.lower().startswith("invalid parameter at 'imagemanifest' failed to satisfy constraint")


def test_a_body_that_is_no_text(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    answer = registry.ask("PUT", f"/v2/{web}/manifests/v1", b"\xff", Content_Type=OCI_MANIFEST)
    assert answer.error[:2] == (400, "UNSUPPORTED")
    assert ecr.requests[-1].error_code == "SerializationException"
    assert registry.ask("PUT", f"/v2/{web}/manifests/v1", b"\xff", Authorization=None).status == 401


def test_the_media_type_is_that_of_the_body(registry: RegistryClient, layers: str) -> None:
    """ECR needs it where the manifest does not say it; a character set is no part of it."""
    document = json.loads(version(1).text)
    del document["mediaType"]
    body, path = json.dumps(document).encode(), f"/v2/{layers}/manifests/v1"
    assert registry.ask("PUT", path, body).error[:2] == (405, "UNSUPPORTED")
    assert registry.ask("PUT", path, body, Content_Type=f"{OCI_MANIFEST}; charset=utf-8").status == 201
    assert registry.ask("GET", path).headers["Content-Type"] == OCI_MANIFEST


def test_tags_that_are_none(registry: RegistryClient, layers: str) -> None:
    assert registry.put(layers, version(1).manifest, "a+b").error[:2] == (405, "UNSUPPORTED")


def test_a_subject_is_known(registry: RegistryClient, layers: str) -> None:
    document = json.loads(version(1).text)
    document["subject"] = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 2}
    made = SampleManifest(json.dumps(document), OCI_MANIFEST)
    assert registry.put(layers, made, made.digest).headers["OCI-Subject"] == ABSENT
    assert "OCI-Subject" not in registry.put(layers, version(1).manifest, "v1").headers


def test_quotas(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    ecr.limits.images_per_repository = 1
    assert registry.put(layers, version(1).manifest, "v1").error[:2] == (403, "DENIED")


# --- Deleting ---


def test_deleting_by_tag_and_by_digest(registry: RegistryClient, client: ECRClient, web: str) -> None:
    push(client, web, version(1), "v1")
    push(client, web, version(1), "v2")
    answer = registry.ask("DELETE", f"/v2/{web}/manifests/v2")
    assert (answer.status, answer.body) == (202, b"")
    assert registry.ask("HEAD", f"/v2/{web}/manifests/v1").status == 200
    assert registry.ask("DELETE", f"/v2/{web}/manifests/{version(1).digest}").status == 202
    assert registry.ask("HEAD", f"/v2/{web}/manifests/v1").status == 404


def test_a_child_is_protected(registry: RegistryClient, web: str, image: SampleImage) -> None:
    assert registry.ask("DELETE", f"/v2/{web}/manifests/{image.children[0].digest}").error == (
        405,
        "UNSUPPORTED",
        f"Requested image referenced by manifest list: [{image.digest}]",
    )


# --- Faults ---


def test_faults_are_those_of_the_api(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    ecr.faults.fail("PutImage")
    assert registry.put(layers, version(1).manifest, "v1").error == (429, "TOOMANYREQUESTS", "Rate exceeded")
    ecr.faults.fail("PutImage", "ServerException")
    assert registry.put(layers, version(1).manifest, "v1").error[:2] == (500, "UNKNOWN")
    ecr.faults.lose("PutImage")
    assert registry.put(layers, version(1).manifest, "v1").status == 500
    assert registry.ask("HEAD", f"/v2/{layers}/manifests/v1").status == 200


def test_rates_are_those_of_the_api(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    ecr.limits.calls_per_second["PutImage"] = 1
    ecr.switches.throttling = True
    statuses = [registry.put(layers, version(number).manifest, "v1").status for number in range(1, 4)]
    assert (statuses[0], statuses[-1]) == (201, 429)


def test_a_push_is_told_to_eventbridge(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    registry.put(layers, version(1).manifest, "v1")
    detail = ecr.events[-1].detail
    assert (detail["action-type"], detail["image-tag"]) == ("PUSH", "v1")
    assert detail["image-digest"] == version(1).digest


def test_a_key_that_is_switched_off(ecr: EcrEmulator, client: ECRClient, registry: RegistryClient) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    client.create_repository(
        repositoryName="shop/secret", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key}
    )
    push(client, "shop/secret", version(1), "v1")
    ecr.switches.unusable_kms_keys.add(key)
    layer = next(iter(version(1).blobs))
    assert registry.ask("GET", "/v2/shop/secret/manifests/v1").error[:2] == (403, "DENIED")
    assert registry.put("shop/secret", version(2).manifest, "v2").error[:2] == (403, "DENIED")
    assert registry.ask("POST", "/v2/shop/secret/blobs/uploads/").error[:2] == (403, "DENIED")
    assert registry.ask("GET", f"/v2/shop/secret/blobs/{layer}").error[:2] == (404, "BLOB_UNKNOWN")
    with pytest.raises(client.exceptions.LayerInaccessibleException):
        client.get_download_url_for_layer(repositoryName="shop/secret", layerDigest=layer)


def test_what_is_put_here_is_read_there(client: ECRClient, registry: RegistryClient, web: str) -> None:
    """Byte for byte, whichever way round."""
    for media_types in ("oci", "docker"):
        image = sample_image(media_types=media_types, files={"a": media_types.encode()})
        registry.push(web, image, media_types)
        ids: Any = [{"imageDigest": child.digest} for child in (image.manifest, *image.children)]
        read = client.batch_get_image(repositoryName=web, imageIds=ids)["images"]
        assert [one["imageManifest"] for one in read] == [one.text for one in (image.manifest, *image.children)]
        assert hashlib.sha256(read[0]["imageManifest"].encode()).hexdigest() in image.digest
