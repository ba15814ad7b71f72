"""Indexes of sample images, put together by hand: such as builders make, and odd ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ecr_provider.emulator.samples import SampleImage, SampleManifest
from ecr_provider.oci.media_types import OCI_IMAGE_INDEX

LINUX: Final = {"os": "linux", "architecture": "amd64"}
NOBODY: Final = {"os": "unknown", "architecture": "unknown"}


def entry(
    image: SampleImage | SampleManifest, platform: Mapping[str, str] | None = None, **annotations: str
) -> dict[str, Any]:
    """Name an image in an index, as its builder does."""
    named: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": len(image.text.encode())}
    return named | ({"platform": platform} if platform else {}) | ({"annotations": annotations} if annotations else {})


def index_of(
    *entries: Mapping[str, Any],
    media_type: str = OCI_IMAGE_INDEX,
    children: tuple[SampleManifest, ...] = (),
    blobs: Mapping[str, bytes] | None = None,
) -> SampleImage:
    """Make an index.

    :param children: what is pushed with it, before it.
    :param blobs: of the children.
    """
    text = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
    return SampleImage(SampleManifest(text, media_type), children, dict(blobs or {}))
