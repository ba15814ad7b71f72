"""Sample images: real, and the same everywhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import _gzip, push, sample_artifact, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def test_digests_that_must_never_change() -> None:
    assert sample_image().digest == "sha256:d8486f3f1e5165c79d64b7629641265d95fbcc8848de426f4d27375abd69d5c1"
    assert (
        sample_image(("linux/amd64",), {"a": b"1"}, "docker", None).digest
        == "sha256:b908bd9873c906e08fb3bfa8ae0639c688e4ed9b54350a47cb871cafbcbc5f00"
    )


def test_an_index_over_its_platforms() -> None:
    image = sample_image(("linux/amd64", "linux/arm64/v8"), annotations={"b": "2", "a": "1"})
    index = json.loads(image.text)
    assert index["mediaType"] == image.media_type == "application/vnd.oci.image.index.v1+json"
    assert [child["platform"] for child in index["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    ]
    assert [child["digest"] for child in index["manifests"]] == [child.digest for child in image.children]
    assert list(index["annotations"]) == ["a", "b"]


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_every_descriptor_is_true(kind: str) -> None:
    image = sample_image(media_types="docker" if kind == "docker" else "oci")
    contents = {child.digest: child.text.encode() for child in image.children} | dict(image.blobs)
    named = [json.loads(image.text)["manifests"]]
    named += [
        [manifest["config"], *manifest["layers"]] for manifest in map(json.loads, (c.text for c in image.children))
    ]
    for descriptor in (one for group in named for one in group):
        assert len(contents[descriptor["digest"]]) == descriptor["size"]
        assert (kind == "docker") == ("docker" in descriptor["mediaType"])
    for digest, blob in image.blobs.items():
        assert digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert set(image.blobs) == {one["digest"] for group in named[1:] for one in group}


def test_the_files_are_in_the_layers() -> None:
    image = sample_image(("linux/amd64",), {"app/run": b"#!/bin/sh\n", "app/data": b"x"})
    assert image.children == ()
    manifest = json.loads(image.text)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    files, diff_ids = {}, []
    for layer in manifest["layers"]:
        archive = gzip.decompress(image.blobs[layer["digest"]])
        diff_ids.append(f"sha256:{hashlib.sha256(archive).hexdigest()}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file
                files[member.name] = file.read()
                assert member.mtime == 0
    assert files == {"app/run": b"#!/bin/sh\n", "app/data": b"x", "etc/platform": b"linux/amd64\n"}
    assert config["rootfs"]["diff_ids"] == diff_ids
    assert config["architecture"] == "amd64"


@given(st.binary(max_size=200), st.integers(0, 3))
def test_the_gzip_is_gzip(data: bytes, scale: int) -> None:
    data *= 40**scale
    assert gzip.decompress(_gzip(data)) == data


def test_a_push_is_dockers(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    ecr.clear_requests()
    assert push(client, web, image, "v1") == image.digest
    upload = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"]
    assert ecr.calls == ["BatchCheckLayerAvailability", *upload * len(image.blobs), "PutImage", "PutImage", "PutImage"]
    assert [request.parameters.get("imageTag") for request in ecr.requests[-3:]] == [None, None, "v1"]
    ecr.clear_requests()
    push(client, web, image, "v2")
    assert ecr.calls == ["BatchCheckLayerAvailability", "PutImage", "PutImage", "PutImage"]


def test_large_layers_go_in_parts(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.limits.layer_part_size = 4000
    ecr.limits.smallest_layer_part = 4000
    push(client, web, sample_image(files={"data": bytes(9000)}), "v1")
    parts = [request.parameters["layerPartBlob"] for request in ecr.requests if request.operation == "UploadLayerPart"]
    assert max(parts) == 4000
    assert parts.count(4000) > 5


def test_a_push_by_digest_alone(client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image)
    assert client.list_images(repositoryName=web, filter={"tagStatus": "TAGGED"})["imageIds"] == []
    assert client.describe_images(repositoryName=web, imageIds=[{"imageDigest": image.digest}])["imageDetails"]


def test_an_artifact_refers_to_its_subject(client: ECRClient, web: str) -> None:
    image = sample_image()
    sbom = sample_artifact("application/spdx+json", b'{"name": "web"}', image.children[0], {"tool": "none"})
    push(client, web, image, "v1")
    push(client, web, sbom)
    (shown,) = client.describe_images(repositoryName=web, imageIds=[{"imageDigest": sbom.digest}])["imageDetails"]
    assert shown["artifactMediaType"] == "application/spdx+json"
    assert json.loads(sbom.text)["subject"]["digest"] == image.children[0].digest
    assert b'{"name": "web"}' in sbom.blobs.values()
    assert json.loads(sbom.text)["annotations"] == {"tool": "none"}
    assert "subject" not in json.loads(sample_artifact("application/spdx+json").text)
