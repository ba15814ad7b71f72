"""Small real images for tests and demonstrations, made without docker.

An image is made of real files in tar archives, with real configs; it could be run. The same input gives the
same bytes, hence the same digests, on every machine and every day: no clock and no compressor is involved.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

PLATFORMS = ("linux/amd64", "linux/arm64")
FILES = MappingProxyType({"hello.txt": b"Hello from a sample image.\n"})

_BATCH = 100  # layers in one BatchCheckLayerAvailability


@dataclass(frozen=True, slots=True)
class _MediaTypes:
    index: str
    manifest: str
    config: str
    layer: str


_MEDIA_TYPES = {
    "oci": _MediaTypes(
        index="application/vnd.oci.image.index.v1+json",
        manifest="application/vnd.oci.image.manifest.v1+json",
        config="application/vnd.oci.image.config.v1+json",
        layer="application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    "docker": _MediaTypes(
        index="application/vnd.docker.distribution.manifest.list.v2+json",
        manifest="application/vnd.docker.distribution.manifest.v2+json",
        config="application/vnd.docker.container.image.v1+json",
        layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}


@dataclass(frozen=True, slots=True)
class SampleManifest:
    """A manifest: its text is its identity."""

    text: str
    media_type: str

    @property
    def digest(self) -> str:
        """The digest of the text."""
        return _digest(self.text.encode())


@dataclass(frozen=True, slots=True)
class SampleImage:
    """An image: what a tag points at, and all it is made of."""

    manifest: SampleManifest
    """The index or, of an image for a single platform, the image manifest."""
    children: tuple[SampleManifest, ...]
    """The manifests that the index names, in its order."""
    blobs: Mapping[str, bytes]
    """Layers and configs by digest."""

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return self.manifest.digest

    @property
    def media_type(self) -> str:
        """The media type of the manifest."""
        return self.manifest.media_type

    @property
    def text(self) -> str:
        """The text of the manifest."""
        return self.manifest.text


# --- Making --------------------------------------------------------------------------------------------------


def sample_image(
    platforms: Iterable[str] = PLATFORMS,
    files: Mapping[str, bytes] = FILES,
    media_types: Literal["oci", "docker"] = "oci",
    annotations: Mapping[str, str] | None = None,
) -> SampleImage:
    """Make an image of files: an index over one manifest a platform, or one manifest for one platform.

    All platforms share the layer of the files, and each has a layer of its own with ``etc/platform`` in it.
    ``annotations`` stand on the index or, for one platform, on the manifest.
    """
    kinds = _MEDIA_TYPES[media_types]
    names = tuple(platforms)
    blobs: dict[str, bytes] = {}
    if len(names) == 1:
        return SampleImage(_manifest(names[0], files, kinds, blobs, annotations), (), MappingProxyType(blobs))
    children = tuple(_manifest(name, files, kinds, blobs, None) for name in names)
    descriptors = [
        _descriptor(child.media_type, child.text.encode()) | {"platform": _platform(name)}
        for name, child in zip(names, children, strict=True)
    ]
    index = {"schemaVersion": 2, "mediaType": kinds.index, "manifests": descriptors}
    return SampleImage(_written(index, annotations), children, MappingProxyType(blobs))


def sample_artifact(
    artifact_type: str,
    content: bytes = b"{}\n",
    subject: SampleManifest | SampleImage | None = None,
    annotations: Mapping[str, str] | None = None,
) -> SampleImage:
    """Make an artifact of one blob: an SBOM, a signature, an attestation.

    It has OCI's empty config (image-spec 1.1, "Guidelines for Artifact Usage").

    :param artifact_type: its media type, such as ``application/spdx+json``.
    :param content: the blob.
    :param subject: what it refers to: an image, or one of its ``children``.
    """
    empty = b"{}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MEDIA_TYPES["oci"].manifest,
        "artifactType": artifact_type,
        "config": _descriptor("application/vnd.oci.empty.v1+json", empty),
        "layers": [_descriptor(artifact_type, content)],
    }
    if subject is not None:
        manifest["subject"] = _descriptor(subject.media_type, subject.text.encode())
    blobs = MappingProxyType({_digest(empty): empty, _digest(content): content})
    return SampleImage(_written(manifest, annotations), (), blobs)


def _manifest(
    platform: str,
    files: Mapping[str, bytes],
    kinds: _MediaTypes,
    blobs: dict[str, bytes],
    annotations: Mapping[str, str] | None,
) -> SampleManifest:
    """Make the manifest of a platform, and add what it is made of to the blobs."""
    archives = [_tar(files), _tar({"etc/platform": f"{platform}\n".encode()})]
    config = {
        **_platform(platform),
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(archive) for archive in archives]},
    }
    parts = [(kinds.config, _json(config)), *((kinds.layer, _gzip(archive)) for archive in archives)]
    for _, part in parts:
        blobs[_digest(part)] = part
    described = [_descriptor(media_type, part) for media_type, part in parts]
    manifest = {
        "schemaVersion": 2,
        "mediaType": kinds.manifest,
        "config": described[0],
        "layers": described[1:],
    }
    return _written(manifest, annotations)


def _written(manifest: dict[str, Any], annotations: Mapping[str, str] | None) -> SampleManifest:
    if annotations:
        manifest = manifest | {"annotations": dict(sorted(annotations.items()))}
    return SampleManifest(_json(manifest).decode(), manifest["mediaType"])


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _platform(name: str) -> dict[str, str]:
    """Read "linux/arm64/v8"."""
    return dict(zip(("os", "architecture", "variant"), name.split("/"), strict=False))


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Archive files in the order of their names, without owners and without times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    """Wrap data as gzip without compressing it.

    What a compressor makes of data differs between the versions of zlib; blocks that are merely stored
    (RFC 1951, 3.2.4) cannot.
    """
    blocks = [data[start : start + 0xFFFF] for start in range(0, len(data), 0xFFFF)] or [b""]
    stored = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    head = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"  # gzip, deflate, no flags, no time, unknown system
    return head + stored + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# --- Pushing -------------------------------------------------------------------------------------------------


def push(client: ECRClient, repository_name: str, image: SampleImage, tag: str | None = None) -> str:
    """Push an image as docker would, through ECR's API; return its digest.

    Layers first, then the manifests they make up by digest, and last the manifest that gets the tag. What is
    there already is left alone, so pushing twice is no error.
    """
    digests = list(image.blobs)
    for start in range(0, len(digests), _BATCH):
        for digest in _missing(client, repository_name, digests[start : start + _BATCH]):
            _upload(client, repository_name, digest, image.blobs[digest])
    for child in image.children:
        _put(client, repository_name, child, None)
    _put(client, repository_name, image.manifest, tag)
    return image.digest


def _missing(client: ECRClient, repository_name: str, digests: list[str]) -> list[str]:
    answer = client.batch_check_layer_availability(repositoryName=repository_name, layerDigests=digests)
    present = {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}
    return [digest for digest in digests if digest not in present]


def _upload(client: ECRClient, repository_name: str, digest: str, blob: bytes) -> None:
    upload = client.initiate_layer_upload(repositoryName=repository_name)
    size = upload["partSize"]
    for first in range(0, len(blob), size):
        part = blob[first : first + size]
        client.upload_layer_part(
            repositoryName=repository_name,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    with suppress(client.exceptions.LayerAlreadyExistsException):
        client.complete_layer_upload(repositoryName=repository_name, uploadId=upload["uploadId"], layerDigests=[digest])


def _put(client: ECRClient, repository_name: str, manifest: SampleManifest, tag: str | None) -> None:
    with suppress(client.exceptions.ImageAlreadyExistsException):
        client.put_image(
            repositoryName=repository_name,
            imageManifest=manifest.text,
            imageManifestMediaType=manifest.media_type,
            imageDigest=manifest.digest,
            **({"imageTag": tag} if tag else {}),
        )
