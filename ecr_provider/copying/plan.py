"""What to copy, and by which way: decided from what the source has and what the target holds. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter

from ecr_provider.copying.protocols import Holdings
from ecr_provider.oci import Descriptor, Digest, ImageIndex, ImageManifest, Manifest, Referrer
from ecr_provider.oci.media_types import is_foreign_layer


class Way(StrEnum):
    """How a blob gets to the target, the cheapest first."""

    SKIPPED = "skipped"
    """It is there already."""
    MOUNTED = "mounted"
    """The registry takes it over from the source's repository; no byte moves."""
    STREAMED = "streamed"
    """Through this process."""
    FOREIGN = "foreign"
    """Not at all: its licence keeps it out of registries, and clients get it from where its descriptor says."""


@dataclass(frozen=True, slots=True)
class ImageGraph:
    """An image at its source: its manifest, and all that it needs, and all that refers to any of it.

    :param image: the manifest that was asked for.
    :param manifests: those that were read, by digest, the image's among them.
    :param referrers: what refers to each manifest, if anything does.
    """

    image: Manifest
    manifests: Mapping[Digest, Manifest]
    referrers: Mapping[Digest, tuple[Referrer, ...]] = field(default_factory=dict)

    def below(self, digest: Digest) -> tuple[Digest, ...]:
        """Return what an index lists, if it is one that was read."""
        manifest = self.manifests.get(digest)
        return tuple(child.digest for child in manifest.children) if isinstance(manifest, ImageIndex) else ()

    @property
    def referring(self) -> tuple[Referrer, ...]:
        """Everything that refers to something, once."""
        each = {referrer.digest: referrer for group in self.referrers.values() for referrer in group}
        return tuple(each.values())


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What is to be done, in this order: the blobs, the waves of manifests one after the other, the tags.

    :param image: what the tags will point at.
    :param blobs: each blob once, with its way, the largest first.
    :param waves: manifests whose needs are met by the waves before; those of one wave may be put at once.
    :param referrers: what refers to the image and to each of its parts, whether it is there already or not.
    :param tags: what to put in the end; nothing if all of them are there.
    :param left_behind: how many referrers are not copied, because they were not asked for.
    """

    image: Manifest
    blobs: tuple[tuple[Descriptor, Way], ...]
    waves: tuple[tuple[Manifest, ...], ...]
    referrers: Mapping[Digest, tuple[Referrer, ...]]
    tags: tuple[str, ...]
    left_behind: int = 0

    @property
    def has_work(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.blobs or self.waves or self.tags)

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests to put, in their order."""
        return tuple(manifest for wave in self.waves for manifest in wave)

    @property
    def referrer_count(self) -> int:
        """How many referrers the image has, with those of its parts."""
        return len({referrer.digest for group in self.referrers.values() for referrer in group})

    def by(self, way: Way) -> tuple[Descriptor, ...]:
        """Return the blobs that go one way."""
        return tuple(blob for blob, its_way in self.blobs if its_way is way)


def plan_copy(
    graph: ImageGraph, holdings: Holdings, blobs_there: frozenset[Digest] = frozenset(), *, may_mount: bool = False
) -> CopyPlan:
    """List what to do, children before parents, each blob once, and nothing below what is there.

    :param graph: the image at its source; of what the target lacks, all was read.
    :param holdings: what the target holds of its manifests, and where the tags point.
    :param blobs_there: which blobs the target holds of the manifests that it lacks.
    :param may_mount: whether the target may take blobs over from the source's repository.
    """
    needs = _needs(graph, holdings.manifests)
    tags = tuple(tag for tag, at in holdings.tags.items() if at != graph.image.digest)
    if tags and not any(graph.image.digest in needed for needed in needs.values()):
        needs.pop(graph.image.digest, None)  # nothing waits for it, so the tags put it
    ways = [(blob, _way(blob, blobs_there, may_mount=may_mount)) for blob in blobs_of(graph, holdings.manifests)]
    return CopyPlan(
        image=graph.image,
        blobs=tuple(sorted(ways, key=lambda each: each[0].size, reverse=True)),
        waves=tuple(_waves(graph, needs)),
        referrers=graph.referrers,
        tags=tags,
    )


def known_manifests(graph: ImageGraph) -> tuple[Digest, ...]:
    """Return the image, what refers to it, and what is below them, each once."""
    return tuple(_missing(graph, frozenset()))


def unread(graph: ImageGraph, there: frozenset[Digest]) -> tuple[Digest, ...]:
    """Return the manifests that the target lacks and that are to be read, as far as they are known by now."""
    return tuple(digest for digest in _missing(graph, there) if digest not in graph.manifests)


def blobs_of(graph: ImageGraph, there: frozenset[Digest]) -> tuple[Descriptor, ...]:
    """Return the configs and layers of the manifests that the target lacks, each once."""
    missing = (graph.manifests[digest] for digest in _missing(graph, there))
    needed = (child for manifest in missing if isinstance(manifest, ImageManifest) for child in manifest.children)
    return tuple({child.digest: child for child in needed}.values())


def _missing(graph: ImageGraph, there: frozenset[Digest]) -> Iterator[Digest]:
    """Yield what the target lacks, each once: the image, what refers to it, and what is below them."""
    waiting = [graph.image.digest, *(referrer.digest for referrer in graph.referring)]
    seen = set(there)
    while waiting:
        digest = waiting.pop()
        if digest not in seen:
            seen.add(digest)
            yield digest
            waiting += graph.below(digest)


def _needs(graph: ImageGraph, there: frozenset[Digest]) -> dict[Digest, set[Digest]]:
    """Return each missing manifest, and which other missing ones have to be put before it."""
    missing = set(_missing(graph, there))
    needs = {digest: missing.intersection(graph.below(digest)) for digest in missing}
    for subject, group in graph.referrers.items():
        for referrer in group:
            if referrer.digest in missing and subject in missing:
                needs[referrer.digest].add(subject)
    return needs


def _waves(graph: ImageGraph, needs: Mapping[Digest, set[Digest]]) -> Iterator[tuple[Manifest, ...]]:
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield tuple(graph.manifests[digest] for digest in sorted(ready, key=str))
        sorter.done(*ready)


def _way(blob: Descriptor, there: frozenset[Digest], *, may_mount: bool) -> Way:
    if blob.digest in there:
        return Way.SKIPPED
    if is_foreign_layer(blob.media_type) and blob.urls:
        return Way.FOREIGN
    return Way.MOUNTED if may_mount else Way.STREAMED
