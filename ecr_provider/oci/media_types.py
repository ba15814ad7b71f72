"""The media types of manifests, configs and layers.

Media types are an open set ("implementations storing or copying image manifests MUST NOT error on
encountering a value that is unknown", OCI image-spec manifest.md), so these are names for strings, and no
enum.

Sources: OCI image-spec media-types.md; Docker's image manifest version 2, schema 2 (manifest-v2-2.md).
"""

from __future__ import annotations

from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci.quoting import quote

# Manifests
OCI_IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"  # withdrawn before image-spec 1.1
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST_V1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_MANIFEST_V1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

# Configs
OCI_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_IMAGE_CONFIG = "application/vnd.docker.container.image.v1+json"

# Layers
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

# Layers with distribution restrictions: registries need not hold them, `urls` says where they are.
OCI_NONDISTRIBUTABLE_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_NONDISTRIBUTABLE_LAYER_GZIP = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_NONDISTRIBUTABLE_LAYER_ZSTD = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

IMAGE_MANIFEST_TYPES = (OCI_IMAGE_MANIFEST, DOCKER_MANIFEST)
IMAGE_INDEX_TYPES = (OCI_IMAGE_INDEX, DOCKER_MANIFEST_LIST)
MANIFEST_TYPES = IMAGE_MANIFEST_TYPES + IMAGE_INDEX_TYPES
SCHEMA_1_TYPES = (DOCKER_MANIFEST_V1, DOCKER_MANIFEST_V1_SIGNED)
FOREIGN_LAYER_TYPES = (
    OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
    DOCKER_FOREIGN_LAYER,
    DOCKER_FOREIGN_LAYER_GZIP,
)


def is_image_manifest(media_type: str) -> bool:
    """Tell whether content of this type is one image: a config and its layers."""
    return media_type in IMAGE_MANIFEST_TYPES


def is_image_index(media_type: str) -> bool:
    """Tell whether content of this type lists other manifests (Docker: manifest list)."""
    return media_type in IMAGE_INDEX_TYPES


def is_foreign_layer(media_type: str) -> bool:
    """Tell whether a layer of this type may be absent from every registry (OCI: non-distributable)."""
    return media_type in FOREIGN_LAYER_TYPES


def check_media_type(text: object) -> str:
    """Return the media type as it is, if it can be one.

    RFC 6838, section 4.2, allows less than this; published artifacts do not keep to it, and a release tool
    gains nothing by refusing them. What could break a header or a log line is refused.

    :param text: the value of a ``mediaType`` or an ``artifactType``.
    :raises InvalidManifestError: it is not printable ASCII text.
    """
    if isinstance(text, str) and text and text.isascii() and text.isprintable():
        return text
    raise InvalidManifestError(f"{quote(text)} is not a media type, which is printable ASCII text")
