"""Images, their tags, and which images an index names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.rows import Rows

ImageStatus = Literal["ACTIVE", "ARCHIVED", "ACTIVATING"]

_SCHEMA = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never used twice: it is what page tokens point at
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_media_type TEXT,
    subject TEXT,
    size INTEGER NOT NULL,
    pushed_at REAL NOT NULL,
    pulled_at REAL,
    archived INTEGER NOT NULL DEFAULT 0,
    archived_at REAL,
    activated_at REAL,                         -- in the future: being restored
    manifest BLOB NOT NULL,                    -- the very bytes that were put
    UNIQUE (repository, digest)
);
CREATE INDEX images_in_order ON images (repository, id);  -- as they are listed

CREATE INDEX referrers ON images (repository, subject, id) WHERE subject IS NOT NULL;

CREATE TRIGGER image_added AFTER INSERT ON images BEGIN
    UPDATE repositories SET image_count = image_count + 1 WHERE id = NEW.repository;
END;
CREATE TRIGGER image_removed AFTER DELETE ON images BEGIN
    UPDATE repositories SET image_count = image_count - 1 WHERE id = OLD.repository;
END;

CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    tag TEXT NOT NULL,
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
CREATE INDEX tags_of_image ON tags (image, tag);

CREATE TABLE children (                        -- of an index
    parent INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    child INTEGER NOT NULL REFERENCES images,
    PRIMARY KEY (parent, child)
) WITHOUT ROWID;
CREATE INDEX parents ON children (child);
"""


@dataclass(frozen=True, slots=True)
class Image:
    """An image's row, without its manifest."""

    id: int
    repository: int
    digest: str
    media_type: str
    artifact_media_type: str | None
    subject: str | None
    size: int
    pushed_at: float
    pulled_at: float | None
    archived: bool
    archived_at: float | None
    activated_at: float | None

    def status(self, now: float) -> ImageStatus:
        """Tell whether the image can be pulled at this time."""
        if self.archived:
            return "ARCHIVED"
        return "ACTIVATING" if self.activated_at is not None and self.activated_at > now else "ACTIVE"


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images to list: a status, or ``ANY``."""

    tag_status: str
    image_status: str
    now: float


_IMAGE = """
    SELECT images.id, images.repository, digest, media_type, artifact_media_type, subject, size, pushed_at,
           pulled_at, archived, archived_at, activated_at
    FROM images
"""
_IMAGE_ID = "SELECT images.id, IFNULL(tag, '') AS name, digest FROM images LEFT JOIN tags ON image = images.id"
_FILTER = """
    WHERE images.repository = :repository
    AND :tag_status IN ('ANY', CASE WHEN EXISTS (SELECT 1 FROM tags WHERE image = images.id)
                               THEN 'TAGGED' ELSE 'UNTAGGED' END)
    AND :image_status IN ('ANY', CASE WHEN archived THEN 'ARCHIVED'
                                      WHEN activated_at > :now THEN 'ACTIVATING' ELSE 'ACTIVE' END)
"""


class ImageRows(Rows):
    """The queries on images."""

    schema = _SCHEMA

    def image(self, repository: Repository, digest: str) -> Image | None:
        """Find an image by digest."""
        row = self._execute(f"{_IMAGE} WHERE images.repository = ? AND digest = ?", (repository.id, digest)).fetchone()
        return Image(*row) if row else None

    def tagged_image(self, repository: Repository, tag: str) -> Image | None:
        """Find the image a tag points at."""
        row = self._execute(
            f"{_IMAGE} JOIN tags ON tags.image = images.id WHERE tags.repository = ? AND tag = ?",
            (repository.id, tag),
        ).fetchone()
        return Image(*row) if row else None

    def images(
        self, repository: Repository, wanted: ImageFilter, after: int = 0, count: int | None = None
    ) -> list[Image]:
        """List images in the order they were first pushed, from the one after an image's row id."""
        rows = self._execute(
            f"{_IMAGE} {_FILTER} AND images.id > :after ORDER BY images.id LIMIT IFNULL(:count, -1)",
            asdict(wanted) | {"repository": repository.id, "after": after, "count": count},
        )
        return [Image(*row) for row in rows]

    def referrers(self, repository: Repository, subject: str, after: int) -> list[Image]:
        """List the images that name a digest as their subject, from the one after an image's row id."""
        rows = self._execute(
            f"{_IMAGE} WHERE images.repository = ? AND subject = ? AND images.id > ? ORDER BY images.id",
            (repository.id, subject, after),
        )
        return [Image(*row) for row in rows]

    def latest_images(self, repository: Repository, before: int | None, count: int) -> list[Image]:
        """List images, the one that was first pushed last before the others, from before an image's row id on."""
        rows = self._execute(
            f"{_IMAGE} WHERE images.repository = ? AND (? IS NULL OR images.id < ?) ORDER BY images.id DESC LIMIT ?",
            (repository.id, before, before, count),
        )
        return [Image(*row) for row in rows]

    def image_ids(
        self, repository: Repository, wanted: ImageFilter, after: tuple[int, str], count: int
    ) -> list[tuple[int, str, str]]:
        """List (row id, tag, digest) for each tag, and for each image without one, with "" for the tag."""
        rows = self._execute(
            f"{_IMAGE_ID} {_FILTER} AND images.id >= :id AND (images.id, name) > (:id, :tag)"
            " ORDER BY images.id, name LIMIT :count",
            asdict(wanted) | {"repository": repository.id, "id": after[0], "tag": after[1], "count": count},
        )
        return rows.fetchall()

    def manifest(self, image: Image) -> bytes:
        """Return the bytes that were put."""
        (manifest,) = self._execute("SELECT manifest FROM images WHERE id = ?", (image.id,)).fetchone()
        return bytes(manifest)

    def add_image(self, repository: Repository, manifest: bytes, **facts: Any) -> int:
        """Add an image; return its row's id."""
        cursor = self._execute(
            "INSERT INTO images (repository, digest, media_type, artifact_media_type, subject, size, pushed_at,"
            " manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                repository.id,
                facts["digest"],
                facts["media_type"],
                facts["artifact_media_type"],
                facts["subject"],
                facts["size"],
                facts["pushed_at"],
                manifest,
            ),
        )
        return int(cursor.lastrowid or 0)

    def delete_image(self, image: Image) -> None:
        """Delete an image and its tags."""
        self._execute("DELETE FROM images WHERE id = ?", (image.id,))

    def set_pulled_at(self, image: Image, when: float) -> None:
        """Record a pull."""
        self._execute("UPDATE images SET pulled_at = ? WHERE id = ?", (when, image.id))

    def archive(self, image: Image, when: float) -> Image:
        """Move an image into the archive. Return it as it is now."""
        self._execute("UPDATE images SET archived = 1, archived_at = ? WHERE id = ?", (when, image.id))
        return replace(image, archived=True, archived_at=when)

    def restore(self, image: Image, when: float) -> Image:
        """Move an image out of the archive; it can be pulled from the given time on. Return it as it is now."""
        self._execute("UPDATE images SET archived = 0, activated_at = ? WHERE id = ?", (when, image.id))
        return replace(image, archived=False, activated_at=when)

    # --- Tags ---

    def tags(self, image: Image) -> list[str]:
        """List an image's tags."""
        rows = self._execute("SELECT tag FROM tags WHERE image = ? ORDER BY tag", (image.id,))
        return [tag for (tag,) in rows]

    def all_tags(self, repository: Repository) -> dict[int, list[str]]:
        """List a repository's tags by their image's row id."""
        found: dict[int, list[str]] = {}
        for image, tag in self._execute(
            "SELECT image, tag FROM tags WHERE repository = ? ORDER BY tag", (repository.id,)
        ):
            found.setdefault(image, []).append(tag)
        return found

    def tag_count(self, image: Image) -> int:
        """Count an image's tags."""
        return self._count("SELECT COUNT(*) FROM tags WHERE image = ?", (image.id,))

    def set_tag(self, repository: Repository, tag: str, image_id: int) -> None:
        """Point a tag at an image, wherever it pointed before."""
        self._execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", (repository.id, tag, image_id))

    def delete_tag(self, repository: Repository, tag: str) -> None:
        """Remove a tag."""
        self._execute("DELETE FROM tags WHERE repository = ? AND tag = ?", (repository.id, tag))

    # --- Indexes and their children ---

    def add_children(self, repository: Repository, parent: int, digests: Iterable[str]) -> None:
        """Record which images an index names."""
        self._executemany(
            "INSERT OR IGNORE INTO children SELECT ?, id FROM images WHERE repository = ? AND digest = ?",
            [(parent, repository.id, digest) for digest in digests],
        )

    def parents(self, image: Image) -> list[Image]:
        """List the indexes that name an image."""
        rows = self._execute(
            f"{_IMAGE} JOIN children ON parent = images.id WHERE child = ? ORDER BY digest", (image.id,)
        )
        return [Image(*row) for row in rows]

    def indexed_images(self, repository: Repository) -> set[int]:
        """List the images, by row id, that an index names which is not archived."""
        rows = self._execute(
            "SELECT child FROM children JOIN images ON images.id = parent WHERE images.repository = ? AND NOT archived",
            (repository.id,),
        )
        return {child for (child,) in rows}
