from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from strategies import image_indexes, image_manifests, manifests

from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci import Descriptor, Digest, ImageIndex, ImageManifest, Platform, parse_manifest
from ecr_provider.oci import media_types as types

# Docker Hub's hello-world for linux/amd64, as published: pulled by this digest for years.
HELLO_WORLD_DIGEST = "sha256:f54a58bc1aac5ea1a25d796ae155dc228b3f0e11d046ae276b39c4bf2f13d8c4"
HELLO_WORLD = """{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 1469,
      "digest": "sha256:feb5d9fea6a5e9606aa995e879d862b825965ba48de054caab5ef356dc6b3412"
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 2479,
         "digest": "sha256:2db29710123e3e53a794f2694094b9b4338aa9ee5c40b930cb8063a1be392c54"
      }
   ]
}"""

# OCI image-spec manifest.md, "Example Image Manifest"
CONFIG = {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
    "size": 7023,
}
LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "digest": "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
    "size": 32654,
}
SUBJECT = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
    "size": 7682,
}
IMAGE = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": CONFIG,
    "layers": [LAYER],
    "subject": SUBJECT,
    "annotations": {"com.example.key1": "value1", "com.example.key2": "value2"},
}

# OCI image-spec image-index.md, "Example Image Index"
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 7143,
            "digest": "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",
            "platform": {"architecture": "ppc64le", "os": "linux"},
        },
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 7682,
            "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
            "platform": {"architecture": "amd64", "os": "linux"},
        },
    ],
    "annotations": {"com.example.key1": "value1", "com.example.key2": "value2"},
}


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


@given(manifests())
def test_the_bytes_are_kept_and_the_digest_is_over_them(text: str) -> None:
    manifest = parse_manifest(text)

    assert manifest.raw == text.encode()
    assert manifest.text == text
    assert str(manifest.digest) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert manifest.media_type in types.MANIFEST_TYPES
    assert parse_manifest(text.encode()) == manifest
    assert parse_manifest(text, manifest.media_type) == manifest


@given(manifests())
def test_a_manifest_is_a_value(text: str) -> None:
    manifest = parse_manifest(text)

    assert pickle.loads(pickle.dumps(manifest)) == manifest
    assert len({manifest, parse_manifest(text)}) == 1
    assert "raw" not in repr(manifest)


@given(image_manifests())
def test_an_image_needs_its_config_and_its_layers(text: str) -> None:
    manifest = parse_manifest(text)

    assert isinstance(manifest, ImageManifest)
    assert manifest.children == (manifest.config, *manifest.layers)


@given(image_indexes())
def test_an_index_needs_its_manifests(text: str) -> None:
    index = parse_manifest(text)

    assert isinstance(index, ImageIndex)
    assert index.children == index.manifests
    assert index.platforms == tuple(child.platform for child in index.manifests if child.platform is not None)


def test_a_published_docker_manifest() -> None:
    manifest = parse_manifest(HELLO_WORLD)

    assert str(manifest.digest) == HELLO_WORLD_DIGEST
    assert manifest == ImageManifest(
        raw=HELLO_WORLD.encode(),
        media_type=types.DOCKER_MANIFEST,
        config=Descriptor(
            types.DOCKER_IMAGE_CONFIG,
            Digest.parse("sha256:feb5d9fea6a5e9606aa995e879d862b825965ba48de054caab5ef356dc6b3412"),
            1469,
        ),
        layers=(
            Descriptor(
                types.DOCKER_LAYER_GZIP,
                Digest.parse("sha256:2db29710123e3e53a794f2694094b9b4338aa9ee5c40b930cb8063a1be392c54"),
                2479,
            ),
        ),
    )


@pytest.mark.parametrize(
    "other",
    [
        HELLO_WORLD + "\n",
        "\n" + HELLO_WORLD,
        HELLO_WORLD.replace("\n", "\r\n"),
        HELLO_WORLD.replace("   ", "\t"),
        json.dumps(json.loads(HELLO_WORLD)),
        json.dumps(json.loads(HELLO_WORLD), sort_keys=True, indent=3),
    ],
)
def test_the_same_json_in_other_bytes_is_another_manifest(other: str) -> None:
    manifest, original = parse_manifest(other), parse_manifest(HELLO_WORLD)

    assert manifest.text == other
    assert manifest.digest != original.digest
    assert manifest.children == original.children


def test_the_specification_s_image_manifest() -> None:
    manifest = parse_manifest(json.dumps(IMAGE))

    assert isinstance(manifest, ImageManifest)
    assert manifest.config == Descriptor(types.OCI_IMAGE_CONFIG, Digest.parse(str(CONFIG["digest"])), 7023)
    assert [layer.media_type for layer in manifest.layers] == [types.OCI_LAYER_GZIP]
    assert manifest.subject == Descriptor(types.OCI_IMAGE_MANIFEST, Digest.parse(str(SUBJECT["digest"])), 7682)
    assert manifest.subject not in manifest.children
    assert manifest.annotations == {"com.example.key1": "value1", "com.example.key2": "value2"}


def test_the_specification_s_image_index() -> None:
    index = parse_manifest(json.dumps(INDEX))

    assert isinstance(index, ImageIndex)
    assert index.platforms == (Platform("linux", "ppc64le"), Platform("linux", "amd64"))
    assert [child.size for child in index.children] == [7143, 7682]


def test_an_artifact() -> None:
    # OCI image-spec manifest.md, "Guidelines for Artifact Usage"
    empty = {"mediaType": types.OCI_EMPTY, "digest": str(Digest.of(b"{}")), "size": 2, "data": "e30="}
    artifact = {**IMAGE, "artifactType": "application/vnd.example+type", "config": empty, "layers": [empty]}
    manifest = parse_manifest(json.dumps(artifact))

    assert manifest.artifact_type == "application/vnd.example+type"
    assert manifest.children == (Descriptor(types.OCI_EMPTY, Digest.of(b"{}"), 2),) * 2


def test_an_index_with_an_attestation_and_a_nested_index() -> None:
    attestation = {**SUBJECT, "platform": {"os": "unknown", "architecture": "unknown"}}
    nested = {**SUBJECT, "mediaType": types.OCI_IMAGE_INDEX}
    index = parse_manifest(json.dumps({**INDEX, "manifests": [attestation, nested]}))

    assert isinstance(index, ImageIndex)
    assert index.platforms == (Platform("unknown", "unknown"),)
    assert len(index.children) == 2


@pytest.mark.parametrize(
    "members",
    [
        {**IMAGE, "layers": []},
        {**IMAGE, "annotations": {}},
        {**IMAGE, "annotations": None, "subject": None, "artifactType": None},
        {**IMAGE, "com.example.unknown": [{"nested": None}], "config": {**CONFIG, "unknown": -1.5}},
        {**IMAGE, "config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}},
        {**IMAGE, "layers": [{**LAYER, "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.2"}]},
        {**IMAGE, "layers": [{**LAYER, "size": 0}, {**LAYER, "size": 2**63 - 1}, LAYER]},
        {**IMAGE, "layers": [{**LAYER, "digest": "blake3:" + "a" * 64}]},
        {**IMAGE, "annotations": {"Key": "a", "key": "b"}},
        {**INDEX, "manifests": []},
        {**INDEX, "manifests": [LAYER]},
    ],
)
def test_what_the_specifications_leave_open_is_taken(members: dict[str, Any]) -> None:
    assert parse_manifest(json.dumps(members)).text == json.dumps(members)


@pytest.mark.parametrize(
    ("members", "told", "media_type"),
    [
        (without(IMAGE, "mediaType"), None, types.OCI_IMAGE_MANIFEST),
        (without(INDEX, "mediaType"), None, types.OCI_IMAGE_INDEX),
        ({**INDEX, "mediaType": None}, None, types.OCI_IMAGE_INDEX),
        (without(IMAGE, "mediaType"), types.DOCKER_MANIFEST, types.DOCKER_MANIFEST),
        (without(INDEX, "mediaType"), types.DOCKER_MANIFEST_LIST, types.DOCKER_MANIFEST_LIST),
        ({**IMAGE, "mediaType": types.DOCKER_MANIFEST}, None, types.DOCKER_MANIFEST),
        ({**INDEX, "mediaType": types.DOCKER_MANIFEST_LIST}, types.DOCKER_MANIFEST_LIST, types.DOCKER_MANIFEST_LIST),
    ],
)
def test_how_the_media_type_is_settled(members: dict[str, Any], told: str | None, media_type: str) -> None:
    assert parse_manifest(json.dumps(members), told).media_type == media_type


@pytest.mark.parametrize(
    ("members", "told", "why"),
    [
        (IMAGE, types.DOCKER_MANIFEST, "but it came as"),
        (IMAGE, types.OCI_IMAGE_INDEX, "but it came as"),
        (IMAGE, "application/json", "but it came as"),
        (IMAGE, "", "'' is not a media type"),
        (IMAGE, 1.1, "1.1 is not a media type"),
        (IMAGE, {}, "a dict is not a media type"),
        (without(IMAGE, "mediaType"), types.OCI_IMAGE_INDEX, "manifests is missing"),
        (without(INDEX, "mediaType"), types.OCI_IMAGE_MANIFEST, "config is missing"),
        (without(IMAGE, "mediaType"), "application/json", "pass the manifest of an image"),
        ({**IMAGE, "mediaType": types.OCI_IMAGE_CONFIG}, None, "neither an image manifest nor an image index"),
        ({**IMAGE, "mediaType": types.OCI_IMAGE_INDEX}, None, "manifests is missing"),
        ({**INDEX, "mediaType": types.DOCKER_MANIFEST}, None, "config is missing"),
        (without(IMAGE, "mediaType", "layers"), None, "no mediaType, no config and layers"),
        ({"schemaVersion": 2}, None, "no mediaType"),
    ],
)
def test_media_types_that_do_not_fit_are_refused(members: dict[str, Any], told: Any, why: str) -> None:
    with pytest.raises(InvalidManifestError, match=why):
        parse_manifest(json.dumps(members), told)


@pytest.mark.parametrize("extra", [{"config": CONFIG}, {"layers": [LAYER]}, {"config": None}])
def test_an_image_that_is_also_an_index_is_refused(extra: dict[str, Any]) -> None:
    for members in (INDEX, without(INDEX, "mediaType"), {**INDEX, "mediaType": types.OCI_IMAGE_MANIFEST}):
        with pytest.raises(InvalidManifestError, match="CVE-2021-41190"):
            parse_manifest(json.dumps({**members, **extra}))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"schemaVersion": 1, "name": "a", "fsLayers": [], "history": [], "signatures": []}, None),
        ({**IMAGE, "schemaVersion": 1}, None),
        ({**IMAGE, "fsLayers": []}, None),
        ({**IMAGE, "mediaType": types.DOCKER_MANIFEST_V1}, None),
        (without(IMAGE, "mediaType"), types.DOCKER_MANIFEST_V1_SIGNED),
    ],
)
def test_schema_1_is_refused_with_the_remedy(members: dict[str, Any], told: str | None) -> None:
    with pytest.raises(InvalidManifestError, match=r"schema 1.*push the image again with a tool that writes schema 2"):
        parse_manifest(json.dumps(members), told)


@pytest.mark.parametrize("told", [None, types.OCI_ARTIFACT_MANIFEST])
def test_an_artifact_manifest_is_refused_with_the_remedy(told: str | None) -> None:
    artifact = {"mediaType": types.OCI_ARTIFACT_MANIFEST, "artifactType": "application/vnd.example", "blobs": [LAYER]}

    with pytest.raises(InvalidManifestError, match=r"withdrawn.*push the artifact again"):
        parse_manifest(json.dumps(artifact), told)


def test_a_manifest_cannot_name_itself() -> None:
    manifest = parse_manifest(json.dumps(IMAGE))
    claim = parse_manifest(json.dumps({**IMAGE, "subject": {**SUBJECT, "digest": str(manifest.digest)}}))

    # Writing the digest in changes it, so the subject is another manifest, and no walk goes in circles.
    assert claim.subject
    assert claim.subject.digest == manifest.digest
    assert claim.digest != manifest.digest
