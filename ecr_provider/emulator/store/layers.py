"""Layers and configs, what is made of them, and uploads that are not complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE layers (                          -- layers and configs: what a repository can build images of
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

CREATE TABLE layer_uses (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    digest TEXT NOT NULL,
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    PRIMARY KEY (repository, digest, image)
) WITHOUT ROWID;
CREATE INDEX layers_of_image ON layer_uses (image);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    received INTEGER NOT NULL DEFAULT 0,       -- bytes
    parts INTEGER NOT NULL DEFAULT 0,
    first_part INTEGER NOT NULL DEFAULT 0,     -- bytes
    last_part INTEGER NOT NULL DEFAULT 0,      -- bytes
    has_small_part INTEGER NOT NULL DEFAULT 0  -- a part that is not the last, and below the minimum
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A layer upload that is not complete."""

    id: str
    repository: int
    received: int
    parts: int
    first_part: int
    last_part: int
    has_small_part: bool


class LayerRows(Rows):
    """The queries on layers and uploads."""

    schema = _SCHEMA

    def layer_size(self, repository: Repository, digest: str) -> int | None:
        """Return a layer's size in bytes, or None if the repository lacks it."""
        row = self._execute(
            "SELECT size FROM layers WHERE repository = ? AND digest = ?", (repository.id, digest)
        ).fetchone()
        return row[0] if row else None

    def add_layer(self, repository: Repository, digest: str, size: int) -> bool:
        """Add a layer; tell whether it is new."""
        cursor = self._execute("INSERT OR IGNORE INTO layers VALUES (?, ?, ?)", (repository.id, digest, size))
        return cursor.rowcount == 1

    def all_layers(self) -> set[str]:
        """List every layer of every repository."""
        return {digest for (digest,) in self._execute("SELECT DISTINCT digest FROM layers")}

    def add_layer_uses(self, repository: Repository, image: int, blobs: Iterable[tuple[str, str]]) -> None:
        """Record which blobs (digest, media type) an image is made of."""
        self._executemany(
            "INSERT OR IGNORE INTO layer_uses VALUES (?, ?, ?, ?)",
            [(repository.id, digest, image, media_type) for digest, media_type in blobs],
        )

    def layer_media_type(self, repository: Repository, digest: str) -> str | None:
        """Return what the first image that is made of a layer calls it, or None if none is."""
        row = self._execute(
            "SELECT media_type FROM layer_uses WHERE repository = ? AND digest = ? ORDER BY image LIMIT 1",
            (repository.id, digest),
        ).fetchone()
        return row[0] if row else None

    def is_layer_of_active_image(self, repository: Repository, digest: str, now: float) -> bool:
        """Tell whether an image is made of a layer that can be pulled at this time."""
        row = self._execute(
            "SELECT 1 FROM layer_uses JOIN images ON images.id = image"
            " WHERE layer_uses.repository = ? AND layer_uses.digest = ?"
            " AND NOT archived AND IFNULL(activated_at, 0) <= ? LIMIT 1",
            (repository.id, digest, now),
        ).fetchone()
        return row is not None

    # --- Uploads ---

    def add_upload(self, repository: Repository, upload_id: str) -> None:
        """Begin an upload."""
        self._execute("INSERT INTO uploads (id, repository) VALUES (?, ?)", (upload_id, repository.id))

    def upload(self, repository: Repository, upload_id: str) -> Upload | None:
        """Find an upload of this repository."""
        row = self._execute(
            "SELECT * FROM uploads WHERE id = ? AND repository = ?", (upload_id, repository.id)
        ).fetchone()
        return Upload(*row) if row else None

    def set_upload(self, upload: Upload) -> None:
        """Set what was received of an upload."""
        self._execute(
            "UPDATE uploads SET received = ?, parts = ?, first_part = ?, last_part = ?, has_small_part = ?"
            " WHERE id = ?",
            (upload.received, upload.parts, upload.first_part, upload.last_part, upload.has_small_part, upload.id),
        )

    def delete_upload(self, upload: Upload) -> None:
        """Forget an upload."""
        self._execute("DELETE FROM uploads WHERE id = ?", (upload.id,))

    def all_uploads(self) -> set[str]:
        """List every upload."""
        return {upload_id for (upload_id,) in self._execute("SELECT id FROM uploads")}
