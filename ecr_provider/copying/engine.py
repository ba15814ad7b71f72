"""Copy an image: survey, plan, then carry the plan out with a few threads and little memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final, TypeVar

from ecr_provider.copying.plan import CopyPlan, Way
from ecr_provider.copying.progress import Lines, Progress, Watcher, size_of
from ecr_provider.copying.protocols import ImageSource, ImageTarget
from ecr_provider.copying.report import CopyResult
from ecr_provider.copying.stripes import Stripes
from ecr_provider.copying.survey import survey
from ecr_provider.copying.transfer import BlobCopier
from ecr_provider.exceptions import CopyIncompleteError, LayersNotFoundError, ReferencedImagesNotFoundError
from ecr_provider.oci import Descriptor, Manifest
from ecr_provider.oci.quoting import number_of
from ecr_provider.patience import Patience

MAX_WORKERS: Final = 8
"""Blobs on their way at once. On a long way, where many small ones wait for answers, eight take a third less time than
four; elsewhere it makes no difference."""

_LISTING_TRIES: Final = 5  # of a referrer that was put a moment ago

_T = TypeVar("_T")
_R = TypeVar("_R")

_LOG: Final = Lines(logging.getLogger(__name__).info)


def copy_image(
    source: ImageSource,
    target: ImageTarget,
    image: Manifest,
    tags: Sequence[str] = (),
    *,
    include_referrers: bool = True,
    max_workers: int = MAX_WORKERS,
    patience: Patience | None = None,
    watcher: Watcher = _LOG,
) -> CopyResult:
    """Copy an image from one repository to another, with all that it needs and all that refers to it.

    Blobs go first, by the cheapest way and verified as they stream; then manifests by digest, children before parents;
    the tags are put last. So there is no moment at which a tag of the target points at something incomplete, and
    whatever breaks off can be done again: what is there is skipped.

    :param source: the repository to copy from.
    :param target: the repository to copy to.
    :param image: the manifest to copy, as ``source.manifest`` read it.
    :param tags: what to call it; none: it is copied by digest.
    :param include_referrers: copy signatures, SBOMs, attestations, too, of the image's parts as well, and theirs.
    :param max_workers: how many blobs to move at once.
    :param patience: how to wait between tries, and for how long.
    :param watcher: who is told how far it is; by default the log.
    :raises EcrProviderError: what either side said against it. Unless it was about a tag, the tags are as they were.
    """
    began = time.monotonic()
    patience = patience or Patience()
    plan = survey(source, target, image, tags, include_referrers=include_referrers)
    watcher.say(_announcement(plan, source, target))
    progress = Progress(sum(blob.size for blob in plan.by(Way.STREAMED)), watcher)
    stripes, threads = Stripes(), ThreadPoolExecutor(max_workers, thread_name_prefix="copy")
    run = _Run(plan, target, BlobCopier(source, target, patience, stripes, progress), threads, progress)
    join = True
    try:
        ways = run.copy_blobs()
        run.put_manifests()
    except BaseException as error:
        patience.stop()
        # Who interrupts does not wait until the last answer is there.
        join = isinstance(error, Exception)
        raise
    finally:
        threads.shutdown(wait=join, cancel_futures=True)
        stripes.close(join=join)
    _check_referrers(plan, target, patience)
    if plan.tags:
        with _swept_layers_told(target):
            target.tag(image, plan.tags)
    result = CopyResult(plan, ways, time.monotonic() - began)
    watcher.say(str(result))
    return result


class _Run:
    """The part of a copy that has threads."""

    def __init__(
        self, plan: CopyPlan, target: ImageTarget, copier: BlobCopier, threads: ThreadPoolExecutor, progress: Progress
    ) -> None:
        self._plan = plan
        self._target = target
        self._copier = copier
        self._threads = threads
        self._progress = progress

    def copy_blobs(self) -> tuple[tuple[Descriptor, Way], ...]:
        """Copy the blobs; return the way that each one went."""
        idle = [(blob, way) for blob, way in self._plan.blobs if way in (Way.SKIPPED, Way.FOREIGN)]
        busy = [(blob, way) for blob, way in self._plan.blobs if way in (Way.MOUNTED, Way.STREAMED)]
        ways = self._at_once(lambda each: self._copy_blob(*each), busy)
        return (*zip((blob for blob, _ in busy), ways, strict=True), *idle)

    def put_manifests(self) -> None:
        """Put the manifests, wave by wave."""
        with _swept_layers_told(self._target):
            for wave in self._plan.waves:
                self._at_once(self._target.put_manifest, wave)

    def _copy_blob(self, blob: Descriptor, planned: Way) -> Way:
        began = time.monotonic()
        way = self._copier.copy(blob, planned)
        self._progress.say_done(blob, way, time.monotonic() - began)
        return way

    def _at_once(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Call a function for each item, and tell how far it is meanwhile; the first failure ends it."""
        futures = [self._threads.submit(function, item) for item in items]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=self._progress.watcher.every, return_when=FIRST_EXCEPTION)
            self._progress.tick()
            for future in done:
                future.result()
        return [future.result() for future in futures]


@contextmanager
def _swept_layers_told(target: ImageTarget) -> Iterator[None]:
    """Say that it is worth another try where something is missing that was seen or brought a while ago.

    ECR may clean up layers that no image has ("at any time": API_GetDownloadUrlForLayer, LayerInaccessibleException).
    """
    try:
        yield
    except (LayersNotFoundError, ReferencedImagesNotFoundError) as error:
        raise CopyIncompleteError(
            f"{target} lacks what it had a while ago; no tag was put, and another run brings it again: {error}",
            missing=(),
        ) from error


def _check_referrers(plan: CopyPlan, target: ImageTarget, patience: Patience) -> None:
    """Require the target to list every referrer that was put, before a tag makes the image visible."""
    put = {manifest.digest for manifest in plan.manifests}
    expected = {
        subject: fresh for subject, group in plan.referrers.items() if (fresh := {each.digest for each in group} & put)
    }

    def check() -> None:
        listed = target.referrers().of(list(expected))
        missing = {
            digest
            for subject, digests in expected.items()
            for digest in digests - {each.digest for each in listed[subject]}
        }
        if missing:
            raise CopyIncompleteError(
                f"{target} took {len(missing)} referrers of {plan.image.digest} and does not list them: "
                f"{', '.join(map(str, missing))}; no tag was put. Run the copy again, or copy without referrers.",
                missing=tuple(map(str, missing)),
            )

    if expected:
        patience.call(check, tries=_LISTING_TRIES)


def _announcement(plan: CopyPlan, source: ImageSource, target: ImageTarget) -> str:
    """Say what is going to happen, and why so."""
    ways = [
        f"{number_of(len(blobs), 'blob')} {_REASONS[way]} ({size_of(sum(blob.size for blob in blobs))})"
        for way in Way
        if (blobs := plan.by(way))
    ]
    tags = f"tags {', '.join(plan.tags)}" if plan.tags else "no tag"
    left = [f"{number_of(plan.left_behind, 'referrer')} left behind"] if plan.left_behind else []
    referrers = f"{number_of(plan.referrer_count, 'referrer')} in all"
    counted = [number_of(len(plan.manifests), "manifest"), referrers, *left]
    doing = ", ".join([*ways, *counted, tags])
    return f"{source}@{plan.image.digest} -> {target}: {doing}"


_REASONS: Final = {
    Way.SKIPPED: "there already",
    Way.MOUNTED: "to mount, being in the same registry",
    Way.STREAMED: "to stream",
    Way.FOREIGN: "left out, as registries do not hold them",
}
