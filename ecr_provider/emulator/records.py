"""What the store keeps, as values, and the queries on it. No rule of ECR stands here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

ImageStatus = Literal["ACTIVE", "ARCHIVED", "ACTIVATING"]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository's row."""

    id: int
    account: str
    region: str
    name: str
    created_at: float
    mutability: str
    exclusions: list[dict[str, str]]
    scan_on_push: bool
    encryption: dict[str, str]
    tags: dict[str, str]
    policy: str | None
    image_count: int


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


@dataclass(frozen=True, slots=True)
class Upload:
    """A layer upload that is not complete."""

    id: str
    repository: int
    received: int
    parts: int
    last_part: int
    has_small_part: bool


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


class Records:
    """The queries, on a connection that is in a transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._execute = database.execute
        self._executemany = database.executemany

    def secret(self, fresh: bytes) -> bytes:
        """Return the store's signing secret, which is ``fresh`` if it has none yet."""
        self._execute("INSERT INTO secret SELECT ? WHERE NOT EXISTS (SELECT 1 FROM secret)", (fresh,))
        (value,) = self._execute("SELECT value FROM secret").fetchone()
        return bytes(value)

    # --- Repositories ---

    def repository(self, account: str, region: str, name: str) -> Repository | None:
        """Find a repository."""
        row = self._execute(
            "SELECT * FROM repositories WHERE account = ? AND region = ? AND name = ?",
            (account, region, name),
        ).fetchone()
        return _repository(row) if row else None

    def repositories(self, account: str, region: str, after: str, count: int) -> list[Repository]:
        """List a registry's repositories by name."""
        rows = self._execute(
            "SELECT * FROM repositories WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
            (account, region, after, count),
        )
        return [_repository(row) for row in rows]

    def repository_count(self, account: str, region: str) -> int:
        """Count a registry's repositories."""
        query = "SELECT COUNT(*) FROM repositories WHERE account = ? AND region = ?"
        return self._count(query, (account, region))

    def add_repository(self, account: str, region: str, name: str, **settings: Any) -> None:
        """Add a repository."""
        self._execute(
            "INSERT INTO repositories (account, region, name, created_at, mutability, exclusions, scan_on_push,"
            " encryption, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                region,
                name,
                settings["created_at"],
                settings["mutability"],
                json.dumps(settings["exclusions"]),
                settings["scan_on_push"],
                json.dumps(settings["encryption"]),
                json.dumps(settings["tags"]),
            ),
        )

    def delete_repository(self, repository: Repository) -> None:
        """Delete a repository with everything in it."""
        self._execute("DELETE FROM repositories WHERE id = ?", (repository.id,))

    def set_mutability(self, repository: Repository, mutability: str, exclusions: list[dict[str, str]]) -> None:
        """Set the tag mutability."""
        self._execute(
            "UPDATE repositories SET mutability = ?, exclusions = ? WHERE id = ?",
            (mutability, json.dumps(exclusions), repository.id),
        )

    def set_policy(self, repository: Repository, policy: str | None) -> None:
        """Set or remove the repository policy."""
        self._execute("UPDATE repositories SET policy = ? WHERE id = ?", (policy, repository.id))

    def set_resource_tags(self, repository: Repository, tags: dict[str, str]) -> None:
        """Set the repository's own tags."""
        self._execute("UPDATE repositories SET tags = ? WHERE id = ?", (json.dumps(tags), repository.id))

    # --- Images ---

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

    def images(self, repository: Repository, wanted: ImageFilter, after: int, count: int) -> list[Image]:
        """List images in the order they were first pushed, from the one after an image's row id."""
        rows = self._execute(
            f"{_IMAGE} {_FILTER} AND images.id > :after ORDER BY images.id LIMIT :count",
            asdict(wanted) | {"repository": repository.id, "after": after, "count": count},
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

    def archive(self, image: Image, when: float) -> None:
        """Move an image into the archive."""
        self._execute("UPDATE images SET archived = 1, archived_at = ? WHERE id = ?", (when, image.id))

    def restore(self, image: Image, when: float) -> None:
        """Move an image out of the archive; it can be pulled from the given time on."""
        self._execute("UPDATE images SET archived = 0, activated_at = ? WHERE id = ?", (when, image.id))

    # --- Tags ---

    def tags(self, image: Image) -> list[str]:
        """List an image's tags."""
        rows = self._execute("SELECT tag FROM tags WHERE image = ? ORDER BY tag", (image.id,))
        return [tag for (tag,) in rows]

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

    # --- Layers ---

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

    def layer_uses(self, repository: Repository, digest: str) -> list[tuple[Image, str]]:
        """List the images made of a layer, each with the media type it gives the layer."""
        rows = self._execute(
            "SELECT images.id, images.repository, images.digest, images.media_type, artifact_media_type, subject,"
            " size, pushed_at, pulled_at, archived, archived_at, activated_at, layer_uses.media_type"
            " FROM layer_uses JOIN images ON images.id = image"
            " WHERE layer_uses.repository = ? AND layer_uses.digest = ? ORDER BY image",
            (repository.id, digest),
        )
        return [(Image(*row[:-1]), row[-1]) for row in rows]

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

    def add_part(self, upload: Upload, size: int, smallest: int) -> None:
        """Record a part; the one before it is now certainly not the last."""
        self._execute(
            "UPDATE uploads SET received = received + :size, parts = parts + 1, last_part = :size,"
            " has_small_part = has_small_part OR (parts > 0 AND last_part < :smallest) WHERE id = :id",
            {"id": upload.id, "size": size, "smallest": smallest},
        )

    def delete_upload(self, upload: Upload) -> None:
        """Forget an upload."""
        self._execute("DELETE FROM uploads WHERE id = ?", (upload.id,))

    def all_uploads(self) -> set[str]:
        """List every upload."""
        return {upload_id for (upload_id,) in self._execute("SELECT id FROM uploads")}

    def _count(self, query: str, values: tuple[Any, ...]) -> int:
        (count,) = self._execute(query, values).fetchone()
        return int(count)


def _repository(row: tuple[Any, ...]) -> Repository:
    number, account, region, name, created_at, mutability, exclusions, scan, encryption, tags, policy, count = row
    return Repository(
        id=number,
        account=account,
        region=region,
        name=name,
        created_at=created_at,
        mutability=mutability,
        exclusions=json.loads(exclusions),
        scan_on_push=bool(scan),
        encryption=json.loads(encryption),
        tags=json.loads(tags),
        policy=policy,
        image_count=count,
    )
