"""Images of every shape: indexes within indexes, shared blobs, referrers of parts and of referrers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from memory_images import MemoryImages

from ecr_provider.copying.plan import ImageGraph
from ecr_provider.oci import Descriptor, Digest, ImageIndex, ImageManifest, Manifest, Referrer, parse_manifest
from ecr_provider.oci import media_types as types

FOREIGN_URL = "https://example.com/layer"


def image_of(
    config: Descriptor, layers: Sequence[Descriptor], subject: Manifest | None = None, name: str = ""
) -> ImageManifest:
    """Make an image manifest."""
    made = parse_manifest(
        _text(types.OCI_IMAGE_MANIFEST, subject, name, config=_json(config), layers=[_json(each) for each in layers])
    )
    assert isinstance(made, ImageManifest)
    return made


def index_of(children: Sequence[Manifest], subject: Manifest | None = None, name: str = "") -> ImageIndex:
    """Make an image index."""
    made = parse_manifest(
        _text(types.OCI_IMAGE_INDEX, subject, name, manifests=[_json(described(each)) for each in children])
    )
    assert isinstance(made, ImageIndex)
    return made


def described(manifest: Manifest) -> Descriptor:
    """Describe a manifest as an index does."""
    return Descriptor(manifest.media_type, manifest.digest, len(manifest.raw))


def referrer(manifest: Manifest) -> Referrer:
    """Describe a manifest as a list of referrers does."""
    return Referrer(manifest.digest, manifest.media_type)


def _text(media_type: str, subject: Manifest | None, name: str, **members: Any) -> str:
    json_of: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, **members}
    if subject:
        json_of["subject"] = _json(described(subject))
    if name:
        json_of["annotations"] = {"name": name}
    return json.dumps(json_of)


def _json(descriptor: Descriptor) -> dict[str, Any]:
    urls = {"urls": list(descriptor.urls)} if descriptor.urls else {}
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **urls,
    }


@dataclass(frozen=True)
class Made:
    """An image with all that there is of it.

    :param contents: its blobs, but for the foreign ones.
    """

    image: Manifest
    manifests: dict[Digest, Manifest]
    contents: dict[Digest, bytes]

    @property
    def graph(self) -> ImageGraph:
        """What a survey makes of it."""
        referrers = {
            subject: tuple(
                referrer(each) for each in self.manifests.values() if each.subject and each.subject.digest == subject
            )
            for subject in self.manifests
        }
        return ImageGraph(self.image, self.manifests, {subject: group for subject, group in referrers.items() if group})

    def fill(self, images: MemoryImages, *tags: str) -> None:
        """Have a repository hold it."""
        images.contents |= self.contents
        images.held |= self.manifests
        images.tags |= dict.fromkeys(tags, self.image.digest)

    def closed(self, digests: frozenset[Digest]) -> frozenset[Digest]:
        """Add what is below, as a registry has it."""
        found, waiting = set[Digest](), list(digests)
        while waiting:
            digest = waiting.pop()
            if digest not in found:
                found.add(digest)
                waiting += [each.digest for each in self.manifests[digest].children if each.digest in self.manifests]
        return frozenset(found)


_BLOBS = [bytes([number]) * (number * 7 % 23) for number in range(8)]
FOREIGN = [
    Descriptor(types.DOCKER_FOREIGN_LAYER_GZIP, Digest.of(b"foreign %d" % number), 9, urls=(FOREIGN_URL,))
    for number in range(2)
]


@st.composite
def made_images(draw: st.DrawFn, *, with_foreign: bool = True) -> Made:
    """Draw an image, and what refers to it."""
    descriptors = [Descriptor(types.OCI_LAYER, Digest.of(content), len(content)) for content in _BLOBS]
    layers = st.lists(st.sampled_from(descriptors + (FOREIGN if with_foreign else [])), max_size=3)
    config = st.sampled_from(descriptors)
    parts: list[Manifest] = [
        image_of(draw(config), draw(layers), name=f"part {number}") for number in range(draw(st.integers(1, 3)))
    ]
    for number in range(draw(st.integers(0, 3))):
        children = draw(st.lists(st.sampled_from(parts), max_size=3))
        parts.append(index_of(children, name=f"index {number}"))
    known = _below(parts[-1], parts)
    for number in range(draw(st.integers(0, 4))):
        subject = draw(st.sampled_from(known))
        if draw(st.booleans()):
            made: Manifest = image_of(draw(config), draw(layers), subject, f"referrer {number}")
        else:
            children = draw(st.lists(st.sampled_from(parts + known), max_size=2))
            made = index_of(children, subject, f"referrer {number}")
        known += [each for each in (*_below(made, parts + known), made) if each not in known]
    contents = {Digest.of(content): content for content in _BLOBS}
    return Made(parts[-1], {each.digest: each for each in known}, contents)


def _below(top: Manifest, parts: Sequence[Manifest]) -> list[Manifest]:
    """Return a manifest and all manifests below it, each once."""
    by_digest = {each.digest: each for each in parts}
    found, waiting = dict[Digest, Manifest](), [top]
    while waiting:
        manifest = waiting.pop()
        found[manifest.digest] = manifest
        waiting += [by_digest[each.digest] for each in manifest.children if each.digest in by_digest]
    return list(found.values())
