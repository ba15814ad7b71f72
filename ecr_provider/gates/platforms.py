"""The images that an image index is made of: what runs, without what only tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.oci import Descriptor, Digest, ImageIndex
from ecr_provider.oci.media_types import IMAGE_MANIFEST_TYPES, is_image_index

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.gates.gate import GatedImage

#: By this annotation, and a platform that nobody has, BuildKit marks the attestations in an index, which nobody runs.
#: Source: https://docs.docker.com/build/metadata/attestations/attestation-storage/
_ATTESTATION: Final = "vnd.docker.reference.type"


class PlatformImage(NamedTuple):
    """An image for one platform.

    :param digest: of its manifest.
    :param platform: such as ``linux/amd64``; empty where nothing says so.
    """

    digest: Digest
    platform: str

    def __str__(self) -> str:
        return self.platform or str(self.digest)


def images_of(repository: EcrRepository, image: GatedImage) -> tuple[PlatformImage, ...]:
    """Return the images of an index, those of indexes within it included, or the image itself.

    Only an index is read, by BatchGetImage; that counts as a pull of the index.

    :raises EcrCallError: an index cannot be read.
    """
    if image.media_type in IMAGE_MANIFEST_TYPES:
        return (PlatformImage(image.digest, ""),)
    found = dict.fromkeys(_images_in(repository, image.digest))
    return tuple(found)


def _images_in(repository: EcrRepository, digest: Digest) -> Iterator[PlatformImage]:
    manifest = repository.manifest_of(repository.get_image(ImageIdentifier(digest)))
    if not isinstance(manifest, ImageIndex):
        yield PlatformImage(digest, "")
        return
    for child in manifest.manifests:
        if is_image_index(child.media_type):
            yield from _images_in(repository, child.digest)
        elif not _is_attestation(child):
            yield PlatformImage(child.digest, str(child.platform or ""))


def _is_attestation(child: Descriptor) -> bool:
    # Both, so that no image passes by saying one of them.
    return _ATTESTATION in child.annotations and str(child.platform) == "unknown/unknown"
