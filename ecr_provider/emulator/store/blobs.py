"""The bytes of layers and configs, as files: content-addressed once whole, under their upload's id before.

::

    uploads/<upload id>          grows part by part
    blobs/sha256/<2 hex>/<hex>   whole, its bytes have this digest; never written again

A file is hashed and synced before it gets its final name, and its row in the database is written after that,
so a row always has its whole file, whatever kills the process. The reverse, a file without a row, is swept
when the store is opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

_CHUNK = 1024 * 1024


class Blobs:
    """The files below one directory. ``durable``: sync them, so that they survive the machine too."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._uploads = directory / "uploads"
        self._blobs = directory / "blobs" / "sha256"
        self._durable = durable
        for folder in (self._uploads, self._blobs):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the blob of this sha256 digest is, if it is there."""
        encoded = digest.removeprefix("sha256:")
        return self._blobs / encoded[:2] / encoded

    def append(self, upload_id: str, offset: int, chunks: Iterable[bytes]) -> int:
        """Write chunks from an offset on, over whatever a killed writer left there; return how many bytes."""
        with (self._uploads / upload_id).open("ab") as file:
            file.truncate(offset)
            for chunk in chunks:
                file.write(chunk)
            return file.tell() - offset

    def digest(self, upload_id: str, size: int) -> str:
        """Hash an upload's first ``size`` bytes, which are all that was acknowledged."""
        sha256 = hashlib.sha256()
        with (self._uploads / upload_id).open("a+b") as file:
            file.truncate(size)
            file.seek(0)
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
            if self._durable:
                os.fsync(file.fileno())
        return f"sha256:{sha256.hexdigest()}"

    def keep(self, upload_id: str, digest: str) -> None:
        """Give a hashed upload its final name. The upload stays until it is discarded."""
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        try:
            path.hardlink_to(self._uploads / upload_id)
        except FileExistsError:
            return  # another repository has the same bytes
        if self._durable:
            _sync(path.parent)
            _sync(self._blobs)

    def discard(self, upload_id: str) -> None:
        """Forget an upload's file."""
        (self._uploads / upload_id).unlink(missing_ok=True)

    def sweep(self, digests: Collection[str], upload_ids: Collection[str]) -> None:
        """Remove every file that no row knows."""
        for file in self._uploads.iterdir():
            if file.name not in upload_ids:
                file.unlink()
        for file in self._blobs.glob("*/*"):
            if f"sha256:{file.name}" not in digests:
                file.unlink()


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
