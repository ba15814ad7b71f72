"""Scans of images: that they began, and when. What they say is no matter of the store."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE scans (
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    scan_type TEXT NOT NULL,                   -- BASIC or ENHANCED: an image keeps one of each
    frequency TEXT NOT NULL,
    started_at REAL NOT NULL,
    expired INTEGER NOT NULL,                  -- pushed too long ago to be scanned
    PRIMARY KEY (image, scan_type)
) WITHOUT ROWID;
CREATE INDEX scans_by_time ON scans (scan_type, started_at);
"""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan's row: the last one of its type that an image had."""

    scan_type: str
    frequency: str
    started_at: float
    expired: bool = False


class ScanRows(Rows):
    """The queries on scans."""

    schema = _SCHEMA

    def scan(self, image: Image, scan_type: str) -> Scan | None:
        """Find an image's last scan of a type."""
        row = self._execute(
            "SELECT scan_type, frequency, started_at, expired FROM scans WHERE image = ? AND scan_type = ?",
            (image.id, scan_type),
        ).fetchone()
        return Scan(row[0], row[1], row[2], bool(row[3])) if row else None

    def set_scan(self, image: Image, scan: Scan) -> None:
        """Keep an image's scan, in place of the last one of its type."""
        self._execute(
            "INSERT OR REPLACE INTO scans VALUES (?, ?, ?, ?, ?)",
            (image.id, scan.scan_type, scan.frequency, scan.started_at, scan.expired),
        )

    def has_scans(self, count: int, registry: Registry, scan_type: str, since: float) -> bool:
        """Tell whether so many scans of a type began in a registry after a time."""
        recent = self._count("SELECT COUNT(*) FROM scans WHERE scan_type = ? AND started_at > ?", (scan_type, since))
        if recent < count:  # in all registries: every push asks, and telling them apart takes longer
            return False
        found = self._count(
            "SELECT COUNT(*) FROM scans JOIN images ON images.id = image"
            " JOIN repositories ON repositories.id = images.repository"
            " WHERE scan_type = ? AND started_at > ? AND account = ? AND region = ?",
            (scan_type, since, *registry),
        )
        return found >= count
