"""The image index that an image is a part of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.limits import MAX_IMAGE_IDS, MAX_IMAGES_A_PAGE
from ecr_provider.ecr.repository import Image, ImageDetail
from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci import Digest, ImageIndex
from ecr_provider.oci.media_types import is_image_index

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


def index_with(repository: EcrRepository, digest: Digest) -> ImageDetail | None:
    """Find an image index that lists an image, among the newest hundred of the first thousand images.

    Two calls, DescribeImages and BatchGetImage: enough for a warning, and no proof that there is none.

    :param repository: where to look.
    :param digest: the image.
    :raises EcrCallError: a call failed.
    """
    indexes = {detail.digest: detail for detail in _newest_indexes(repository)}
    for found in repository.read(map(ImageIdentifier, indexes)).values():
        if isinstance(found, Image) and digest in _listed_in(found):
            return indexes[found.digest]
    return None


def _listed_in(image: Image) -> list[Digest]:
    try:
        manifest = image.manifest()
    except InvalidManifestError:  # another one's fault
        return []
    return [child.digest for child in manifest.manifests] if isinstance(manifest, ImageIndex) else []


def _newest_indexes(repository: EcrRepository) -> list[ImageDetail]:
    with translated("DescribeImages", str(repository)):
        answer = repository.client.describe_images(maxResults=MAX_IMAGES_A_PAGE, **repository.address)
        details = [ImageDetail.from_api(each) for each in answer["imageDetails"]]
    found = [detail for detail in details if is_image_index(detail.media_type or "")]
    found.sort(key=lambda detail: detail.image_pushed_at.timestamp() if detail.image_pushed_at else 0.0, reverse=True)
    return found[:MAX_IMAGE_IDS]
