"""What ECR reads out of a manifest: which kind it is, what it is made of, its digest.

The emulator hashes and parses by itself, so that an error of the package it tests cannot hide in here. The
bytes are kept as they came; nothing is ever encoded again, except by the conversion at the end.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ecr_provider.emulator.rules.errors import invalid_manifest, invalid_parameter
from ecr_provider.emulator.rules.media_types import (
    DOCKER_CONFIG,
    FOREIGN_LAYERS,
    MANIFEST_LIST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA2,
    SIGNED_SCHEMA1,
)

_SCHEMA_VERSION = 2  # of all but Docker's first schema

DIGEST_PATTERN = r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"
is_digest = re.compile(DIGEST_PATTERN).fullmatch


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's bytes and the facts in it."""

    raw: bytes
    digest: str
    media_type: str
    artifact_media_type: str | None = None
    subject: str | None = None
    blobs: tuple[tuple[str, str], ...] = ()
    """Config and layers that must be in the repository: (digest, media type)."""
    layers: tuple[str, ...] = ()
    """The digests of the layers among them, as often as they occur."""
    children: tuple[str, ...] = ()


def digest_of(data: bytes) -> str:
    """Compute the sha256 digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parse(text: str, media_type: str | None) -> Manifest:
    """Read a manifest, or raise ``InvalidParameterException``; ECR has one text for nearly every fault in it.

    ``media_type`` is PutImage's ``imageManifestMediaType``: needed if the manifest has no ``mediaType`` field,
    and (our choice, AWS is silent) refused if the field says something else.
    """
    document = _load(text)
    kind = document.get("mediaType", media_type)
    if kind is None and document.get("schemaVersion") == 1:
        kind = SIGNED_SCHEMA1  # Docker's first schema never had the field
    if not isinstance(kind, str) or kind not in _READERS:
        raise invalid_manifest()
    if media_type not in (None, kind):
        raise invalid_parameter("ImageManifestMediaType", "Member must be the mediaType of the image manifest")
    raw = text.encode()
    return Manifest(raw, digest_of(raw), kind, **_READERS[kind](document))


def _load(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_refuse)  # Python would take NaN for JSON
    except (ValueError, RecursionError):
        raise invalid_manifest() from None
    if not isinstance(document, dict):
        raise invalid_manifest()
    annotations = document.get("annotations", {})
    _require(isinstance(annotations, dict) and all(isinstance(value, str) for value in annotations.values()))
    return document


def _refuse(_: str) -> NoReturn:
    raise ValueError


# --- The kinds of manifest -----------------------------------------------------------------------------------


def _image(document: dict[str, Any]) -> dict[str, Any]:
    """Read an image manifest: OCI's, or Docker's schema 2."""
    # What can be read as an image and as an index is neither (OCI image-spec 1.0.2, CVE-2021-41190).
    _require(document.get("schemaVersion") == _SCHEMA_VERSION and "manifests" not in document)
    config, layers = _descriptor(document.get("config")), _descriptors(document.get("layers"))
    stored = [layer for layer in layers if layer["mediaType"] not in FOREIGN_LAYERS]
    return {
        "artifact_media_type": _artifact_type(document) or config["mediaType"],
        "subject": _subject(document),
        "blobs": tuple((blob["digest"], blob["mediaType"]) for blob in (config, *stored)),
        "layers": tuple(layer["digest"] for layer in stored),
    }


def _index(document: dict[str, Any]) -> dict[str, Any]:
    """Read an image index, or Docker's manifest list."""
    _require(
        document.get("schemaVersion") == _SCHEMA_VERSION and not {"config", "layers", "fsLayers"} & document.keys()
    )
    children = _descriptors(document.get("manifests"))
    for child in children:
        platform = child.get("platform", {})
        # ECR refuses this field of the specification (dragonflyoss/nydus#1692).
        _require(isinstance(platform, dict) and "os.features" not in platform)
    return {
        "artifact_media_type": _artifact_type(document),
        "subject": _subject(document),
        "children": tuple(child["digest"] for child in children),
    }


def _schema1(document: dict[str, Any]) -> dict[str, Any]:
    """Read a manifest of Docker's schema 1."""
    layers = document.get("fsLayers")
    _require(document.get("schemaVersion") == 1 and isinstance(layers, list))
    digests = tuple(layer.get("blobSum") if isinstance(layer, dict) else None for layer in layers or ())
    _require(all(isinstance(digest, str) and is_digest(digest) for digest in digests))
    media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    return {"blobs": tuple((digest, media_type) for digest in digests), "layers": digests}


_READERS = {
    OCI_MANIFEST: _image,
    SCHEMA2: _image,
    OCI_INDEX: _index,
    MANIFEST_LIST: _index,
    SIGNED_SCHEMA1: _schema1,
    SCHEMA1: _schema1,
}


# --- Parts of a manifest -------------------------------------------------------------------------------------


def _require(condition: bool) -> None:
    if not condition:
        raise invalid_manifest()


def _descriptor(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_manifest()
    digest, size = value.get("digest"), value.get("size")
    _require(isinstance(digest, str) and bool(is_digest(digest)))
    _require(type(size) is int and size >= 0)
    _require(_is_media_type(value.get("mediaType")))
    return value


def _descriptors(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise invalid_manifest()
    return [_descriptor(item) for item in value]


def _artifact_type(document: dict[str, Any]) -> str | None:
    artifact_type: str | None = document.get("artifactType")
    _require(artifact_type is None or _is_media_type(artifact_type))
    return artifact_type


def _subject(document: dict[str, Any]) -> str | None:
    subject = document.get("subject")
    return None if subject is None else _descriptor(subject)["digest"]


def _is_media_type(value: Any) -> bool:
    # ECR refuses media types with parameters (aws/containers-roadmap#2306).
    return isinstance(value, str) and value != "" and ";" not in value


# --- Conversion ----------------------------------------------------------------------------------------------

_TO_OCI = {
    SCHEMA2: OCI_MANIFEST,
    DOCKER_CONFIG: OCI_CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}
_TO_SCHEMA2 = {oci: docker for docker, oci in _TO_OCI.items()}

# User guide, "Container image manifest format support": what a client gets that accepts only some formats,
# best first. What is not said to be possible is not possible: a client is then told there is no such image.
_CONVERSIONS: Mapping[str, tuple[str, ...]] = {
    SCHEMA2: (SCHEMA2, OCI_MANIFEST),  # AWS makes schema 1 of it too; the emulator does not
    OCI_MANIFEST: (OCI_MANIFEST, SCHEMA2),
    SCHEMA1: (SCHEMA1,),
    SIGNED_SCHEMA1: (SIGNED_SCHEMA1, SCHEMA1),
}


def offered(stored: str, accepted: list[str] | None) -> str | None:
    """Choose the media type to answer with, or None if the client accepts none that is possible.

    AWS does not say what becomes of indexes, nor what happens without a list or with one that names no image
    manifest at all: the choice here is to answer what is stored.
    """
    if stored not in _CONVERSIONS or not accepted or not _CONVERSIONS.keys() & set(accepted):
        return stored
    return next((kind for kind in _CONVERSIONS[stored] if kind in accepted), None)


def refusal(stored: str) -> str:
    """Say why nothing is offered: a client that takes neither form of an image takes schema 1 at most."""
    if stored == SCHEMA2:
        return "The ECR emulator does not convert images to Docker's schema 1"
    return "Requested image not found in any of the accepted media types"


def converted(raw: bytes, kind: str) -> bytes:
    """Rewrite a manifest as another kind. The result does not have the image's digest any more."""
    words = _TO_OCI if kind == OCI_MANIFEST else _TO_SCHEMA2
    document = json.loads(raw)
    document["mediaType"] = kind
    for descriptor in (document["config"], *document["layers"]):
        descriptor["mediaType"] = words.get(descriptor["mediaType"], descriptor["mediaType"])
    return json.dumps(document, separators=(",", ":")).encode()
