"""A repository in memory, to copy from and to, which does what a test says and keeps what it was asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from ecr_provider.copying.protocols import Holdings, Place
from ecr_provider.exceptions import (
    RangeIgnoredError,
    RegistryCallError,
    RegistryNotFoundError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest, Manifest, Referrer
from ecr_provider.oci.media_types import is_foreign_layer

Call = tuple[str, object]


def nothing(*_: object) -> None:
    """Do nothing, which is what a test has done unless it says else."""


WRITES = ("begin_upload", "mount", "upload", "put_manifest", "tag")


class MemoryImages:
    """A repository: as strict as ECR with what a manifest names, and with tags.

    :param name: its name; those of one registry can mount from each other.
    """

    def __init__(self, name: str = "shop/web", registry: str = "memory") -> None:
        self.place = Place(registry, name)
        self.contents: dict[Digest, bytes] = {}
        self.held: dict[Digest, Manifest] = {}
        self.tags: dict[str, Digest] = {}
        self.mounts_from: MemoryImages | None = None
        self.also_listed: dict[Digest, tuple[Referrer, ...]] = {}
        self.calls: list[Call] = []
        self.before: Callable[[str, object], object] = nothing
        self.after: Callable[[str, object], object] = nothing
        # As a source:
        self.takes_ranges = True
        self.cuts: deque[int | None] = deque()  # where to cut each download, by the position in the blob
        self.damages: deque[Callable[[bytes], bytes]] = deque()  # what to make of the blob in each download
        self.on_read: Callable[[MemoryDownload, int], object] = nothing
        self.downloads: list[MemoryDownload] = []
        # As a target:
        self.uploads: list[MemoryUpload] = []
        self._lock = threading.RLock()

    def __str__(self) -> str:
        return f"{self.place.registry}/{self.place.repository}"

    def _called(self, operation: str, what: object) -> None:
        with self._lock:
            self.calls.append((operation, what))
        self.before(operation, what)

    def made(self, *operations: str) -> list[Call]:
        """Return the calls of these operations, in their order."""
        return [call for call in self.calls if call[0] in operations]

    @property
    def writes(self) -> list[Call]:
        """The calls that changed something."""
        return self.made(*WRITES)

    # --- Setting up and looking in ---

    def add_blob(self, content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
        """Hold a blob."""
        digest = Digest.of(content)
        self.contents[digest] = content
        return Descriptor(media_type, digest, len(content))

    def add(self, manifest: Manifest, *tags: str) -> Manifest:
        """Hold a manifest, whatever it lacks."""
        self.held[manifest.digest] = manifest
        self.tags |= dict.fromkeys(tags, manifest.digest)
        return manifest

    def lacks(self, digest: Digest) -> list[Digest]:
        """Return what is not there of a manifest and all that it needs."""
        manifest = self.held.get(digest)
        if manifest is None:
            return [digest]
        lacking: list[Digest] = []
        for child in manifest.children:
            if child.digest in self.held or not hasattr(manifest, "config"):
                lacking += self.lacks(child.digest)
            elif child.digest not in self.contents and not is_foreign_layer(child.media_type):
                lacking.append(child.digest)
        return lacking

    # --- As a source ---

    def manifest(self, reference: str | Digest) -> Manifest:
        self._called("manifest", reference)
        digest = reference if isinstance(reference, Digest) else self.tags.get(reference)
        if digest not in self.held:
            raise RegistryNotFoundError(f"{self} has no {reference}", operation="manifest", status=404)
        return self.held[digest]

    def manifests(self, digests: Sequence[Digest]) -> Mapping[Digest, Manifest]:
        self._called("manifests", tuple(digests))
        return {digest: self.manifest(digest) for digest in digests}

    def referrers(self) -> MemoryReferrers:
        return MemoryReferrers(self)

    def download(self, blob: Descriptor, start: int = 0, stop: int | None = None) -> MemoryDownload:
        self._called("download", (blob.digest, start, stop))
        if blob.digest not in self.contents:
            raise RegistryNotFoundError(f"{self} has no {blob.digest}", operation="download", status=404)
        if (start or stop is not None) and not self.takes_ranges:
            raise RangeIgnoredError("no ranges", operation="download", status=200)
        content = self.contents[blob.digest]
        if start >= len(content) > 0:
            raise RegistryCallError("beyond the end", operation="download", status=416)
        with self._lock:
            damage = self.damages.popleft() if self.damages else bytes
            cut = self.cuts.popleft() if self.cuts else None
            made = MemoryDownload(self, damage(content)[start:stop], start, cut)
            self.downloads.append(made)
        return made

    # --- As a target ---

    def is_same_as(self, source: object) -> bool:
        return source is self

    def look(self, image: Manifest, tags: Sequence[str], digests: Collection[Digest]) -> Holdings:
        self._called("look", (tuple(tags), frozenset(digests)))
        return Holdings({tag: self.tags.get(tag) for tag in tags}, frozenset(digests) & self.held.keys())

    def blobs(self, blobs: Collection[Descriptor], *, may_mount: bool = False) -> frozenset[Digest]:
        self._called("blobs", frozenset(blob.digest for blob in blobs))
        return frozenset(blob.digest for blob in blobs if blob.digest in self.contents)

    def begin_upload(self, blob: Descriptor, mount_from: str | None) -> MemoryUpload | None:
        self._called("mount" if mount_from else "begin_upload", blob.digest)
        source = self.mounts_from
        if mount_from and source and source.place.repository == mount_from and blob.digest in source.contents:
            self.contents[blob.digest] = source.contents[blob.digest]
            self.after("mount", blob.digest)
            return None
        upload = MemoryUpload(self, blob)
        with self._lock:
            self.uploads.append(upload)
        return upload

    def put_manifest(self, manifest: Manifest) -> None:
        self._called("put_manifest", manifest.digest)
        self._put(manifest)
        self.after("put_manifest", manifest.digest)

    def tag(self, image: Manifest, tags: Sequence[str]) -> None:
        self._called("tag", tuple(tags))
        self._put(image)
        self.tags |= dict.fromkeys(tags, image.digest)
        self.after("tag", tuple(tags))

    def _put(self, manifest: Manifest) -> None:
        before = dict(self.held)
        self.held[manifest.digest] = manifest
        if lacking := self.lacks(manifest.digest):
            self.held = before
            raise RegistryCallError(f"{manifest.digest} needs {lacking}", operation="put", status=400)


class MemoryReferrers:
    """What refers to what in a repository in memory."""

    def __init__(self, images: MemoryImages) -> None:
        self._images = images

    def of(self, subjects: Sequence[Digest]) -> Mapping[Digest, tuple[Referrer, ...]]:
        self._images._called("referrers", tuple(subjects))
        return {subject: self._of(subject) for subject in subjects}

    def _of(self, subject: Digest) -> tuple[Referrer, ...]:
        referring = [
            Referrer(each.digest, each.media_type)
            for each in self._images.held.values()
            if each.subject and each.subject.digest == subject
        ]
        return (*referring, *self._images.also_listed.get(subject, ()))


class MemoryDownload:
    """A blob on its way out.

    :param start: the position in the blob at which it begins.
    :param cut: the position at which it breaks off.
    """

    def __init__(self, images: MemoryImages, content: bytes, start: int, cut: int | None) -> None:
        self._images = images
        self._content = content
        self._cut = cut
        self.position = self.start = start
        self.is_closed = False

    def read(self, size: int) -> bytes:
        at = self.position - self.start
        chunk = self._content[at : at + size]
        if self._cut is not None and self.position + len(chunk) > self._cut:
            chunk = chunk[: max(0, self._cut - self.position)]
            if not chunk:
                raise RegistryUnavailableError("cut", operation="download")
        self._images.on_read(self, len(chunk))
        self.position += len(chunk)
        return chunk

    def close(self) -> None:
        self.is_closed = True


class MemoryUpload:
    """A blob on its way in; ``received`` is what came of it."""

    def __init__(self, images: MemoryImages, blob: Descriptor) -> None:
        self._images = images
        self.blob = blob
        self.received = bytearray()
        self.is_cancelled = False
        self.on_chunk: Callable[[bytes], object] = nothing

    def send(self, blob: Descriptor, chunks: Iterable[bytes]) -> None:
        self._images._called("upload", blob.digest)
        for chunk in _noted(chunks, self.received):
            self.on_chunk(chunk)
        content = bytes(self.received)
        if sha256(content).hexdigest() != blob.digest.encoded:
            raise RegistryCallError("another digest", operation="upload", status=400, code="DIGEST_INVALID")
        self._images.contents[blob.digest] = content
        self._images.after("upload", blob.digest)

    def cancel(self) -> None:
        self.is_cancelled = True


def _noted(chunks: Iterable[bytes], into: bytearray) -> Iterator[bytes]:
    for chunk in chunks:
        into += chunk
        yield chunk
