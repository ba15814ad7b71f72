"""Image manifests and image indexes, kept as the bytes they arrived in.

The bytes are the identity: ``raw`` is never written anew, and ``digest`` is over it. Two texts of the same
JSON (another key order, a trailing newline, CRLF) are two manifests with two digests; everything else here is
a view.

Whether a manifest names itself is not asked: its text would have to contain its own sha256. Content
addressing makes a graph of manifests acyclic (OCI image-spec descriptor.md: a Merkle DAG), so a walk along
``children`` ends.

Sources: OCI image-spec manifest.md and image-index.md; Docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci.descriptor import Descriptor, Platform
from ecr_provider.oci.digest import Digest
from ecr_provider.oci.media_types import (
    MANIFEST_TYPES,
    OCI_ARTIFACT_MANIFEST,
    OCI_IMAGE_INDEX,
    OCI_IMAGE_MANIFEST,
    SCHEMA_1_TYPES,
    check_media_type,
    is_image_index,
)
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.strict_json import JsonObject, parse_object, texts_by_name_of

LARGEST_MANIFEST: Final = 4 * 1024 * 1024
"""Bytes of a manifest at most. ECR's model limits ``imageManifest`` to 4,194,304 characters; the same number
of bytes is never more than that, and bytes are what containerd and the other registries count."""


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """One image: a config and its layers; or an artifact in that form.

    :param raw: the manifest's bytes, UTF-8.
    :param media_type: one of ``IMAGE_MANIFEST_TYPES``.
    :param config: the image's configuration.
    :param layers: from the base layer up.
    :param subject: the manifest that this one refers to, such as the image that it is the signature of.
    :param artifact_type: what it is, if it is an artifact.
    :param annotations: whatever its author added.
    """

    raw: bytes = field(repr=False)
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    digest: Digest = field(init=False)
    """The sha256 digest of ``raw``, by which registries know the manifest."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", Digest.of(self.raw))

    @property
    def text(self) -> str:
        """The manifest as text, for ECR's API: encoded as UTF-8 it is ``raw``."""
        return self.raw.decode()

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What the image needs: its config and its layers, also foreign ones, which registries may lack.

        Not its subject: registries take a manifest before its subject (OCI distribution-spec, "Push").
        """
        return (self.config, *self.layers)


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """Several images under one name, usually one for each platform (Docker: manifest list).

    :param raw: the index's bytes, UTF-8.
    :param media_type: one of ``IMAGE_INDEX_TYPES``.
    :param manifests: the images; indexes too may be among them.
    :param subject: the manifest that this one refers to.
    :param artifact_type: what it is, if it is an artifact.
    :param annotations: whatever its author added.
    """

    raw: bytes = field(repr=False)
    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    digest: Digest = field(init=False)
    """The sha256 digest of ``raw``, by which registries know the index."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", Digest.of(self.raw))

    @property
    def text(self) -> str:
        """The index as text, for ECR's API: encoded as UTF-8 it is ``raw``."""
        return self.raw.decode()

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What the index needs: its manifests."""
        return self.manifests

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that the index names, in its order.

        BuildKit's attestations call theirs ``unknown/unknown``; manifests without a platform are left out.
        """
        return tuple(child.platform for child in self.manifests if child.platform)


Manifest: TypeAlias = ImageManifest | ImageIndex


def parse_manifest(raw: bytes | str, media_type: str | None = None) -> Manifest:
    """Parse an image manifest or an image index, of OCI or of Docker's schema 2.

    :param raw: the manifest exactly as it arrived; text stands for its UTF-8 bytes.
    :param media_type: what the registry said it is (ECR: ``imageManifestMediaType``). Needed for nothing if
        the manifest has a ``mediaType`` of its own, with which it must agree; without either, the type is
        inferred: image-spec lets an OCI manifest lack the field.
    :raises InvalidManifestError: it is not a manifest, breaks the specification, can be read in two ways, or
        is of a kind that cannot be released any more.
    """
    content = _content_of(raw)
    json = parse_object(_text_of(content))
    kind = _media_type_of(json, media_type)
    if is_image_index(kind):
        return ImageIndex(
            raw=content,
            media_type=kind,
            manifests=tuple(Descriptor.read(item) for item in json.objects("manifests")),
            subject=_subject_of(json),
            artifact_type=json.optional("artifactType", check_media_type),
            annotations=json.optional("annotations", texts_by_name_of) or {},
        )
    return ImageManifest(
        raw=content,
        media_type=kind,
        config=Descriptor.read(json.object("config")),
        layers=tuple(Descriptor.read(item) for item in json.objects("layers")),
        subject=_subject_of(json),
        artifact_type=json.optional("artifactType", check_media_type),
        annotations=json.optional("annotations", texts_by_name_of) or {},
    )


def _content_of(raw: object) -> bytes:
    """Return the manifest's bytes, if it has some and not too many."""
    match raw:
        case bytes():
            content = raw
        case str():
            content = _encoded(raw)
        case _:
            raise InvalidManifestError(
                f"a manifest is text or bytes, got {quote(raw)}: parsed JSON has lost the bytes that its digest is "
                "over; pass the text itself, and mind that render_template_as_native_obj parses it"
            )
    if not content:
        raise InvalidManifestError("the manifest is empty; pass the text that the registry returned")
    if len(content) > LARGEST_MANIFEST:
        raise InvalidManifestError(
            f"the manifest has {len(content)} bytes, and ECR takes {LARGEST_MANIFEST} at most; "
            "check that it is a manifest and not the image itself"
        )
    return content


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidManifestError(
            f"the manifest's character {error.start} is a lone surrogate, which UTF-8 cannot write; "
            "read the manifest as bytes, or as UTF-8"
        ) from error


def _text_of(content: bytes) -> str:
    if content.startswith(codecs.BOM_UTF8):
        raise InvalidManifestError(
            "the manifest starts with a UTF-8 byte order mark, which JSON forbids (RFC 8259, section 8.1) and "
            "which changes the digest; save it without the mark, or read it as utf-8-sig"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidManifestError(
            f"the manifest's byte {error.start} is not UTF-8 ({error.reason}), and ECR takes manifests as "
            "text; pass the manifest itself, neither compressed nor in another encoding"
        ) from error


def _subject_of(json: JsonObject) -> Descriptor | None:
    subject = json.optional_object("subject")
    return Descriptor.read(subject) if subject else None


def _media_type_of(json: JsonObject, told: str | None) -> str:
    """Settle what the manifest is: by its own word, else by the caller's, else by its structure."""
    own = json.optional("mediaType", check_media_type)
    claims = [check_media_type(claim) for claim in (own, told) if claim is not None]
    _refuse_old_formats(json, claims)
    _refuse_two_formats(json)
    if len(set(claims)) > 1:
        raise InvalidManifestError(
            f"the manifest's mediaType is {quote(own)}, but it came as {quote(told)}; "
            "leave the media type out, or find out which of them belongs to this manifest"
        )
    media_type = claims[0] if claims else _inferred_media_type(json)
    if media_type not in MANIFEST_TYPES:
        raise InvalidManifestError(
            f"{quote(media_type)} is the media type of neither an image manifest nor an image index, which have "
            f"{', '.join(MANIFEST_TYPES)}; pass the manifest of an image"
        )
    return media_type


def _refuse_old_formats(json: JsonObject, claims: list[str]) -> None:
    if OCI_ARTIFACT_MANIFEST in claims:
        raise InvalidManifestError(
            f"{OCI_ARTIFACT_MANIFEST} was withdrawn before OCI image-spec 1.1; push the artifact again with a "
            "tool that writes an OCI image manifest with an artifactType, such as oras 1.1 or later"
        )
    version = json.required("schemaVersion", _schema_version_of)
    if version == 1 or "fsLayers" in json or not set(claims).isdisjoint(SCHEMA_1_TYPES):
        raise InvalidManifestError(
            "the manifest is of Docker's schema 1, which today's runtimes refuse; push the image again with a "
            "tool that writes schema 2 or OCI manifests"
        )


def _refuse_two_formats(json: JsonObject) -> None:
    """Refuse what is an image to one reader and an index to another: CVE-2021-41190, GHSA-mc8v-mgrf-8f4m."""
    image = [name for name in ("config", "layers") if name in json]
    if image and "manifests" in json:
        raise InvalidManifestError(
            f"the manifest has manifests, as an index, and {' and '.join(image)}, as an image, so that readers "
            "could run different images (CVE-2021-41190); build it again with a tool that writes one of them"
        )


def _inferred_media_type(json: JsonObject) -> str:
    # Only OCI lets the field be missing (image-spec manifest.md and image-index.md: "SHOULD be used").
    if "manifests" in json:
        return OCI_IMAGE_INDEX
    if "config" in json and "layers" in json:
        return OCI_IMAGE_MANIFEST
    raise InvalidManifestError(
        "the manifest has no mediaType, no config and layers as an image, no manifests as an index; "
        "pass a manifest, which an image's config, for example, is not"
    )


def _schema_version_of(value: object) -> int:
    # JSON's true and 2.0 equal integers to Python.
    if type(value) is int and value in {1, 2}:
        return value
    raise InvalidManifestError(f"{quote(value)} is not 2, the schema version of images and indexes")
