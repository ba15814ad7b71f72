"""The image index that an image is a part of."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.limits import MAX_IMAGE_IDS, MAX_IMAGES_A_PAGE
from ecr_provider.ecr.listing import list_images
from ecr_provider.ecr.repository import Image, ImageDetail
from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci import Digest, ImageIndex
from ecr_provider.oci.media_types import is_image_index

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


def index_with(repository: EcrRepository, digest: Digest, *, most: int | None = MAX_IMAGE_IDS) -> ImageDetail | None:
    """Find an image index that lists an image: among the newest hundred of the first thousand images, or everywhere.

    One DescribeImages for each thousand images, and one BatchGetImage for each hundred indexes, which counts as a pull
    of them. By default these are two calls: enough for a warning, and no proof that there is none.

    :param repository: where to look.
    :param digest: the image.
    :param most: how many indexes to read, the newest first; ``None``: all of the repository.
    :raises EcrCallError: a call failed.
    """
    images = islice(list_images(repository), None if most is None else MAX_IMAGES_A_PAGE)
    details = [detail for detail in images if is_image_index(detail.media_type or "")]
    details.sort(key=lambda detail: detail.image_pushed_at.timestamp() if detail.image_pushed_at else 0.0, reverse=True)
    indexes = {detail.digest: detail for detail in details[:most]}
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
