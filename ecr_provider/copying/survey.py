"""See what the source has and what the target lacks of it, in as few requests as that takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from ecr_provider.copying.plan import CopyPlan, ImageGraph, blobs_of, known_manifests, plan_copy, unread
from ecr_provider.copying.protocols import Holdings, ImageSource, ImageTarget
from ecr_provider.exceptions import DigestMismatchError, InvalidManifestError
from ecr_provider.oci import Descriptor, Digest, ImageIndex, Manifest, Referrer
from ecr_provider.oci.media_types import is_image_index

MOST_MANIFESTS: Final = 2_000
MOST_BYTES: Final = 64 * 1024 * 1024
"""What the manifests of one image, with its referrers, may be: far more than any image has, and an end to the rest."""


def survey(
    source: ImageSource, target: ImageTarget, image: Manifest, tags: Sequence[str], *, include_referrers: bool = True
) -> CopyPlan:
    """Look at both sides, and plan.

    :param image: the manifest to copy, of the source.
    :param tags: what it is to be called.
    :param include_referrers: copy what refers to the image and its parts, too.
    :raises EcrProviderError: what either side says against it.
    """
    if target.is_same_as(source):
        return _retag(target, image, tags)
    graph = _Reader(source, image).graph(include_referrers=include_referrers)
    referring = {referrer.digest for referrer in graph.referring}
    holdings = target.look(image, tags, {image.digest} | referring)
    below = _below(graph, holdings.manifests)
    if below:
        further = target.look(image, (), below).manifests
        holdings = Holdings(holdings.tags, holdings.manifests | further)
    graph = _with_missing(graph, holdings.manifests, source)
    plan = _planned(graph, holdings, source, target)
    if include_referrers or not plan.has_work:
        return plan
    left_behind = source.referrers().of(list(known_manifests(graph)))
    return replace(plan, left_behind=len({each.digest for group in left_behind.values() for each in group}))


def _retag(target: ImageTarget, image: Manifest, tags: Sequence[str]) -> CopyPlan:
    """Plan within one repository, which lacks nothing but tags, or an index that was narrowed."""
    holdings = target.look(image, tags, () if tags else (image.digest,))
    moving = tuple(tag for tag, at in holdings.tags.items() if at != image.digest)
    waves = () if tags or image.digest in holdings.manifests else ((image,),)
    return CopyPlan(image, blobs=(), waves=waves, referrers={}, tags=moving)


def _planned(graph: ImageGraph, holdings: Holdings, source: ImageSource, target: ImageTarget) -> CopyPlan:
    blobs = blobs_of(graph, holdings.manifests)
    if not blobs:
        return plan_copy(graph, holdings)
    may_mount = target.place.may_mount_from(source.place)
    there = target.blobs(blobs, may_mount=may_mount)
    return plan_copy(graph, holdings, there, may_mount=may_mount)


class _Reader:
    """Walk an image at its source: indexes, which say what there is, and referrers; image manifests are left unread."""

    def __init__(self, source: ImageSource, image: Manifest) -> None:
        self._source = source
        self._image = image
        self._manifests: dict[Digest, Manifest] = {image.digest: image}
        self._referrers: dict[Digest, tuple[Referrer, ...]] = {}

    def graph(self, *, include_referrers: bool) -> ImageGraph:
        """Read what there is, level by level, until nothing new is named."""
        listing = self._source.referrers() if include_referrers else None
        known = {self._image.digest}
        waiting = [self._image.digest]
        while waiting:
            found: list[Descriptor | Referrer] = [*self._children(waiting)]
            if listing:
                listed = listing.of(waiting)
                self._referrers |= {subject: group for subject, group in listed.items() if group}
                found += [referrer for group in listed.values() for referrer in group]
            waiting = list(dict.fromkeys(each.digest for each in found if each.digest not in known))
            known.update(waiting)
            _require_bounds(len(known), self._manifests.values())
            self._read_indexes(found)
        _require_bounds(len(known), self._manifests.values())
        return ImageGraph(self._image, self._manifests, self._referrers)

    def _children(self, digests: Iterable[Digest]) -> list[Descriptor]:
        read = (self._manifests.get(digest) for digest in digests)
        return [child for manifest in read if isinstance(manifest, ImageIndex) for child in manifest.children]

    def _read_indexes(self, found: Iterable[Descriptor | Referrer]) -> None:
        indexes = {each.digest for each in found if is_image_index(each.media_type)} - self._manifests.keys()
        if indexes:
            self._manifests |= self._source.manifests(list(indexes))


def _below(graph: ImageGraph, there: Collection[Digest]) -> set[Digest]:
    """Return what is below the indexes that the target lacks."""
    listed = {child for digest in graph.manifests if digest not in there for child in graph.below(digest)}
    return listed - {graph.image.digest} - {referrer.digest for referrer in graph.referring}


def _with_missing(graph: ImageGraph, there: frozenset[Digest], source: ImageSource) -> ImageGraph:
    """Read what the target lacks."""
    wanted = unread(graph, there)
    manifests = {**graph.manifests, **(source.manifests(wanted) if wanted else {})}
    _require_bounds(len(manifests), manifests.values())
    _require_subjects(graph, manifests)
    return ImageGraph(graph.image, manifests, graph.referrers)


def _require_subjects(graph: ImageGraph, manifests: dict[Digest, Manifest]) -> None:
    """Check that a referrer refers to what the registry says; a signature of something else is none."""
    for subject, group in graph.referrers.items():
        for referrer in group:
            manifest = manifests.get(referrer.digest)
            if manifest and (manifest.subject is None or manifest.subject.digest != subject):
                raise DigestMismatchError(
                    f"The source lists {referrer.digest} as a referrer of {subject}, but its subject is "
                    f"{manifest.subject.digest if manifest.subject else 'nothing'}. Copy with include_referrers=False, "
                    "or have the source mended.",
                    expected=str(subject),
                    actual=str(manifest.subject.digest) if manifest.subject else "",
                )


def _require_bounds(count: int, manifests: Iterable[Manifest]) -> None:
    size = sum(len(manifest.raw) for manifest in manifests)
    if count > MOST_MANIFESTS or size > MOST_BYTES:
        raise InvalidManifestError(
            f"The image has {count} manifests of {size} bytes in all, and {MOST_MANIFESTS} of {MOST_BYTES} bytes are "
            "copied at most. Copy its parts one by one, or without referrers (include_referrers=False)."
        )
