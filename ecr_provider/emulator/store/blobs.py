"""The bytes of layers and configs, as files: content-addressed once whole, under their upload's id before.

::

    uploads/<upload id>          grows part by part
    blobs/sha256/<2 hex>/<hex>   whole, its bytes have this digest; never written again

A file is hashed as it grows and synced before it gets its final name, and its row in the database is written
after that, so a row always has its whole file, whatever kills the process. The reverse, a file without a row,
is swept when the store is opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from pathlib import Path

_CHUNK = 1024 * 1024

Source = Callable[[memoryview], int]
"""Fills a buffer with the next bytes of something and tells how many they are: none at its end."""


class Blobs:
    """The files below one directory. ``durable``: sync them, so that they survive the machine too."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._uploads = directory / "uploads"
        self._blobs = directory / "blobs" / "sha256"
        self._durable = durable
        self._hashes: dict[str, tuple[int, hashlib._Hash]] = {}  # of uploads: so many bytes, and their hash
        for folder in (self._uploads, self._blobs):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the blob of this sha256 digest is, if it is there."""
        encoded = digest.removeprefix("sha256:")
        return self._blobs / encoded[:2] / encoded

    def append(self, upload_id: str, offset: int, source: Source) -> int:
        """Write from an offset on, over whatever an interrupted writer left there; return how many bytes.

        They are hashed as they pass, through one buffer, whatever their number. If the source raises, nothing
        was appended.
        """
        sha256 = self._hash(upload_id, offset)
        end, buffer = offset, memoryview(bytearray(_CHUNK))
        with self._upload(upload_id).open("ab") as file:
            file.truncate(offset)
            while count := source(buffer):
                file.write(buffer[:count])
                sha256.update(buffer[:count])
                end += count
        self._hashes[upload_id] = (end, sha256)
        return end - offset

    def digest(self, upload_id: str, size: int) -> str:
        """Return the digest of an upload's first ``size`` bytes, which are all that was acknowledged."""
        sha256 = self._hash(upload_id, size)
        with self._upload(upload_id).open("ab") as file:
            file.truncate(size)
            if self._durable:
                os.fsync(file.fileno())
        return f"sha256:{sha256.hexdigest()}"

    def _hash(self, upload_id: str, size: int) -> hashlib._Hash:
        """Return a hash of an upload's first bytes that is the caller's to go on with.

        It is known from when they were written. Only after a restart, or a write that was not acknowledged
        in the end, are they read again.
        """
        known, sha256 = self._hashes.get(upload_id, (0, hashlib.sha256()))
        return sha256.copy() if known == size else _hash_of(self._upload(upload_id), size)

    def _upload(self, upload_id: str) -> Path:
        return self._uploads / upload_id

    def keep(self, upload_id: str, digest: str) -> None:
        """Give a hashed upload its final name. The upload stays until it is discarded."""
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        try:
            path.hardlink_to(self._upload(upload_id))
        except FileExistsError:
            return  # another repository has the same bytes
        if self._durable:
            _sync(path.parent)
            _sync(self._blobs)

    def discard(self, upload_id: str) -> None:
        """Forget an upload's file."""
        self._hashes.pop(upload_id, None)
        self._upload(upload_id).unlink(missing_ok=True)

    def sweep(self, digests: Collection[str], upload_ids: Collection[str]) -> None:
        """Remove every file that no row knows."""
        for file in self._uploads.iterdir():
            if file.name not in upload_ids:
                file.unlink()
        for file in self._blobs.glob("*/*"):
            if f"sha256:{file.name}" not in digests:
                file.unlink()


def _hash_of(path: Path, size: int) -> hashlib._Hash:
    """Hash a file's first bytes."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while size and (chunk := file.read(min(size, _CHUNK))):
            sha256.update(chunk)
            size -= len(chunk)
    return sha256


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
