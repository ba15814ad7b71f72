"""The worlds that cases begin in, and the things in them that ``{…}`` stands for."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_image

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
KEY = "arn:aws:kms:us-east-1:123456789012:key/contract"
ZEROS = f"sha256:{'0' * 64}"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# --- Things --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Blob:
    """``{hello.data}``, ``{hello.digest}``, ``{hello.size}``."""

    data: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.data)

    @property
    def size(self) -> int:
        return len(self.data)


class Image:
    """``{one.text}``, ``{one.digest}``, ``{one.type}``, ``{index.child1}``, ``{one.config}``, ``{one.layer1}``, …"""

    def __init__(self, sample: SampleImage) -> None:
        self.sample = sample
        self.text, self.digest, self.type = sample.text, sample.digest, sample.media_type
        self.raw = sample.text.encode()
        document: dict[str, Any] = json.loads(sample.text)
        self.untyped = sample.text.replace(f'"mediaType":"{sample.media_type}",', "", 1)
        self.untyped_digest = digest_of(self.untyped.encode())
        for number, child in enumerate(sample.children, 1):
            setattr(self, f"child{number}", child.digest)
            setattr(self, f"child{number}_text", child.text)
            setattr(self, f"size{number}", _size(child.text))
        for number, layer in enumerate(document.get("layers", []), 1):
            setattr(self, f"layer{number}", layer["digest"])
            setattr(self, f"layer{number}_size", layer["size"])
            data = sample.blobs[layer["digest"]]
            setattr(self, f"layer{number}_data", data)
            setattr(self, f"layer{number}_from_10_to_19", data[10:20])
        if config := document.get("config"):
            self.config, self.config_size, self.size = config["digest"], config["size"], _size(sample.text)


def _size(manifest: str) -> int:
    return sum(layer["size"] for layer in json.loads(manifest)["layers"])


def _version(number: int) -> SampleImage:
    """Make one of many images that are made of the same layers."""
    return sample_image(("linux/amd64",), annotations={"version": str(number)})


def _artifact(config_type: str = EMPTY_CONFIG, layer_type: str = "text/plain", **fields: Any) -> SampleImage:
    """Make an artifact of one small file."""
    config, layer = b"{}", b"an artifact"
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": config_type, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": layer_type, "digest": digest_of(layer), "size": len(layer)}],
        **fields,
    }
    blobs = {digest_of(blob): blob for blob in (config, layer)}
    return SampleImage(SampleManifest(json.dumps(document), MANIFEST), (), MappingProxyType(blobs))


def _written(image: SampleImage, text: str, media_type: str | None = None) -> SampleImage:
    """Make an image of the same parts from another text."""
    return SampleImage(SampleManifest(text, media_type or image.media_type), image.children, image.blobs)


def _of_layers(count: int) -> SampleImage:
    """Make an image of this many layers, which are all the same."""
    document = json.loads(_ONE.text)
    document["layers"] = document["layers"][:1] * count
    return _written(_ONE, json.dumps(document))


def _subject(image: SampleImage) -> dict[str, Any]:
    return {"mediaType": image.media_type, "digest": image.digest, "size": len(image.text)}


def _schema1() -> SampleImage:
    layer = b"a layer"
    history = json.dumps({"id": "1" * 64, "created": "1970-01-01T00:00:00Z", "config": {}})
    document = {
        "schemaVersion": 1,
        "name": "web",
        "tag": "v1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digest_of(layer)}],
        "history": [{"v1Compatibility": history}],
    }
    return SampleImage(SampleManifest(json.dumps(document), SCHEMA1), (), MappingProxyType({digest_of(layer): layer}))


_ONE, _INDEX = _version(1), sample_image()
_EXOTIC = sample_image(("linux/amd64",), annotations={"text": 'naïve "日本" \\ \u2028 é\u0301 😀'})

IMAGES: Mapping[str, Image] = {
    name: Image(sample)
    for name, sample in {
        "one": _ONE,
        "two": _version(2),
        "three": _version(3),
        "exotic": _written(_EXOTIC, _EXOTIC.text.replace('":"', '" :\n\t"') + "\n"),
        "of_128_layers": _of_layers(128),
        "of_1000_layers": _of_layers(1000),
        "index": _INDEX,
        "uneven": sample_image(("linux/amd64", "linux/arm64/v8", "linux/s390x"), {"data": b"x" * 1000}),
        "docker": sample_image(("linux/amd64",), media_types="docker"),
        "docker_list": sample_image(media_types="docker"),
        "schema1": _schema1(),
        "helm": _artifact(HELM_CONFIG, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
        "artifact": _artifact(artifactType="application/vnd.example"),
        "referrer": _artifact(artifactType="application/vnd.example", subject=_subject(_ONE)),
        "typed_with_parameter": _artifact(artifactType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "layer_with_parameter": _artifact(layer_type="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "of_a_negative_size": _written(_ONE, _ONE.text.replace('"size":', '"size":-')),
        "image_and_index": _written(_ONE, _ONE.text[:-1] + ',"manifests":[]}'),
        "oci_artifact": _written(_INDEX, _INDEX.text.replace("image.index", "artifact.manifest")),
        "os_features": _written(_INDEX, _INDEX.text.replace('"os":', '"os.features":["x"],"os":')),
    }.items()
}

THINGS: Mapping[str, Any] = {
    **IMAGES,
    "zeros": ZEROS,
    "hello": Blob(b"hello"),
    "twice": Blob(b"hellohello"),
    "long": Blob(bytes(5 * 1024 * 1024) + b"hello"),
    "uuid": str(uuid.UUID(int=7)),
}


# --- Worlds --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """A repository: its settings, and the images that are pushed, in order, under tags or none."""

    settings: dict[str, Any] = field(default_factory=dict)
    images: tuple[tuple[str, str | None], ...] = ()
    layers_of: tuple[str, ...] = ()
    """Images of which only the layers are there."""


def _excluding(mutability: str, *wildcards: str) -> dict[str, Any]:
    filters = [{"filterType": "WILDCARD", "filter": wildcard} for wildcard in wildcards]
    return {"imageTagMutability": f"{mutability}_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters}


_ENCRYPTED = {"encryptionType": "KMS", "kmsKey": KEY}
_IMMUTABLE = {"imageTagMutability": "IMMUTABLE"}

WORLDS: Mapping[str, World | None] = {
    "no repository": None,
    "an empty repository": World(),
    "the layers of one": World(layers_of=("one",)),
    "one": World(images=(("one", None),)),
    "one at v1": World(images=(("one", "v1"),)),
    "one at v1, v2 and v3": World(images=(("one", "v1"), ("one", "v2"), ("one", "v3"))),
    "one at v1, two at v2": World(images=(("one", "v1"), ("two", "v2"))),
    "one at v1, two untagged": World(images=(("one", "v1"), ("two", None))),
    "one at v1, two at v2, three untagged": World(images=(("one", "v1"), ("two", "v2"), ("three", None))),
    "index at v1": World(images=(("index", "v1"),)),
    "uneven at v1": World(images=(("uneven", "v1"),)),
    "docker at v1": World(images=(("docker", "v1"),)),
    "docker_list at v1": World(images=(("docker_list", "v1"),)),
    "exotic's layers": World(layers_of=("exotic",)),
    "artifacts' layers": World(layers_of=("artifact", "schema1", "docker")),
    "one at v1 and the artifacts' layers": World(images=(("one", "v1"),), layers_of=("artifact",)),
    "immutable, one at v1": World(_IMMUTABLE, (("one", "v1"),)),
    "immutable, index at v1": World(_IMMUTABLE, (("index", "v1"),)),
    "immutable but v* and *-dev, one at v1": World(_excluding("IMMUTABLE", "v*", "*-dev"), (("one", "v1"),)),
    "immutable but latest and v*.beta, one at v1": World(
        _excluding("IMMUTABLE", "latest", "v*.beta"), (("one", "v1"),)
    ),
    "mutable but v*, one at v1": World(_excluding("MUTABLE", "v*"), (("one", "v1"),)),
    "mutable but v.1, one at v1": World(_excluding("MUTABLE", "v.1"), (("one", "v1"),)),
    "encrypted, one at v1": World({"encryptionConfiguration": _ENCRYPTED}, (("one", "v1"),)),
    "scanned on push, one at v1": World({"imageScanningConfiguration": {"scanOnPush": True}}, (("one", "v1"),)),
}


def build(client: Any, repository: str, name: str) -> None:
    """Make a world in a repository of this name."""
    world = WORLDS[name]
    if world is None:
        return
    client.create_repository(repositoryName=repository, **world.settings)
    for image in world.layers_of:
        upload_layers(client, repository, IMAGES[image].sample)
    for image, tag in world.images:
        push(client, repository, IMAGES[image].sample, tag)


def upload_layers(client: Any, repository: str, image: SampleImage) -> None:
    """Upload what an image is made of, and not the image."""
    for digest, blob in image.blobs.items():
        upload = client.initiate_layer_upload(repositoryName=repository)["uploadId"]
        part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
        client.upload_layer_part(repositoryName=repository, uploadId=upload, **part)
        client.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
