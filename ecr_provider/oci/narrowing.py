"""An image index for fewer platforms: another index, with another digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci.descriptor import Descriptor, Platform
from ecr_provider.oci.manifest import ImageIndex, Manifest, parse_manifest

#: By this annotation BuildKit says which image of the index an attestation is about.
#: Source: BuildKit's docs/attestations/attestation-storage.md
_ATTESTED: Final = "vnd.docker.reference.digest"


def narrowed(image: Manifest, platforms: Sequence[Platform]) -> Manifest:
    """Keep of an index what is for some platforms, and the attestations about that.

    :param image: the index; whatever refers to it by its digest does not refer to what is returned.
    :param platforms: what to keep.
    :return: the index itself if it has nothing else.
    :raises InvalidInputError: it is no index, or has nothing for one of the platforms.
    """
    if not isinstance(image, ImageIndex):
        raise InvalidInputError(
            f"platforms narrows an image index, and {image.digest} is a single image; leave platforms out."
        )
    for wanted in platforms:
        if not any(offered.satisfies(wanted) for offered in image.platforms):
            offers = ", ".join(map(str, image.platforms)) or "none"
            raise InvalidInputError(f"The index {image.digest} has no image for {wanted}; its platforms are {offers}.")
    kept = {child.digest for child in image.manifests if _is_for(child, platforms)}
    attested = {str(digest) for digest in kept}
    keep = [child.digest in kept or child.annotations.get(_ATTESTED) in attested for child in image.manifests]
    if all(keep):
        return image
    document = json.loads(image.text)
    document["manifests"] = [child for child, is_kept in zip(document["manifests"], keep, strict=True) if is_kept]
    return parse_manifest(json.dumps(document, separators=(",", ":")), image.media_type)


def _is_for(child: Descriptor, platforms: Sequence[Platform]) -> bool:
    return child.platform is not None and any(child.platform.satisfies(wanted) for wanted in platforms)
